"""Opening accounts, logging in and out."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from kernel.access.actors import Actor, Role
from kernel.access.passwords import hash_password, verify_password
from kernel.commit.command import Command, Decided, Happened, States
from kernel.db.database import Database
from kernel.ids import uuid7
from kernel.problems import Forbidden, NotFound, Problem, Refused
from kernel.runtime import Kernel
from registries.organisations.service import ORGANISATION
from registries.users import queries
from registries.users.queries import USER
from registries.users.rules import (
    TEXTS,
    Event,
    Refusal,
    Registered,
    Status,
    User,
    decide_disable,
    decide_enable,
    decide_register,
    decide_set_password,
    normal_login,
    password_fits,
)

__all__ = [
    "DEMO_PASSWORD",
    "USER",
    "Opened",
    "create_user",
    "demo_accounts",
    "disable_user",
    "enable_user",
    "load_actor",
    "log_in",
    "log_out",
    "set_password",
]

ATTEMPTS_PER_ACCOUNT: Final = 10
"""Since the last right one: guesses, whatever address they come from."""
ATTEMPTS_PER_ADDRESS: Final = 1_000
"""Right ones too: a county's offices share an address, and all of them log in at nine."""
WINDOW_S: Final = 300
DEMO_ACCOUNTS_MAX: Final = 50
DEMO_PASSWORD: Final = "zhecai-demo-2026"  # noqa: S105  printed at the start of every demonstration; no other service has it


class Opened(NamedTuple):
    """A session that was opened: the token is told once and never stored."""

    token: str
    actor: Actor
    expires_at: datetime


async def create_user(
    kernel: Kernel,
    actor: Actor,
    *,
    login: str,
    name: str,
    password: str,
    organisation_id: UUID,
    roles: tuple[Role, ...],
    origin: str = "local",
) -> UUID:
    """
    Open an account.

    The hash is stored before the account is: a hash that nobody owns opens nothing, and is deleted when the
    account is refused.

    Raises:
        Refused: login, name, password, organisation or roles are wrong.
        Conflict: the login is taken.
    """
    if not password_fits(password):
        raise Refused(*TEXTS[Refusal.PASSWORD_WRONG], reason=Refusal.PASSWORD_WRONG.value)
    at = kernel.clock.now()
    registered = Registered(uuid7(at), normal_login(login), name, organisation_id, roles)
    ref, owner = USER.ref(registered.id), ORGANISATION.ref(organisation_id)

    def decide(states: States) -> Decided[UUID] | Problem:
        decision = decide_register(states.get(ref), registered, states.get(owner))
        if isinstance(decision, Refusal):
            return Refused(*TEXTS[decision], reason=decision.value)
        return Decided(registered.id, [Happened(ref, decision)])

    await queries.set_password(kernel.db.pool, registered.id, hash_password(password), at)
    try:
        return await kernel.committer.submit(Command([ref, owner], decide, actor.journal, origin, at))
    except Problem:
        await queries.forget_password(kernel.db.pool, registered.id)
        raise


async def set_password(kernel: Kernel, actor: Actor, user_id: UUID, password: str, *, origin: str = "local") -> None:
    """Change a password; the journal says that it was changed, not to what. Raises ``Refused``."""
    at = await _change(kernel, actor, user_id, lambda user: decide_set_password(user, password), origin=origin)
    await queries.set_password(kernel.db.pool, user_id, hash_password(password), at)


async def disable_user(kernel: Kernel, actor: Actor, user_id: UUID, reason: str, *, origin: str = "local") -> None:
    """Let an account not log in any more; sessions end within seconds. Raises ``Refused``."""
    await _change(kernel, actor, user_id, lambda user: decide_disable(user, reason=reason), origin=origin)


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


async def log_in(kernel: Kernel, *, login: str, password: str, origin: str, user_agent: str) -> Opened:
    """
    Check a password and open a session.

    An unknown login takes as long and is answered as a wrong password: nobody learns who has an account.
    A disabled account is told so only with the right password.

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
        raise Forbidden(
            "账号已停用，请联系平台管理员。", "The account is disabled; ask the operator.", reason="disabled"
        )
    await kernel.limits.forget(f"login/account/{login}")
    token, expires_at = await kernel.sessions.open(found.user_id, origin=origin, user_agent=user_agent)
    return Opened(token, actor, expires_at)


async def log_out(kernel: Kernel, token: str) -> None:
    """Close a session; closing it twice does no harm."""
    await kernel.sessions.close(token)


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
