"""Opening accounts, logging in and out."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from kernel.access.actors import Actor, Role
from kernel.access.assurance import PROVES, Assurance, Method, has_second_factor
from kernel.access.passwords import hash_password, verify_password
from kernel.access.sessions import Session, SessionRow
from kernel.commit.command import Command, Decided, Happened, Key, States
from kernel.db.database import Database
from kernel.ids import uuid7
from kernel.problems import Conflict, Forbidden, NotFound, Problem, Refused, Unauthenticated
from kernel.runtime import Kernel
from registries.organisations.service import ORGANISATION
from registries.users import queries
from registries.users.queries import USER
from registries.users.rules import (
    TEXTS,
    Event,
    FactorAdded,
    FactorRemoved,
    Refusal,
    Registered,
    Status,
    User,
    decide_disable,
    decide_enable,
    decide_factor,
    decide_register,
    decide_set_password,
    normal_login,
    password_fits,
    password_is_weak,
)

__all__ = [
    "DEMO_PASSWORD",
    "USER",
    "Opened",
    "ResetRow",
    "change_password",
    "check_password",
    "create_user",
    "demo_accounts",
    "disable_user",
    "enable_user",
    "enter",
    "forget_hash",
    "id_of",
    "keep_hash",
    "load_actor",
    "log_in",
    "log_out",
    "login_taken",
    "note_factor",
    "prove",
    "prove_password",
    "reset_of",
    "revoke_other_sessions",
    "revoke_session",
    "sessions_of",
    "set_password",
]

ATTEMPTS_PER_ACCOUNT: Final = 10
"""Since the last right one: guesses, whatever address they come from."""
ATTEMPTS_PER_ADDRESS: Final = 1_000
"""Right ones too: a county's offices share an address, and all of them log in at nine."""
WINDOW_S: Final = 300
DEMO_ACCOUNTS_MAX: Final = 50
DEMO_PASSWORD: Final = "zhecai-demo-2026"  # noqa: S105  printed at the start of every demonstration; no other service has it


class ResetRow(msgspec.Struct, frozen=True):
    """That the second factors were reset, as their owner sees it."""

    at: datetime
    by: str
    reason: str


class Opened(NamedTuple):
    """A session that was opened or raised: the token is told once and never stored."""

    token: str
    session: Session

    @property
    def actor(self) -> Actor:
        return self.session.actor

    @property
    def expires_at(self) -> datetime:
        return self.session.expires_at


async def create_user(  # noqa: PLR0913 - each by name
    kernel: Kernel,
    actor: Actor,
    *,
    login: str,
    name: str,
    password: str,
    organisation_id: UUID,
    roles: tuple[Role, ...],
    origin: str = "local",
    key: Key | None = None,
) -> UUID:
    """
    Open an account.

    The hash is stored before the account is: a hash that nobody owns opens nothing, and is deleted when the
    account is refused.

    Raises:
        Refused: login, name, password, organisation or roles are wrong.
        Conflict: the login is taken.
    """
    login = normal_login(login)
    if not password_fits(password) or password_is_weak(password, login):
        wrong = Refusal.PASSWORD_WEAK if password_fits(password) else Refusal.PASSWORD_WRONG
        raise Refused(*TEXTS[wrong], reason=wrong.value)
    at = kernel.clock.now()
    registered = Registered(uuid7(at), login, name, organisation_id, roles, password_given_by=actor.user_id)
    ref, owner = USER.ref(registered.id), ORGANISATION.ref(organisation_id)

    def decide(states: States) -> Decided[UUID] | Problem:
        decision = decide_register(states.get(ref), registered, states.get(owner))
        if isinstance(decision, Refusal):
            return Refused(*TEXTS[decision], reason=decision.value)
        return Decided(registered.id, [Happened(ref, decision)])

    hashed = await asyncio.to_thread(hash_password, password)
    await queries.set_password(kernel.db.pool, registered.id, hashed, at)
    try:
        opened = await kernel.committer.submit(Command([ref, owner], decide, actor.journal, origin, at, key, UUID))
    except Problem as problem:
        await queries.forget_password(kernel.db.pool, registered.id)
        if problem.members.get("constraint") == "uq_users_login":
            raise login_taken() from problem
        raise
    if opened != registered.id:  # asked again: the account of the first time is the one
        await queries.forget_password(kernel.db.pool, registered.id)
    return opened


async def keep_hash(kernel: Kernel, user_id: UUID, password_hash: str, at: datetime) -> None:
    """Store the hash of a password, of an account that is about to be opened."""
    await queries.set_password(kernel.db.pool, user_id, password_hash, at)


async def forget_hash(kernel: Kernel, user_id: UUID) -> None:
    """Delete the hash of an account that has not come to be."""
    await queries.forget_password(kernel.db.pool, user_id)


