"""Direct orders: preview and place a cart, take an order's steps, and what can be read of orders."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary

import msgspec

from budget.lines.rules import Line, fiscal_year
from budget.lines.service import BUDGET
from catalog.agreements.rules import Agreement
from catalog.agreements.service import AGREEMENT
from catalog.offers.rules import Offer
from catalog.offers.service import OFFER
from catalog.products import service as products
from catalog.products.rules import Product
from catalog.products.service import PRODUCT
from kernel.access.actors import Actor, Role
from kernel.clock import BEIJING, beijing_day
from kernel.commit.by import By
from kernel.commit.command import Command, Decided, Happened, Key, States
from kernel.db.database import Database
from kernel.ids import uuid7
from kernel.journal import queries as journal
from kernel.journal.streams import StreamRef
from kernel.paging import Page, decode_cursor, page_of
from kernel.problems import Forbidden, Invalid, NotFound, Problem, Refused, Scalar
from kernel.runtime import Kernel
from market.limits.rules import PolicySnapshot, Spending, spending_id
from market.limits.service import SPENDING, table_of
from market.orders import queries
from market.orders.lifecycle import (
    STEP_TEXTS,
    Details,
    Side,
    Stage,
    Step,
    StepRefusal,
    Terms,
    after,
    decide_step,
    fulfilled,
    steps_of,
    undone,
)
from market.orders.queries import ORDER, Filter, OrderDetail, OrderRow, Preview, PreviewProblem
from market.orders.rules import (
    Cart,
    Fault,
    Looked,
    Placement,
    Purchaser,
    Shop,
    decide_placement,
    faults_of,
    preview_orders,
    standings_of,
    texts_of,
)
from registries.organisations.rules import Organisation
from registries.organisations.service import ORGANISATION

__all__ = [
    "ORDER",
    "SPENDING",
    "AskedOrder",
    "Gate",
    "OrderDetail",
    "OrderRow",
    "Passed",
    "PlacedOrders",
    "Preview",
    "PreviewProblem",
    "Stepped",
    "detail",
    "export",
    "list_orders",
    "place",
    "preview",
    "shop_of",
    "take_step",
]

EXPORT_LINES_MAX: Final = 20_000
FACTS_MAX: Final = 200_000
"""Offers whose immutable facts one process remembers (about 1 kB each)."""

EFFECTIVE: Final = frozenset({Step.REFUSE, Step.CANCEL, Step.RECEIVE})
"""Steps that move quota and money; the others touch the order alone."""


class PlacedOrder(msgspec.Struct, frozen=True, gc=False):
    """One of the orders that a cart became."""

    order_id: UUID
    number: str
    supplier_id: UUID
    supplier_name: str
    total_fen: int


class AskedOrder(msgspec.Struct, frozen=True, gc=False):
    """An order of a cart that was not placed: it waits for a second hand."""

    request_id: UUID
    number: str
    supplier_id: UUID
    supplier_name: str
    total_fen: int


class PlacedOrders(msgspec.Struct, frozen=True, gc=False):
    """What a cart became: one order, or one request for approval, per supplier; ``total_fen`` is that of the orders."""

    orders: tuple[PlacedOrder, ...]
    total_fen: int
    requests: tuple[AskedOrder, ...] = ()


_Placing = Decided[PlacedOrders] | Problem  # named, for it would be made anew with each cart's function


class Passed(msgspec.Struct, frozen=True, gc=False):
    """What a gate lets through of a placement, what waits instead, and what else happens in the same commit."""

    placement: Placement
    requests: tuple[AskedOrder, ...] = ()
    events: tuple[Happened, ...] = ()


class Gate(msgspec.Struct, frozen=True, gc=False):
    """
    What a cart has to pass on its way to orders, decided in the command that places them.

    ``streams`` are those that it looks at or writes to, ``creates`` and ``supposes`` as in a command. ``admit`` may say
    no before the cart is judged, ``pass_`` says what is placed of a cart that is in order.
    """

    streams: Sequence[StreamRef[Any, Any]]
    creates: Sequence[StreamRef[Any, Any]]
    supposes: Sequence[StreamRef[Any, Any]]
    admit: Callable[[States, Shop], Problem | None]
    pass_: Callable[[States, Shop, Placement], Passed]


class Stepped(msgspec.Struct, frozen=True, gc=False):
    """Where an order stands after a step."""

    order_id: UUID
    stage: Stage


class _Facts(msgspec.Struct, frozen=True, gc=False):
    """What never changes about an offer: its stream, and those of what it offers, of its agreement, of its supplier."""

    offer: StreamRef[Offer, Any]
    product: StreamRef[Product, Any]
    agreement: StreamRef[Agreement, Any]
    supplier: StreamRef[Organisation, Any]


# One dictionary a database: a process that serves two (a test) must not mix them up. Only what never changes
# is remembered; price, quota and shelf are read from the streams when the command is decided.
_FACTS: Final[WeakKeyDictionary[Database, dict[UUID, _Facts]]] = WeakKeyDictionary()


async def _facts_of(db: Database, cart: Cart) -> list[_Facts | None]:
    """Find product, agreement and supplier of each line; one statement for offers not seen before, else none."""
    known = _FACTS.setdefault(db, {})
    found = [known.get(wanted.offer_id) for wanted in cart.lines]
    if None not in found:
        return found
    missing = {wanted.offer_id for wanted, facts in zip(cart.lines, found, strict=True) if facts is None}
    async with db.pool.acquire() as connection:
        loaded = await OFFER.load(connection, list(missing))
    if len(known) > FACTS_MAX:
        known.clear()
    for offer_id, (_, offer) in loaded.items():
        known[offer_id] = _Facts(
            OFFER.ref(offer_id),
            PRODUCT.ref(offer.product_id),
            AGREEMENT.ref(offer.agreement_id),
            ORGANISATION.ref(offer.supplier_id),
        )
    return [known.get(wanted.offer_id) for wanted in cart.lines]


class _Refs(msgspec.Struct, frozen=True, gc=False):
    """The streams that a cart looks at; ``facts`` are those behind each of its lines."""

    facts: Sequence[_Facts | None]
    purchaser: StreamRef[Organisation, Any]
    line: StreamRef[Line, Any] | None
    spending: StreamRef[Spending, Any]

    def all(self) -> list[StreamRef[Any, Any]]:
        """List every one of them, those that several lines share once."""
        found: dict[StreamRef[Any, Any], None] = {self.purchaser: None, self.spending: None}
        if self.line:
            found[self.line] = None
        for one in self.facts:
            if one:
                found[one.offer] = found[one.product] = found[one.agreement] = found[one.supplier] = None
        return list(found)


def _refs(cart: Cart, purchaser: Purchaser, facts: Sequence[_Facts | None], at: datetime) -> _Refs:
    own, spending = _own(purchaser.organisation_id, fiscal_year(at))
    return _Refs(facts, own, BUDGET.ref(cart.budget_line_id) if cart.budget_line_id else None, spending)


@lru_cache(maxsize=10_000)
def _own(organisation_id: UUID, year: int) -> tuple[StreamRef[Organisation, Any], StreamRef[Spending, Any]]:
    """Point at a purchaser, and at what it has ordered in a year."""
    return ORGANISATION.ref(organisation_id), SPENDING.ref(spending_id(organisation_id, year))


def _shop(cart: Cart, refs: _Refs, states: States, policy: PolicySnapshot | None) -> Shop:
    get = states.get
    return Shop(
        [
            Looked(wanted, get(facts.offer), get(facts.product), get(facts.agreement), get(facts.supplier))
            if facts
            else Looked(wanted, None, None, None, None)
            for wanted, facts in zip(cart.lines, refs.facts, strict=True)
        ],
        get(refs.purchaser),
        get(refs.line) if refs.line else None,
        get(refs.spending),
        policy,
    )


def _purchaser(actor: Actor) -> Purchaser:
    if actor.organisation_id is None:
        raise Forbidden("只有采购单位可以下单。", "Only a purchaser's organisation can order.")
    return Purchaser(actor.organisation_id, actor.organisation_name, actor.region)


def _policy(kernel: Kernel, purchaser: Purchaser, at: datetime) -> PolicySnapshot | None:
    return table_of(kernel.settings).on(beijing_day(at), purchaser.region)


def _refused(faults: Sequence[Fault]) -> Refused:
    """Put the first fault into words and name all of them."""
    zh, en = texts_of(faults[0])
    first, named = faults[0], [_named(fault) for fault in faults]
    return Refused(zh, en, reason=str(first.refusal), line=first.line, faults=named, **_members(first))


def _members(fault: Fault) -> dict[str, Any]:
    return {name: value for name, value in fault.members.items() if name not in {"reason", "line", "faults"}}


def _named(fault: Fault) -> dict[str, Scalar]:
    zh, en = texts_of(fault)
    return {**fault.members, "line": fault.line, "reason": str(fault.refusal), "detail_zh": zh, "detail_en": en}


async def place(
    kernel: Kernel,
    actor: Actor,
    cart: Cart,
    *,
    origin: str,
    at: datetime,
    key: Key | None,
    gate_of: Callable[[Sequence[UUID]], Gate],
) -> PlacedOrders:
    """
    Place a cart: one order per supplier, all of them or none; ``gate_of`` the ids that they would have is passed first.

    Quota, budget and the yearly sum are reserved in the same commit, so that whoever comes a moment later
    sees them gone. A retry with the same key gets the answer of the first time.

    Raises:
        Refused: with ``reason``, ``line`` and all ``faults``; nothing was done.
        Conflict: the key was used for another cart.
    """
    purchaser = _purchaser(actor)
    facts = await _facts_of(kernel.db, cart)
    refs = _refs(cart, purchaser, facts, at)
    order_ids = [uuid7(at) for _ in {one.supplier for one in facts if one}]
    orders = {order_id: ORDER.new(order_id) for order_id in order_ids}
    policy = _policy(kernel, purchaser, at)
    gate = gate_of(order_ids)

    def decide(states: States) -> _Placing:
        shop = _shop(cart, refs, states, policy)
        if problem := gate.admit(states, shop):
            return problem
        decision = decide_placement(purchaser, cart, shop, order_ids, at=at)
        if isinstance(decision, list):
            return _refused(decision)
        passed = gate.pass_(states, shop, decision)
        answer = tuple(_placed(order_id, event.terms) for order_id, event in passed.placement.orders)
        return Decided(
            PlacedOrders(answer, sum(order.total_fen for order in answer), passed.requests),
            [*_events(refs, orders, passed.placement), *passed.events],
        )

    streams, created = (*orders.values(), *refs.all(), *gate.streams), (*orders.values(), *gate.creates)
    return await kernel.committer.submit(
        Command(streams, decide, actor.journal, origin, at, key, PlacedOrders, created, gate.supposes)
    )


def _placed(order_id: UUID, terms: Terms) -> PlacedOrder:
    return PlacedOrder(order_id, terms.number, terms.supplier_id, terms.supplier_name, terms.total_fen)


def _events(refs: _Refs, orders: Mapping[UUID, StreamRef[Any, Any]], placement: Placement) -> list[Happened]:
    line = refs.line
    assert line is not None
    return [
        *[Happened(orders[order_id], event) for order_id, event in placement.orders],
        *[Happened(OFFER.ref(offer_id), event) for offer_id, event in placement.offers],
        *[Happened(line, event) for event in placement.budget],
        *[Happened(refs.spending, event) for event in placement.spending],
    ]


async def shop_of(kernel: Kernel, actor: Actor, cart: Cart, *, at: datetime) -> Shop:
    """Read all that placing a cart would look at, as it stands."""
    purchaser = _purchaser(actor)
    refs = _refs(cart, purchaser, await _facts_of(kernel.db, cart), at)
    return _shop(cart, refs, await queries.states(kernel.db, refs.all()), _policy(kernel, purchaser, at))


async def preview(kernel: Kernel, actor: Actor, cart: Cart, *, at: datetime) -> Preview:
    """Show what placing the cart would do, and every problem of every line at once; nothing happens."""
    purchaser = _purchaser(actor)
    shop = await shop_of(kernel, actor, cart, at=at)
    standings = standings_of(shop)
    problems = tuple(
        PreviewProblem(fault.line, str(fault.refusal), *texts_of(fault), fault.members)
        for fault in faults_of(purchaser, cart, shop, standings, at)
    )
    orders = preview_orders(shop)
    own = shop.line is not None and shop.line.organisation_id == purchaser.organisation_id
    return Preview(
        orders=orders,
        total_fen=sum(order.total_fen for order in orders),
        budget_available_fen=shop.line.available_fen if own and shop.line else None,
        limits=standings if isinstance(standings, tuple) else (),
        problems=problems,
        ok=not problems,
    )


def _absent() -> NotFound:
    return NotFound("未找到该订单。", "There is no such order, or it is not yours to see.")


def _side_of(actor: Actor, terms: Terms) -> Side | None:
    if actor.organisation_id is None:
        return None
    if actor.organisation_id == terms.purchaser_id and actor.has(Role.PURCHASER):
        return Side.PURCHASER
    if actor.organisation_id == terms.supplier_id and actor.has(Role.SUPPLIER):
        return Side.SUPPLIER
    return None


async def take_step(kernel: Kernel, by: By, order_id: UUID, step: Step, details: Details) -> Stepped:
    """
    Take a step of an order as one of its parties.

    Refusing and cancelling give quota, budget and the yearly sum back in the same commit; receiving uses
    quota and budget up.

    Raises:
        NotFound: there is no such order, or the actor is no party to it.
        Refused: not at this stage, or not this side's step.
    """
    ref = ORDER.ref(order_id)
    async with kernel.db.pool.acquire() as connection:
        known = (await ORDER.load(connection, [order_id])).get(order_id)
    side = _side_of(by.actor, known.state.terms) if known else None
    if known is None or side is None:
        raise _absent()
    terms = known.state.terms  # frozen: no later event changes them
    offers = {line.offer_id: OFFER.ref(line.offer_id) for line in terms.lines}
    line = BUDGET.ref(terms.budget_line_id)
    spending = SPENDING.ref(spending_id(terms.purchaser_id, terms.year))

    def decide(states: States) -> Decided[Stepped] | Problem:
        order = states.get(ref)
        assert order is not None
        decision = decide_step(order.stage, step, side, details)
        if isinstance(decision, StepRefusal):
            zh, en = (text.format(stage=order.stage) for text in STEP_TEXTS[decision])
            return Refused(zh, en, reason=str(decision), stage=str(order.stage))
        return Decided(Stepped(order_id, after(order.stage, step)), [Happened(ref, decision), *effects(states)])

    def effects(states: States) -> list[Happened]:
        if step not in EFFECTIVE:
            return []
        budget_line = states.get(line)
        assert budget_line is not None
        held = {offer_id: states.get(offer) for offer_id, offer in offers.items()}
        if step is Step.RECEIVE:
            used = fulfilled(order_id, terms, held, budget_line)
            moved = [Happened(offers[offer_id], event) for offer_id, event in used.offers]
            return [*moved, Happened(line, used.budget)]
        back = undone(order_id, terms, held, budget_line)
        moved = [Happened(offers[offer_id], event) for offer_id, event in back.offers]
        return [*moved, Happened(line, back.budget), Happened(spending, back.spending)]

    touched: list[StreamRef[Any, Any]] = [*offers.values(), line, spending] if step in EFFECTIVE else []
    streams: list[StreamRef[Any, Any]] = [ref, *touched]
    return await kernel.committer.submit(by.command(streams, decide, Stepped))


def narrowed(
    *, side: Side | None, stage: Stage | None, text: str, placed_from: date | None, placed_to: date | None
) -> Filter:
    """Make a filter; days are Beijing days, both included."""
    return Filter(
        side=side,
        stage=stage,
        text=text.strip(),
        placed_from=_midnight(placed_from) if placed_from else None,
        placed_to=_midnight(placed_to + timedelta(days=1)) if placed_to else None,
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), BEIJING)


async def list_orders(
    kernel: Kernel, actor: Actor, wanted: Filter, *, cursor: str | None, limit: int
) -> Page[OrderRow]:
    """Read the orders that the actor may see, the newest first."""
    last = decode_cursor(cursor, (UUID,))[0] if cursor else None
    async with kernel.db.read() as tx:
        rows = await queries.page(tx, actor, wanted, after=last, limit=limit + 1)
    return page_of(rows, limit, lambda row: row, lambda row: (row.order_id,))


async def export(kernel: Kernel, actor: Actor, wanted: Filter) -> list[dict[str, Any]]:
    """
    Read the lines of all orders that match, the newest order first.

    Raises:
        Invalid: there are more than ``EXPORT_LINES_MAX``; nothing is left out silently.
    """
    async with kernel.db.read() as tx:
        rows = await queries.export(tx, actor, wanted, limit=EXPORT_LINES_MAX + 1)
    if len(rows) > EXPORT_LINES_MAX:
        raise Invalid(
            f"符合条件的订单明细超过 {EXPORT_LINES_MAX} 行，请缩小日期范围。",
            f"More than {EXPORT_LINES_MAX} lines match; narrow the dates.",
            field="placed_from",
        )
    return rows


async def detail(kernel: Kernel, actor: Actor, order_id: UUID) -> OrderDetail:
    """
    Read an order with its timeline.

    Raises:
        NotFound: there is no such order, or it is not the actor's to see.
    """
    async with kernel.db.read() as tx:
        if not await queries.seen(tx, actor, order_id):
            raise _absent()
    async with kernel.db.pool.acquire() as connection:
        version, order = (await ORDER.load(connection, [order_id]))[order_id]
        entries = await journal.read(connection, str(ORDER.ref(order_id)))
    async with kernel.db.read() as tx:
        moments = await queries.timeline(tx, entries)
    side = _side_of(actor, order.terms)
    frozen = [(line.product_id, line.product_revision) for line in order.terms.lines]
    return OrderDetail(
        order_id=order_id,
        version=version,
        stage=order.stage,
        placed_at=order.placed_at,
        changed_at=order.changed_at,
        reason=order.reason,
        ended_by=order.ended_by,
        carrier=order.carrier,
        tracking=order.tracking,
        terms=order.terms,
        steps=steps_of(order.stage, side) if side else (),
        timeline=moments,
        pictures=await products.first_pictures(kernel, frozen),
        receipt_version=max((entry.version for entry in entries if entry.actor == actor.journal), default=None),
    )
