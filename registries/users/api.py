"""Sessions over HTTP."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from kernel.access.actors import PUBLIC_ACTOR, Actor, Role
from kernel.access.passwords import PASSWORD_LEN_MAX
from kernel.access.table import Action
from kernel.problems import Forbidden, TooMany, Unauthenticated
from kernel.web.context import COOKIE, Context
from kernel.web.routes import Answer, op
from registries.users import service


class LoginIn(msgspec.Struct, forbid_unknown_fields=True):
    """Who wants to log in."""

    login: Annotated[str, Meta(min_length=1, max_length=64)]
    password: Annotated[str, Meta(min_length=1, max_length=PASSWORD_LEN_MAX)]


class ActorOut(msgspec.Struct, frozen=True):
    """Who is logged in."""

    user_id: UUID
    login: str
    name: str
    organisation_id: UUID | None
    organisation_name: str
    region: str
    roles: tuple[Role, ...]


class SessionOut(msgspec.Struct, frozen=True):
    """A session; a browser need not keep the token, it has the cookie."""

    token: str
    actor: ActorOut
    expires_at: datetime


class CurrentOut(msgspec.Struct, frozen=True):
    """Who is asking; ``null`` for the public."""

    actor: ActorOut | None


class DemoAccounts(msgspec.Struct, frozen=True):
    """Accounts of the demonstration and the password that they share."""

    items: tuple[ActorOut, ...]
    password: str


def _out(actor: Actor) -> ActorOut:
    assert actor.user_id is not None
    return ActorOut(
        actor.user_id,
        actor.login,
        actor.name,
        actor.organisation_id,
        actor.organisation_name,
        actor.region,
        actor.roles,
    )


def _cookie(ctx: Context, token: str, max_age_s: int) -> dict[str, str]:
    # Lax: a link from elsewhere arrives logged in; writes from elsewhere are refused by the origin check.
    secure = "; Secure" if ctx.request.url.scheme == "https" else ""
    return {"Set-Cookie": f"{COOKIE}={token}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}"}


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
    )
    out = SessionOut(opened.token, _out(opened.actor), opened.expires_at)
    max_age_s = int((opened.expires_at - ctx.received_at).total_seconds())
    return Answer(out, _cookie(ctx, opened.token, max_age_s))  # type: ignore[return-value]  # the frame unpacks it


@op("GET", "/api/sessions/current", action=Action.SESSION_READ, tag="registries", summary="Who is logged in")
async def current_session(ctx: Context) -> CurrentOut:
    return CurrentOut(None if ctx.actor is PUBLIC_ACTOR else _out(ctx.actor))


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
    return Answer(CurrentOut(None), _cookie(ctx, "", 0))  # type: ignore[return-value]  # the frame unpacks it


@op(
    "GET",
    "/api/demo-accounts",
    action=Action.SESSION_OPEN,
    tag="registries",
    summary="Accounts of the demonstration",
)
async def demo_accounts(ctx: Context) -> DemoAccounts:
    accounts = await service.demo_accounts(ctx.kernel)
    return DemoAccounts(tuple(_out(account) for account in accounts), service.DEMO_PASSWORD)


ROUTES = [open_session, current_session, close_session, demo_accounts]