def login_taken() -> Conflict:
    """Say that a login is somebody's already."""
    return Conflict(
        "该登录名已被使用，请换一个。", "The login is taken; choose another.", reason="login-taken", field="login"
    )


async def set_password(kernel: Kernel, actor: Actor, user_id: UUID, password: str, *, origin: str = "local") -> None:
    """Change a password; the journal says that it was changed, not to what. Raises ``Refused``."""
    by = actor.user_id
    at = await _change(kernel, actor, user_id, lambda user: decide_set_password(user, password, by), origin=origin)
    await queries.set_password(kernel.db.pool, user_id, hash_password(password), at)


async def id_of(kernel: Kernel, login: str) -> UUID:
    """Find the account with a login; raises ``NotFound``."""
    async with kernel.db.read() as tx:
        found = await queries.login_of(tx, normal_login(login))
    if found is None:
        raise NotFound(f"没有登录名为 {login} 的账号。", f"No account has the login {login}.")
    return found.user_id


async def disable_user(kernel: Kernel, actor: Actor, user_id: UUID, reason: str, *, origin: str = "local") -> None:
    """Let an account not log in any more; its sessions end. Raises ``Refused``."""
    await _change(kernel, actor, user_id, lambda user: decide_disable(user, reason=reason), origin=origin)
    await kernel.sessions.revoke_others(user_id, None)


async def enable_user(kernel: Kernel, actor: Actor, user_id: UUID, reason: str, *, origin: str = "local") -> None:
    """Let an account log in again. Raises ``Refused``."""
    await _change(kernel, actor, user_id, lambda user: decide_enable(user, reason=reason), origin=origin)


async def _change(
    kernel: Kernel, actor: Actor, user_id: UUID, decide: Callable[[User | None], Event | Refusal], *, origin: str
) -> datetime:
    at, ref = kernel.clock.now(), USER.ref(user_id)

    def decided(states: States) -> Decided[None] | Problem:
        decision = decide(states.get(ref))
        if isinstance(decision, Refusal):
            return Refused(*TEXTS[decision], reason=decision.value)
        return Decided(None, [Happened(ref, decision)])

    await kernel.committer.submit(Command([ref], decided, actor.journal, origin, at))
    return at


async def log_in(
    kernel: Kernel, *, login: str, password: str, origin: str, user_agent: str, replaces: str | None = None
) -> Opened:
    """
    Check a password and open a session; the one that ``replaces`` is the token of ends.

    An unknown login takes as long and is answered as a wrong password: nobody learns who has an account.
    A disabled account is told so only with the right password. Outside a demonstration, and wherever the account has
    a second factor, the session is pending until that was shown.

    Raises:
        TooMany: too often for this account or from this address.
        Unauthenticated: login or password is wrong.
        Forbidden: the account is disabled.
    """
    login = normal_login(login)
    await kernel.limits.hit(f"login/address/{origin}", ATTEMPTS_PER_ADDRESS, WINDOW_S)
    await kernel.limits.hit(f"login/account/{login}", ATTEMPTS_PER_ACCOUNT, WINDOW_S)
    async with kernel.db.read() as tx:
        found = await queries.login_of(tx, login)
    await verify_password(found.password_hash if found else None, password)
    assert found is not None  # an unknown login was just turned away
    actor = await load_actor(kernel.db, found.user_id) if found.status is Status.ACTIVE else None
    if actor is None:
        raise _disabled()
    await kernel.limits.forget(f"login/account/{login}")
    return await enter(kernel, actor, Method.PASSWORD, origin=origin, user_agent=user_agent, replaces=replaces)


async def enter(
    kernel: Kernel, actor: Actor, method: Method, *, origin: str, user_agent: str, replaces: str | None = None
) -> Opened:
    """Open a session of an account that has just been proven with ``method``; the one that it replaces ends."""
    assert actor.user_id is not None
    if replaces:
        await kernel.sessions.close(replaces)
    floor = floor_of(kernel.settings.proof_max, actor.methods)
    token, _ = await kernel.sessions.open(
        actor.user_id, origin=origin, user_agent=user_agent, level=PROVES[method], floor=floor
    )
    session = await kernel.sessions.find(token)
    if session is None:
        raise _disabled()  # in this very moment
    return Opened(token, session)


async def prove(kernel: Kernel, token: str, method: Method) -> Opened:
    """Note that the holder of a session has shown ``method``, and give it another token; raises ``Unauthenticated``."""
    raised = await kernel.sessions.raise_to(token, PROVES[method])
    if raised is None:
        raise Unauthenticated("登录已失效，请重新登录。", "The session has ended; log in again.")
    return Opened(*raised)


