"""Approvals over HTTP: requests, their decisions, and from which amount on an organisation asks for them."""

from datetime import date, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from kernel.access.table import Action
from kernel.money import FEN_MAX
from kernel.paging import LIMIT_DEFAULT, Limit, Page
from kernel.problems import Conflict, Invalid, NotFound, Refused
from kernel.web.context import Context
from kernel.web.routes import op
from market.approvals import service
from market.approvals.lifecycle import Difference, Stage
from market.approvals.rules import REASON_LENGTH_MAX, REASON_LENGTH_MIN
from market.approvals.service import Ended, RequestBox, RequestMoment, RequestRow, Wanted
from market.orders.lifecycle import Terms
from market.orders.service import PreviewProblem
from registries.controls.rules import NOTE_LENGTH_MAX
from registries.controls.service import Approver, ControlSet, SettingMade

Text = Annotated[str, Meta(max_length=100)]
Cursor = Annotated[str, Meta(max_length=400)]


class ApproveIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the approver looked at: ``seen`` of the request as it was read."""

    seen: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class ReturnIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why it is sent back."""

    reason: Annotated[str, Meta(min_length=REASON_LENGTH_MIN, max_length=REASON_LENGTH_MAX, pattern=r"\S")]


class WithdrawIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing needs to be said."""


class ControlIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From which amount and which Beijing day on orders need an approver; no amount switches approval off."""

    approval_from_fen: Annotated[int, Meta(ge=1, le=FEN_MAX)] | None
    effective_from: date
    note: Annotated[str, Meta(max_length=NOTE_LENGTH_MAX)] = ""


class ControlOut(msgspec.Struct, frozen=True):
    """
    What holds today, what is set for later, every setting, and who can approve.

    ``order_max_fen`` is the largest limit of one direct order: nothing above it can be set.
    """

    approval_from_fen: int | None
    order_max_fen: int | None
    ahead: tuple[SettingMade, ...]
    approvers: tuple[Approver, ...]
    history: tuple[SettingMade, ...]


class RequestOut(msgspec.Struct, frozen=True):
    """
    A request: what was asked for, what changed since, what stands in the way now, what the reader may do.

    While it is pending ``differences`` are those of now; afterwards those that were approved.
    """

    request_id: UUID
    version: int
    number: str
    stage: Stage
    terms: Terms
    approval_from_fen: int
    handler_name: str
    asked_at: datetime
    changed_at: datetime
    decided_by: str
    reason: str
    order_id: UUID | None
    order_number: str
    differences: tuple[Difference, ...]
    problems: tuple[PreviewProblem, ...]
    budget_available_fen: int | None
    seen: str
    own: bool
    may_decide: bool
    may_withdraw: bool
    timeline: tuple[RequestMoment, ...]


class ToDecide(msgspec.Struct, frozen=True):
    """How many requests wait for the reader's decision."""

    count: int


@op(
    "GET",
    "/api/approvals",
    action=Action.APPROVAL_READ,
    tag="approvals",
    summary="Requests for approval, the newest first; q is a part of number, supplier or handler / 审批列表",
    problems=(Invalid,),
)
async def list_approvals(
    ctx: Context,
    box: RequestBox = RequestBox.ALL,
    stage: Stage | None = None,
    q: Text = "",
    cursor: Cursor | None = None,
    limit: Limit = LIMIT_DEFAULT,
) -> Page[RequestRow]:
    wanted = Wanted(box, stage, q.strip())
    return await service.list_requests(ctx.kernel, ctx.actor, wanted, cursor=cursor, limit=limit)


@op(
    "GET",
    "/api/approvals/to-decide",
    action=Action.APPROVAL_READ,
    tag="approvals",
    summary="How many requests wait for the reader / 待我审批数",
)
async def count_approvals(ctx: Context) -> ToDecide:
    return ToDecide(await service.count_to_decide(ctx.kernel, ctx.actor))


@op(
    "GET",
    "/api/approvals/{request_id}",
    action=Action.APPROVAL_READ,
    tag="approvals",
    summary="A request: what was asked for, and what changed since / 审批详情",
    problems=(NotFound,),
)
async def get_approval(ctx: Context, request_id: UUID) -> RequestOut:
    found = await service.detail(ctx.kernel, ctx.actor, request_id, at=ctx.received_at)
    request, view = found.request, found._asdict()
    same = {name: getattr(request, name) for name in RequestOut.__struct_fields__ if hasattr(request, name)}
    more = {name: value for name, value in view.items() if name in RequestOut.__struct_fields__}
    own = request.handler_id == ctx.actor.user_id
    return RequestOut(**same, **more, request_id=request.id, own=own)


_STEP: Final[dict[str, Any]] = {"tag": "approvals", "problems": (NotFound, Refused, Conflict)}


@op(
    "POST",
    "/api/approvals/{request_id}/approval",
    action=Action.APPROVAL_DECIDE,
    summary="Approve: the order is placed in the same commit / 批准",
    **_STEP,
)
async def approve_request(ctx: Context, request_id: UUID, body: ApproveIn) -> Ended:
    return await service.approve(ctx.kernel, ctx.by, request_id, body.seen)


@op(
    "POST",
    "/api/approvals/{request_id}/return",
    action=Action.APPROVAL_DECIDE,
    summary="Return with a reason / 退回",
    **_STEP,
)
async def return_request(ctx: Context, request_id: UUID, body: ReturnIn) -> Ended:
    return await service.send_back(ctx.kernel, ctx.by, request_id, body.reason)


@op(
    "POST",
    "/api/approvals/{request_id}/withdrawal",
    action=Action.APPROVAL_WITHDRAW,
    summary="Withdraw what one has asked for / 撤回",
    **_STEP,
)
async def withdraw_request(ctx: Context, request_id: UUID, body: WithdrawIn) -> Ended:  # noqa: ARG001 - an object, as all
    return await service.withdraw(ctx.kernel, ctx.by, request_id)


@op(
    "GET",
    "/api/organisation/approval-limit",
    action=Action.CONTROL_READ,
    tag="approvals",
    summary="From which amount on the own organisation's orders need an approver / 审批起点金额",
    problems=(NotFound,),
)
async def get_control(ctx: Context) -> ControlOut:
    found = await service.control_of(ctx.kernel, ctx.actor, at=ctx.received_at)
    most = service.most_of(ctx.kernel, ctx.actor, ctx.received_at)
    return ControlOut(found.approval_from_fen, most, found.ahead, found.approvers, found.history)


@op(
    "PUT",
    "/api/organisation/approval-limit",
    action=Action.CONTROL_CHANGE,
    tag="approvals",
    summary="Set from which amount on orders need an approver / 设置审批起点金额",
    problems=(Refused, Conflict),
)
async def set_control(ctx: Context, body: ControlIn) -> ControlSet:
    return await service.set_control(
        ctx.kernel,
        ctx.by,
        approval_from_fen=body.approval_from_fen,
        effective_from=body.effective_from,
        note=body.note.strip(),
    )


ROUTES: Final = [
    list_approvals,
    count_approvals,
    get_approval,
    approve_request,
    return_request,
    withdraw_request,
    get_control,
    set_control,
]
