"""Suspending, reinstating and striking off over HTTP."""

from datetime import date
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from kernel.access.table import Action
from kernel.problems import NotFound, Refused
from kernel.web.context import Context
from kernel.web.routes import op
from market.standing import service
from market.standing.service import Standing
from registries.organisations.rules import REASON_LENGTH_MAX, REASON_LENGTH_MIN

Reason = Annotated[str, Meta(min_length=REASON_LENGTH_MIN, max_length=REASON_LENGTH_MAX)]


class SuspensionIn(msgspec.Struct, forbid_unknown_fields=True):
    """
    Why, and until the end of which day in Beijing; without one until it is lifted. The reason is public.

    With ``start`` it begins with that day, tomorrow at the earliest; without one at once.
    """

    reason: Reason
    start: date | None = None
    until: date | None = None


class StandingReasonIn(msgspec.Struct, forbid_unknown_fields=True):
    """Why."""

    reason: Reason


@op(
    "POST",
    "/api/organisations/{organisation_id}/suspension",
    action=Action.ORGANISATION_SUSPEND,
    tag="market",
    summary="Suspend an organisation from trading, at once or from a day to come on",
    problems=(Refused,),
)
async def suspend(ctx: Context, organisation_id: UUID, body: SuspensionIn) -> Standing:
    if body.start is None:
        return await service.suspend(ctx.kernel, ctx.by, organisation_id, reason=body.reason, until=body.until)
    return await service.plan(
        ctx.kernel, ctx.by, organisation_id, reason=body.reason, start=body.start, until=body.until
    )


@op(
    "POST",
    "/api/organisations/{organisation_id}/suspension-cancellation",
    action=Action.ORGANISATION_SUSPEND,
    tag="market",
    summary="Cancel a suspension that is planned and has not begun",
    problems=(Refused,),
)
async def cancel(ctx: Context, organisation_id: UUID, body: StandingReasonIn) -> Standing:
    return await service.cancel(ctx.kernel, ctx.by, organisation_id, reason=body.reason)


@op(
    "POST",
    "/api/organisations/{organisation_id}/reinstatement",
    action=Action.ORGANISATION_SUSPEND,
    tag="market",
    summary="Lift a suspension",
    problems=(Refused,),
)
async def reinstate(ctx: Context, organisation_id: UUID, body: StandingReasonIn) -> Standing:
    return await service.reinstate(ctx.kernel, ctx.by, organisation_id, reason=body.reason)


@op(
    "POST",
    "/api/organisations/{organisation_id}/deregistration",
    action=Action.ORGANISATION_SUSPEND,
    tag="market",
    summary="Strike off an organisation that is leaving or suspended",
    problems=(Refused,),
)
async def deregister(ctx: Context, organisation_id: UUID, body: StandingReasonIn) -> Standing:
    return await service.deregister(ctx.kernel, ctx.by, organisation_id, reason=body.reason)


@op(
    "POST",
    "/api/registration/departure",
    action=Action.ORGANISATION_CHANGE,
    tag="market",
    summary="Ask that the own organisation be struck off; nothing new from then on",
    problems=(Refused, NotFound),
)
async def leave(ctx: Context, body: StandingReasonIn) -> Standing:
    return await service.leave(ctx.kernel, ctx.by, reason=body.reason)


@op(
    "DELETE",
    "/api/registration/departure",
    action=Action.ORGANISATION_CHANGE,
    tag="market",
    summary="Stay after all",
    problems=(Refused, NotFound),
)
async def stay(ctx: Context) -> Standing:
    return await service.stay(ctx.kernel, ctx.by)


ROUTES = [suspend, cancel, reinstate, deregister, leave, stay]