async def prove_password(kernel: Kernel, session: Session, token: str, password: str) -> Opened:
    """
    Check the password of a session's account once more.

    Raises:
        TooMany: too often for this account.
        Refused: the password is wrong; the session stays as it is.
    """
    await check_password(kernel, session.actor, password)
    return await prove(kernel, token, Method.PASSWORD)


async def check_password(kernel: Kernel, actor: Actor, password: str) -> None:
    """Check the password of somebody who is logged in; raises ``TooMany``, or ``Refused`` when it is wrong."""
    assert actor.user_id is not None
    await kernel.limits.hit(f"login/account/{actor.login}", ATTEMPTS_PER_ACCOUNT, WINDOW_S)
    async with kernel.db.read() as tx:
        stored = await queries.password_of(tx, actor.user_id)
    try:
        await verify_password(stored, password)
    except Unauthenticated as error:  # a 401 would say that the session has ended
        raise Refused("密码不正确。", "The password is not right.", reason="wrong-credentials") from error
    await kernel.limits.forget(f"login/account/{actor.login}")


async def change_password(kernel: Kernel, session: Session, *, old: str, new: str, origin: str) -> int:
    """
    Change the own password; every other session of the account ends. Return how many did.

    Raises:
        TooMany: too often for this account.
        Refused: the old password is wrong, or the new one has not the length.
    """
    actor = session.actor
    assert actor.user_id is not None
    await check_password(kernel, actor, old)
    await set_password(kernel, actor, actor.user_id, new, origin=origin)
    return await kernel.sessions.revoke_others(actor.user_id, session.id)


async def note_factor(kernel: Kernel, actor: Actor, event: FactorAdded | FactorRemoved, *, origin: str) -> None:
    """Write into the journal that an account has another means of proof, or one less; which, never what it holds."""
    assert actor.user_id is not None
    await _change(kernel, actor, actor.user_id, lambda user: decide_factor(user, event), origin=origin)
    kernel.sessions.forget(actor.user_id)


async def reset_of(kernel: Kernel, user_id: UUID) -> ResetRow | None:
    """Tell when an account's second factors were reset last, by whom and why; ``None`` when they never were."""
    user = (await USER.load(kernel.db.pool, [user_id])).get(user_id)
    reset = user.state.reset if user else None
    if reset is None:
        return None
    by = (await USER.load(kernel.db.pool, [reset.by])).get(reset.by)
    return ResetRow(reset.at, by.state.name if by else "", reset.reason)


async def sessions_of(kernel: Kernel, session: Session) -> list[SessionRow]:
    """List the open sessions of an account."""
    assert session.actor.user_id is not None
    return await kernel.sessions.list_of(session.actor.user_id)


async def revoke_session(kernel: Kernel, session: Session, session_id: UUID) -> None:
    """End one of the own sessions; raises ``NotFound`` for anybody else's."""
    assert session.actor.user_id is not None
    if not await kernel.sessions.revoke(session.actor.user_id, session_id):
        raise NotFound("没有这个登录会话。", "There is no such session, or it is not yours.")


async def revoke_other_sessions(kernel: Kernel, session: Session) -> int:
    """End all of the own sessions but this one; return how many."""
    assert session.actor.user_id is not None
    return await kernel.sessions.revoke_others(session.actor.user_id, session.id)


async def log_out(kernel: Kernel, token: str) -> None:
    """Close a session; closing it twice does no harm."""
    await kernel.sessions.close(token)


def floor_of(proof_max: Assurance, methods: Iterable[Method]) -> Assurance:
    """
    Tell what a session must show before it is of use.

    A password alone is enough only where the site asks for no more and the account has no more. A certificate does not
    count: it lives in one browser, and whoever has it there must still get in elsewhere to renew it.
    """
    portable = [method for method in methods if method is not Method.CERTIFICATE]
    if proof_max is Assurance.PASSWORD and not has_second_factor(portable):
        return Assurance.PASSWORD
    return Assurance.SECOND_FACTOR


def _disabled() -> Forbidden:
    return Forbidden("账号已停用，请联系平台管理员。", "The account is disabled; ask the operator.", reason="disabled")


async def load_actor(db: Database, user_id: UUID) -> Actor | None:
    """Tell who a user is; ``None`` when gone or disabled. Sessions ask this."""
    async with db.read() as tx:
        return await queries.actor_of(tx, user_id)


async def demo_accounts(kernel: Kernel) -> list[Actor]:
    """List one account of each organisation, for the login page of a demonstration; raises ``NotFound`` elsewhere."""
    if not kernel.settings.demo:
        raise NotFound("仅演示环境提供演示账号。", "Demonstration accounts exist in a demonstration only.")
    async with kernel.db.read() as tx:
        return await queries.first_of_each_organisation(tx, DEMO_ACCOUNTS_MAX)
