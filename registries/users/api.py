"""Sessions over HTTP."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from kernel.access.assurance import Assurance
from kernel.access.passwords import PASSWORD_LEN_MAX
from kernel.access.table import Action
from kernel.problems import Forbidden, Refused, TooMany, Unauthenticated
from kernel.web.context import Context
from kernel.web.entry import ActorOut, SessionOut, StateOut, actor_out, cookie, entered, own, state_out
from kernel.web.routes import Answer, op
from registries.users import service

Password = Annotated[str, Meta(min_length=1, max_length=PASSWORD_LEN_MAX)]


class LoginIn(msgspec.Struct, forbid_unknown_fields=True):
    """Who wants to log in."""

    login: Annotated[str, Meta(min_length=1, max_length=64)]
    password: Password


class CurrentOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who is asking; ``null`` for the public, and for a session that is pending."""

    actor: ActorOut | None
    session: StateOut | None = None


class PasswordProofIn(msgspec.Struct, forbid_unknown_fields=True):
    """The password of whoever is logged in, once more."""

    password: Password


class ChangeIn(msgspec.Struct, forbid_unknown_fields=True):
    """The old password and the new one."""

    old: Password
    new: Password


class OwnSession(msgspec.Struct, frozen=True):
    """One of the own sessions, and from where it was opened; ``current`` is the one that asks."""

    session_id: UUID
    level: Assurance
    opened_at: datetime
    seen_at: datetime
    expires_at: datetime
    origin: str
    user_agent: str
    current: bool


class OwnSessions(msgspec.Struct, frozen=True):
    """The own sessions, the last used first."""

    items: tuple[OwnSession, ...]


class Revoked(msgspec.Struct, frozen=True):
    """How many sessions were ended."""

    count: int


class DemoAccounts(msgspec.Struct, frozen=True):
    """Accounts of the demonstration and the password that they share."""

    items: tuple[ActorOut, ...]
    password: str


@op(
    "POST",
    "/api/sessions",
    action=Action.SESSION_OPEN,
    tag="registries",
    summary="Log in",
    status=201,
    problems=(Unauthenticated, Forbidden, TooMany),
    keyless=True,
)
async def open_session(ctx: Context, body: LoginIn) -> SessionOut:
    opened = await service.log_in(
        ctx.kernel,
        login=body.login,
        password=body.password,
        origin=ctx.origin,
        user_agent=ctx.request.headers.get("user-agent", ""),
        replaces=ctx.token,
    )
    return entered(ctx, *opened)


@op("GET", "/api/sessions", action=Action.SESSION_MANAGE, tag="registries", summary="List the own sessions")
async def list_sessions(ctx: Context) -> OwnSessions:
    session, _ = own(ctx)
    rows = await service.sessions_of(ctx.kernel, session)
    return OwnSessions(tuple(OwnSession(*row, current=row.id == session.id) for row in rows))


@op("GET", "/api/sessions/current", action=Action.SESSION_READ, tag="registries", summary="Who is logged in")
async def current_session(ctx: Context) -> CurrentOut:
    if ctx.session is None:
        return CurrentOut(None)
    return CurrentOut(None if ctx.session.pending else actor_out(ctx.session.actor), state_out(ctx.session))


@op(
    "DELETE",
    "/api/sessions/current",
    action=Action.SESSION_CLOSE,
    tag="registries",
    summary="Log out",
    keyless=True,
)
async def close_session(ctx: Context) -> CurrentOut:
    if ctx.token:
        await service.log_out(ctx.kernel, ctx.token)
    return Answer(CurrentOut(None), cookie(ctx, "", 0))  # type: ignore[return-value]  # the frame unpacks it


@op(
    "POST",
    "/api/sessions/current/password",
    action=Action.SESSION_STEP_UP,
    tag="registries",
    summary="Show the password once more; the session gets another token",
    problems=(Refused, TooMany),
    keyless=True,
)
async def prove_password(ctx: Context, body: PasswordProofIn) -> SessionOut:
    opened = await service.prove_password(ctx.kernel, *own(ctx), body.password)
    return entered(ctx, *opened)


@op(
    "POST",
    "/api/sessions/current/close-others",
    action=Action.SESSION_MANAGE,
    tag="registries",
    summary="End all of the own sessions but this one",
    keyless=True,
)
async def close_other_sessions(ctx: Context) -> Revoked:
    return Revoked(await service.revoke_other_sessions(ctx.kernel, own(ctx)[0]))


@op(
    "DELETE",
    "/api/sessions/{session_id}",
    action=Action.SESSION_MANAGE,
    tag="registries",
    summary="End one of the own sessions",
    keyless=True,
)
async def revoke_session(ctx: Context, session_id: UUID) -> Revoked:
    await service.revoke_session(ctx.kernel, own(ctx)[0], session_id)
    return Revoked(1)


@op(
    "POST",
    "/api/account/password",
    action=Action.FACTOR_CHANGE,
    tag="registries",
    summary="Change the own password; all other sessions end",
    problems=(Refused, TooMany),
    keyless=True,
)
async def change_password(ctx: Context, body: ChangeIn) -> Revoked:
    session, _ = own(ctx)
    return Revoked(await service.change_password(ctx.kernel, session, old=body.old, new=body.new, origin=ctx.origin))


@op(
    "GET",
    "/api/demo-accounts",
    action=Action.SESSION_OPEN,
    tag="registries",
    summary="Accounts of the demonstration",
)
async def demo_accounts(ctx: Context) -> DemoAccounts:
    accounts = await service.demo_accounts(ctx.kernel)
    return DemoAccounts(tuple(actor_out(account) for account in accounts), service.DEMO_PASSWORD)


ROUTES = [
    open_session,
    list_sessions,
    current_session,
    close_session,
    prove_password,
    close_other_sessions,
    revoke_session,
    change_password,
    demo_accounts,
]
