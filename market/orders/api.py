"""Direct orders over HTTP: preview, place, look, take steps, export."""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from kernel.access.table import Action
from kernel.clock import BEIJING
from kernel.money import FEN_MAX, format_yuan
from kernel.paging import LIMIT_DEFAULT, Limit, Page
from kernel.problems import Conflict, Forbidden, Invalid, NotFound, Refused
from kernel.web.context import Context
from kernel.web.routes import Download, op
from market.approvals import service as approvals
from market.orders import service
from market.orders.lifecycle import Details, Side, Stage, Step
from market.orders.queries import OrderRow
from market.orders.rules import LINES_MAX, QUANTITY_MAX, Cart, Wanted
from market.orders.service import OrderDetail, PlacedOrders, Preview, Stepped

Quantity = Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]
PriceFen = Annotated[int, Meta(ge=1, le=FEN_MAX)]
RegionCode = Annotated[str, Meta(pattern="^[0-9]{6}$")]
Address = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")]
Contact = Annotated[str, Meta(min_length=1, max_length=50, pattern=r"\S")]
Phone = Annotated[str, Meta(pattern=r"^[0-9+() -]{5,30}$")]
Note = Annotated[str, Meta(max_length=500)]
Reason = Annotated[str, Meta(min_length=2, max_length=500, pattern=r"\S")]
Short = Annotated[str, Meta(max_length=100)]
Text = Annotated[str, Meta(max_length=100)]
Cursor = Annotated[str, Meta(max_length=400)]


class LineIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a cart; ``price_fen`` is the unit price that the purchaser saw."""

    offer_id: UUID
    quantity: Quantity
    price_fen: PriceFen


Lines = Annotated[tuple[LineIn, ...], Meta(min_length=1, max_length=LINES_MAX)]


class PlaceIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A cart to be ordered."""

    budget_line_id: UUID
    region: RegionCode
    address: Address
    contact: Contact
    phone: Phone
    lines: Lines
    note: Note = ""


class PreviewIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A cart to be looked at; what is not chosen yet is left out and not judged."""

    lines: Lines
    budget_line_id: UUID | None = None
    region: RegionCode | None = None
    address: Short = ""
    contact: Short = ""
    phone: Short = ""
    note: Note = ""


class StepIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A step that needs nothing said."""


class OrderReasonIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A step that needs a reason."""

    reason: Reason


class ShipIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the goods travel."""

    carrier: Short = ""
    tracking: Short = ""


class ReceiveIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the examination found."""

    note: Note = ""


def _lines(lines: Iterable[LineIn]) -> tuple[Wanted, ...]:
    return tuple(Wanted(line.offer_id, line.quantity, line.price_fen) for line in lines)


@op(
    "POST",
    "/api/orders/preview",
    action=Action.ORDER_PLACE,
    tag="orders",
    summary="Preview a cart: the split by supplier, and all problems / 下单预览",
    problems=(Forbidden,),
    keyless=True,
)
async def preview_orders(ctx: Context, body: PreviewIn) -> Preview:
    cart = Cart(_lines(body.lines), body.budget_line_id, body.region or "")
    return await approvals.preview(ctx.kernel, ctx.actor, cart, at=ctx.received_at)


@op(
    "POST",
    "/api/orders",
    action=Action.ORDER_PLACE,
    tag="orders",
    summary="Place a cart: per supplier an order, or from the approval limit on a request; all or none / 直接订购",
    status=201,
    problems=(Refused, Conflict, Forbidden),
)
async def place_orders(ctx: Context, body: PlaceIn) -> PlacedOrders:
    cart = Cart(_lines(body.lines), body.budget_line_id, body.region, body.address, body.contact, body.phone, body.note)
    return await approvals.check_out(ctx.kernel, ctx.by, cart)


@op(
    "GET",
    "/api/orders",
    action=Action.ORDER_READ,
    tag="orders",
    summary="List orders, the newest first; q is a part of number, product or party / 订单列表",
    problems=(Invalid,),
)
async def list_orders(
    ctx: Context,
    side: Side | None = None,
    stage: Stage | None = None,
    q: Text = "",
    placed_from: date | None = None,
    placed_to: date | None = None,
    cursor: Cursor | None = None,
    limit: Limit = LIMIT_DEFAULT,
) -> Page[OrderRow]:
    wanted = service.narrowed(side=side, stage=stage, text=q, placed_from=placed_from, placed_to=placed_to)
    return await service.list_orders(ctx.kernel, ctx.actor, wanted, cursor=cursor, limit=limit)


@op(
    "GET",
    "/api/orders/export",
    action=Action.ORDER_READ,
    tag="orders",
    summary="Export order lines as CSV / 导出订单明细",
    problems=(Invalid,),
)
async def export_orders(
    ctx: Context,
    side: Side | None = None,
    stage: Stage | None = None,
    q: Text = "",
    placed_from: date | None = None,
    placed_to: date | None = None,
) -> Download:
    wanted = service.narrowed(side=side, stage=stage, text=q, placed_from=placed_from, placed_to=placed_to)
    rows = await service.export(ctx.kernel, ctx.actor, wanted)
    day = ctx.received_at.astimezone(BEIJING)
    return Download(csv_of(rows), "text/csv; charset=utf-8", f"订单明细-{day:%Y%m%d}.csv")


@op(
    "GET",
    "/api/orders/{order_id}",
    action=Action.ORDER_READ,
    tag="orders",
    summary="Read an order with its timeline / 订单详情",
    problems=(NotFound,),
)
async def get_order(ctx: Context, order_id: UUID) -> OrderDetail:
    return await approvals.order_of(ctx.kernel, ctx.actor, order_id)


async def _step(ctx: Context, order_id: UUID, step: Step, details: Details) -> Stepped:
    return await service.take_step(ctx.kernel, ctx.by, order_id, step, details)


_STEP: Final[dict[str, Any]] = {"tag": "orders", "problems": (NotFound, Refused, Conflict)}


@op("POST", "/api/orders/{order_id}/accept", action=Action.ORDER_FULFIL, summary="Accept an order / 接单", **_STEP)
async def accept_order(ctx: Context, order_id: UUID, body: StepIn) -> Stepped:  # noqa: ARG001 - an object, as all bodies
    return await _step(ctx, order_id, Step.ACCEPT, Details())


@op("POST", "/api/orders/{order_id}/refuse", action=Action.ORDER_FULFIL, summary="Refuse an order / 拒单", **_STEP)
async def refuse_order(ctx: Context, order_id: UUID, body: OrderReasonIn) -> Stepped:
    return await _step(ctx, order_id, Step.REFUSE, Details(reason=body.reason))


@op("POST", "/api/orders/{order_id}/ship", action=Action.ORDER_FULFIL, summary="Ship an order / 发货", **_STEP)
async def ship_order(ctx: Context, order_id: UUID, body: ShipIn) -> Stepped:
    return await _step(ctx, order_id, Step.SHIP, Details(carrier=body.carrier, tracking=body.tracking))


@op("POST", "/api/orders/{order_id}/receive", action=Action.ORDER_RECEIVE, summary="Receive the goods / 验收", **_STEP)
async def receive_order(ctx: Context, order_id: UUID, body: ReceiveIn) -> Stepped:
    return await _step(ctx, order_id, Step.RECEIVE, Details(note=body.note))


@op("POST", "/api/orders/{order_id}/close", action=Action.ORDER_RECEIVE, summary="Close an order / 办结", **_STEP)
async def close_order(ctx: Context, order_id: UUID, body: StepIn) -> Stepped:  # noqa: ARG001 - an object, as all bodies
    return await _step(ctx, order_id, Step.CLOSE, Details())


@op("POST", "/api/orders/{order_id}/cancel", action=Action.ORDER_CANCEL, summary="Cancel an order / 取消", **_STEP)
async def cancel_order(ctx: Context, order_id: UUID, body: OrderReasonIn) -> Stepped:
    return await _step(ctx, order_id, Step.CANCEL, Details(reason=body.reason))


_COLUMNS: Final = {
    "number": "订单编号",
    "stage": "状态",
    "placed_at": "下单时间（北京时间）",
    "purchaser_name": "采购单位",
    "supplier_name": "供应商",
    "budget_line_number": "预算指标",
    "line": "行号",
    "category_code": "品目",
    "name": "商品",
    "brand": "品牌",
    "model": "型号",
    "unit": "单位",
    "quantity": "数量",
    "price_fen": "单价（元）",
    "amount_fen": "金额（元）",
    "agreement_number": "框架协议",
    "total_fen": "订单总额（元）",
    "reason": "拒单或取消原因",
}
_STAGES: Final = {
    Stage.PLACED: "待接单",
    Stage.ACCEPTED: "已接单",
    Stage.REFUSED: "已拒单",
    Stage.CANCELLED: "已取消",
    Stage.SHIPPED: "已发货",
    Stage.RECEIVED: "已验收",
    Stage.CLOSED: "已办结",
}
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # full width: East Asian Excel


def csv_of(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """
    Write order lines for a spreadsheet: UTF-8 with a byte-order mark, amounts in yuan, Beijing time.

    A text that a spreadsheet would take for a formula gets a quote in front (OWASP: CSV injection).
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(_COLUMNS.values())
    for row in rows:
        writer.writerow([_cell(name, row[name]) for name in _COLUMNS])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _cell(name: str, value: Any) -> str:
    if name == "stage":
        return _STAGES[Stage(value)]
    if name == "placed_at":
        return f"{value.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"
    if name.endswith("_fen"):
        return format_yuan(value)
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text


ROUTES = [
    place_orders,
    preview_orders,
    list_orders,
    export_orders,
    get_order,
    accept_order,
    refuse_order,
    ship_order,
    receive_order,
    close_order,
    cancel_order,
]
