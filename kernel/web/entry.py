"""What an endpoint answers that opens a session or raises one: who it is, what was shown, and the cookie."""

from datetime import datetime
from uuid import UUID

import msgspec

from kernel.access.actors import Actor, Role
from kernel.access.assurance import Assurance, Method
from kernel.access.sessions import Session
from kernel.web.context import COOKIE, Context
from kernel.web.routes import Answer


class ActorOut(msgspec.Struct, frozen=True):
    """Who is logged in."""

    user_id: UUID
    login: str
    name: str
    organisation_id: UUID | None
    organisation_name: str
    region: str
    roles: tuple[Role, ...]


class StateOut(msgspec.Struct, frozen=True):
    """
    What a session has shown; ``pending`` until it has shown enough to be of use.

    ``methods`` are the account's ways to show more. One that is ``enrolling`` must first set one up.
    """

    session_id: UUID
    level: Assurance
    pending: bool
    enrolling: bool
    methods: tuple[Method, ...]
    expires_at: datetime


class SessionOut(msgspec.Struct, frozen=True):
    """A session; a browser need not keep the token, it has the cookie."""

    token: str
    actor: ActorOut
    expires_at: datetime
    session: StateOut


def actor_out(actor: Actor) -> ActorOut:
    """Describe an account."""
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


def state_out(session: Session) -> StateOut:
    """Describe a session to its holder."""
    shown = (session.level, session.pending, session.enrolling)
    return StateOut(session.id, *shown, session.actor.methods, session.expires_at)


def entered(ctx: Context, token: str, session: Session) -> SessionOut:
    """Answer with a session that was opened or raised, and set its cookie."""
    out = SessionOut(token, actor_out(session.actor), session.expires_at, state_out(session))
    max_age_s = int((session.expires_at - ctx.received_at).total_seconds())
    return Answer(out, cookie(ctx, token, max_age_s))  # type: ignore[return-value]  # the frame unpacks it


def cookie(ctx: Context, token: str, max_age_s: int) -> dict[str, str]:
    """Make the header that gives a browser its token, or takes it away."""
    # Lax: a link from elsewhere arrives logged in; writes from elsewhere are refused by the origin check.
    secure = "; Secure" if ctx.request.url.scheme == "https" else ""
    return {"Set-Cookie": f"{COOKIE}={token}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}"}


def own(ctx: Context) -> tuple[Session, str]:
    """Return the caller's session and its token, where the access table lets nobody in without one."""
    assert ctx.session is not None
    assert ctx.token is not None
    return ctx.session, ctx.token
