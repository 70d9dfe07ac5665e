"""Orders on a real database: all or nothing, never twice, never oversold, seen by those who may."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, timedelta
from uuid import UUID

import msgspec
import pytest

from budget.lines import service as budget_lines
from budget.lines.rules import Account
from budget.lines.service import BUDGET
from catalog.agreements import service as agreements
from catalog.offers import service as offers
from catalog.offers.service import OFFER
from catalog.products import service as products
from kernel.access.actors import Actor
from kernel.commit.by import By
from kernel.journal import queries as journal
from kernel.problems import Conflict, NotFound, Problem, Refused
from kernel.runtime import Kernel
from market.limits.rules import spending_id
from market.limits.service import SPENDING
from market.orders import service
from market.orders.lifecycle import Side, Stage, Step
from market.orders.queries import Filter
from market.orders.rules import Refusal, Wanted
from market.orders.service import ORDER, PlacedOrders
from registries.organisations import service as organisations
from tests.builders.catalog import some_details
from tests.builders.market_orders import (
    PRICE_FEN,
    Trade,
    a_budget_line,
    a_trade,
    an_order_of,
    place,
    state_of,
    step,
)
from tests.builders.registries import OPERATOR

BUYERS = 32
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def trade(kernel: Kernel) -> Trade:
    return await a_trade(kernel)


async def spent(kernel: Kernel, trade: Trade) -> int:
    assert trade.purchaser.organisation_id
    spending = await state_of(kernel, SPENDING.ref(spending_id(trade.purchaser.organisation_id, 2026)))
    return sum(spending.by_category.values())


async def reprice(kernel: Kernel, trade: Trade, price_fen: int) -> None:
    await offers.reprice(kernel, By(trade.supplier, "local", kernel.clock.now()), trade.offer_id, price_fen)


async def all_orders(kernel: Kernel, actor: Actor, wanted: Filter | None = None) -> list[service.OrderRow]:
    page = await service.list_orders(kernel, actor, wanted or Filter(), cursor=None, limit=200)
    return list(page.items)


async def test_a_cart_becomes_one_order_for_each_supplier(kernel: Kernel, trade: Trade) -> None:
    placed = await place(kernel, trade, trade.line, trade.rival_line)

    assert [order.total_fen for order in placed.orders] == [PRICE_FEN, PRICE_FEN]
    assert {order.supplier_id for order in placed.orders} == set(trade.market.suppliers)
    assert placed.total_fen == 2 * PRICE_FEN


async def test_a_placement_reserves_quota_budget_and_the_yearly_sum(kernel: Kernel, trade: Trade) -> None:
    placed = await place(kernel, trade, Wanted(trade.offer_id, 3, PRICE_FEN))

    line = await state_of(kernel, BUDGET.ref(trade.budget_line_id))
    assert (await state_of(kernel, OFFER.ref(trade.offer_id))).reserved == 3
    assert line.reservations == {placed.orders[0].order_id: 3 * PRICE_FEN}
    assert await spent(kernel, trade) == 3 * PRICE_FEN


async def test_nothing_happens_when_one_line_of_two_is_at_fault(kernel: Kernel, trade: Trade) -> None:
    with pytest.raises(Refused) as refused:
        await place(kernel, trade, trade.line, Wanted(trade.rival_offer_id, 101, PRICE_FEN))

    assert (refused.value.members["reason"], refused.value.members["line"]) == (Refusal.QUOTA_SHORT, 2)
    assert (await state_of(kernel, OFFER.ref(trade.offer_id))).reserved == 0
    assert (await state_of(kernel, BUDGET.ref(trade.budget_line_id))).reserved_fen == 0
    assert await all_orders(kernel, trade.purchaser) == []


async def test_a_refusal_names_every_fault(kernel: Kernel, trade: Trade) -> None:
    with pytest.raises(Refused) as refused:
        await place(kernel, trade, Wanted(trade.offer_id, 101, 1), region="330203")

    faults = refused.value.members["faults"]
    assert isinstance(faults, list)
    assert [fault["reason"] for fault in faults if isinstance(fault, dict)] == [
        Refusal.PRICE_CHANGED,
        Refusal.REGION_NOT_SERVED,
        Refusal.QUOTA_SHORT,
        Refusal.ORDER_LIMIT,
    ]


async def test_an_offer_that_does_not_exist_is_named(kernel: Kernel, trade: Trade) -> None:
    with pytest.raises(Refused) as refused:
        await place(kernel, trade, Wanted(UUID(int=1), 1, 1))

    assert refused.value.members["reason"] == Refusal.OFFER_UNKNOWN


async def test_a_price_that_moved_after_it_was_seen_is_refused(kernel: Kernel, trade: Trade) -> None:
    await reprice(kernel, trade, PRICE_FEN - 1)

    with pytest.raises(Refused) as refused:
        await place(kernel, trade)

    assert refused.value.members["expected_fen"] == PRICE_FEN
    assert refused.value.members["price_fen"] == PRICE_FEN - 1


async def test_a_purchaser_who_is_suspended_orders_nothing(kernel: Kernel, trade: Trade) -> None:
    assert trade.purchaser.organisation_id
    await organisations.suspend_organisation(kernel, OPERATOR, trade.purchaser.organisation_id, "整改")

    with pytest.raises(Refused) as refused:
        await place(kernel, trade)

    assert refused.value.members["reason"] == Refusal.PURCHASER_SUSPENDED


async def test_a_supplier_who_is_removed_or_suspended_gets_no_order(kernel: Kernel, trade: Trade) -> None:
    await agreements.remove_supplier(
        kernel, OPERATOR, trade.market.agreement_id, supplier_id=trade.market.suppliers[0], reason="拒不履约"
    )
    await organisations.suspend_organisation(kernel, OPERATOR, trade.market.suppliers[1], "整改")
    reasons = []
    for line in (trade.line, trade.rival_line):
        with pytest.raises(Refused) as refused:
            await place(kernel, trade, line)
        reasons.append(refused.value.members["reason"])

    assert reasons == [Refusal.NOT_ADMITTED, Refusal.SUSPENDED]


async def test_an_order_keeps_what_it_froze_when_product_and_price_change(kernel: Kernel, trade: Trade) -> None:
    order_id = await an_order_of(kernel, trade)
    before = (await state_of(kernel, ORDER.ref(order_id))).terms

    await reprice(kernel, trade, 1_00)
    await products.revise_product(kernel, OPERATOR, trade.market.product_id, some_details(name="另一个名称"))

    assert (await state_of(kernel, ORDER.ref(order_id))).terms == before
    assert before.lines[0].name != "另一个名称"


@pytest.mark.parametrize("ending", [(Step.REFUSE,), (Step.ACCEPT, Step.CANCEL)])
async def test_an_order_that_comes_to_nothing_gives_everything_back(
    kernel: Kernel, trade: Trade, ending: tuple[Step, ...]
) -> None:
    order_id = await an_order_of(kernel, trade)

    for one in ending:
        await step(kernel, trade.supplier, order_id, one)

    line = await state_of(kernel, BUDGET.ref(trade.budget_line_id))
    offer = await state_of(kernel, OFFER.ref(trade.offer_id))
    assert (line.available_fen, line.reserved_fen, line.consumed_fen) == (1_000_000_00, 0, 0)
    assert (offer.reserved, offer.consumed) == (0, 0)
    assert await spent(kernel, trade) == 0


async def test_an_order_that_is_received_uses_up_what_it_held(kernel: Kernel, trade: Trade) -> None:
    order_id = await an_order_of(kernel, trade)

    await step(kernel, trade.supplier, order_id, Step.ACCEPT)
    await step(kernel, trade.supplier, order_id, Step.SHIP, carrier="顺丰", tracking="SF1")
    await step(kernel, trade.purchaser, order_id, Step.RECEIVE, note="完好")
    assert await step(kernel, trade.purchaser, order_id, Step.CLOSE) is Stage.CLOSED

    line = await state_of(kernel, BUDGET.ref(trade.budget_line_id))
    offer = await state_of(kernel, OFFER.ref(trade.offer_id))
    assert (line.reserved_fen, line.consumed_fen, line.reservations) == (0, PRICE_FEN, {})
    assert (offer.reserved, offer.consumed) == (0, 1)
    assert await spent(kernel, trade) == PRICE_FEN


async def test_the_postings_of_a_line_add_up_to_its_accounts(kernel: Kernel, trade: Trade) -> None:
    first, second = await an_order_of(kernel, trade), await an_order_of(kernel, trade)
    await step(kernel, trade.supplier, first, Step.REFUSE)
    for actor, one in ((trade.supplier, Step.ACCEPT), (trade.supplier, Step.SHIP), (trade.purchaser, Step.RECEIVE)):
        await step(kernel, actor, second, one)

    page = await budget_lines.list_postings(kernel, trade.purchaser, trade.budget_line_id, cursor=None, limit=50)
    balances = dict.fromkeys(Account, 0)
    for posting in page.items:
        balances[posting.debit] += posting.amount_fen
        balances[posting.credit] -= posting.amount_fen
    assert balances == {
        Account.APPROPRIATED: -1_000_000_00,
        Account.AVAILABLE: 1_000_000_00 - PRICE_FEN,
        Account.RESERVED: 0,
        Account.CONSUMED: PRICE_FEN,
    }
    assert [posting.order_id for posting in page.items] == [second, first, second, first, None]


async def test_a_step_out_of_turn_is_refused_and_says_where_the_order_stands(kernel: Kernel, trade: Trade) -> None:
    order_id = await an_order_of(kernel, trade)

    with pytest.raises(Refused) as early:
        await step(kernel, trade.supplier, order_id, Step.SHIP)
    with pytest.raises(Refused) as wrong_side:
        await step(kernel, trade.purchaser, order_id, Step.ACCEPT)

    assert (early.value.members["reason"], early.value.members["stage"]) == ("not-at-this-stage", "placed")
    assert wrong_side.value.members["reason"] == "not-your-step"


async def test_two_parties_at_once_end_an_order_once(kernel: Kernel, trade: Trade) -> None:
    order_id = await an_order_of(kernel, trade)

    outcomes = await asyncio.gather(
        step(kernel, trade.supplier, order_id, Step.REFUSE),
        step(kernel, trade.purchaser, order_id, Step.CANCEL),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, Stage) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Refused) for outcome in outcomes) == 1
    assert (await state_of(kernel, BUDGET.ref(trade.budget_line_id))).available_fen == 1_000_000_00


async def test_a_stranger_sees_no_order_and_takes_no_step(kernel: Kernel, trade: Trade) -> None:
    order_id = await an_order_of(kernel, trade)

    for actor in (trade.stranger, trade.rival):
        with pytest.raises(NotFound):
            await service.detail(kernel, actor, order_id)
        with pytest.raises(NotFound):
            await step(kernel, actor, order_id, Step.CANCEL)
        assert await all_orders(kernel, actor) == []


async def test_both_parties_and_the_supervisor_of_the_region_see_an_order(kernel: Kernel, trade: Trade) -> None:
    order_id = await an_order_of(kernel, trade)

    for actor in (trade.purchaser, trade.supplier, trade.supervisor):
        assert (await service.detail(kernel, actor, order_id)).order_id == order_id
        assert [row.order_id for row in await all_orders(kernel, actor)] == [order_id]


async def test_a_supervisor_of_another_region_sees_nothing(kernel: Kernel, trade: Trade) -> None:
    await an_order_of(kernel, trade)
    elsewhere = msgspec.structs.replace(trade.supervisor, region="330200")
    above = msgspec.structs.replace(trade.supervisor, region="330000")

    assert await all_orders(kernel, elsewhere) == []
    assert len(await all_orders(kernel, above)) == 1


async def test_a_detail_tells_who_did_what_when_and_what_can_be_done(kernel: Kernel, trade: Trade) -> None:
    order_id = await an_order_of(kernel, trade)
    placed_at = kernel.clock.now()
    accepted_at = kernel.clock.advance(MINUTE)  # type: ignore[attr-defined]
    await step(kernel, trade.supplier, order_id, Step.ACCEPT)

    seen = await service.detail(kernel, trade.supplier, order_id)

    assert [(moment.what, moment.at, moment.organisation) for moment in seen.timeline] == [
        ("placed", placed_at, trade.purchaser.organisation_name),
        ("accepted", accepted_at, trade.supplier.organisation_name),
    ]
    assert seen.timeline[0].name == trade.purchaser.name
    assert seen.steps == (Step.SHIP, Step.CANCEL)
    assert (await service.detail(kernel, trade.supervisor, order_id)).steps == ()


async def test_orders_are_found_by_number_product_party_stage_side_and_day(kernel: Kernel, trade: Trade) -> None:
    placed = (await place(kernel, trade, trade.line, trade.rival_line)).orders
    await step(kernel, trade.supplier, placed[0].order_id, Step.REFUSE)
    detail = await service.detail(kernel, trade.purchaser, placed[0].order_id)
    product = detail.terms.lines[0].name

    async def found(**changes: object) -> set[UUID]:
        asked = {"side": None, "stage": None, "text": "", "placed_from": None, "placed_to": None, **changes}
        rows = await all_orders(kernel, trade.purchaser, service.narrowed(**asked))  # type: ignore[arg-type]
        return {row.order_id for row in rows}

    both = {order.order_id for order in placed}
    assert await found(text=placed[0].number) == {placed[0].order_id}
    assert await found(text=placed[0].number[-5:].lower()) == {placed[0].order_id}
    assert await found(text=product[:4]) == both
    assert await found(text=placed[1].supplier_name) == {placed[1].order_id}
    assert await found(text="100%_") == set()
    assert await found(stage=Stage.REFUSED) == {placed[0].order_id}
    assert await found(side=Side.SUPPLIER) == set()
    assert await found(placed_from=date(2026, 11, 23), placed_to=date(2026, 11, 23)) == both
    assert await found(placed_from=date(2026, 11, 24)) == set()
    assert await found(placed_to=date(2026, 11, 22)) == set()


async def test_pages_of_orders_show_each_once_newest_first(kernel: Kernel, trade: Trade) -> None:
    made = []
    for _ in range(5):
        made.append(await an_order_of(kernel, trade))
        kernel.clock.advance(MINUTE)  # type: ignore[attr-defined]

    seen: list[UUID] = []
    cursor: str | None = None
    while True:
        page = await service.list_orders(kernel, trade.purchaser, Filter(), cursor=cursor, limit=2)
        seen += [row.order_id for row in page.items]
        cursor = page.next
        if cursor is None:
            break

    assert seen == made[::-1]


async def test_a_preview_splits_and_judges_and_does_nothing(kernel: Kernel, trade: Trade) -> None:
    cart = trade.cart(trade.line, Wanted(trade.rival_offer_id, 101, 1), Wanted(UUID(int=1), 1, 1))

    seen = await service.preview(kernel, trade.purchaser, cart, at=kernel.clock.now())

    assert not seen.ok
    assert [(problem.line, problem.reason) for problem in seen.problems] == [
        (2, "price-changed"),
        (2, "quota-short"),
        (3, "offer-unknown"),
        (None, "order-limit-exceeded"),
    ]
    assert [order.supplier_id for order in seen.orders] == list(trade.market.suppliers)
    assert seen.budget_available_fen == 1_000_000_00
    assert (await state_of(kernel, OFFER.ref(trade.offer_id))).reserved == 0


async def test_a_preview_of_a_good_cart_promises_what_placing_does(kernel: Kernel, trade: Trade) -> None:
    seen = await service.preview(kernel, trade.purchaser, trade.cart(trade.line), at=kernel.clock.now())
    placed = await place(kernel, trade, trade.line)

    assert seen.ok
    assert seen.total_fen == placed.total_fen
    assert seen.limits[0].order_fen == PRICE_FEN


async def test_a_preview_tells_nothing_of_another_organisations_budget(kernel: Kernel, trade: Trade) -> None:
    seen = await service.preview(kernel, trade.stranger, trade.cart(trade.line), at=kernel.clock.now())

    assert seen.budget_available_fen is None
    assert [problem.reason for problem in seen.problems] == ["budget-not-yours"]


# Races

Buy = Callable[[int], Awaitable[PlacedOrders]]


async def race(kernels: Sequence[Kernel], trade: Trade) -> list[PlacedOrders | Problem]:
    """Let 32 buyers order one piece each at the same time, spread over the kernels."""
    buyers = [place(kernels[number % len(kernels)], trade) for number in range(BUYERS)]
    return await asyncio.gather(*buyers, return_exceptions=True)  # type: ignore[return-value]


def the_losers(outcomes: list[PlacedOrders | Problem]) -> list[Refused]:
    losers = [outcome for outcome in outcomes if not isinstance(outcome, PlacedOrders)]
    assert len(losers) == BUYERS - 1, losers
    assert all(isinstance(loser, Refused) for loser in losers), losers
    return losers  # type: ignore[return-value]


@pytest.fixture(params=[1, 2], ids=["one process", "two processes"])
async def kernels(
    request: pytest.FixtureRequest, kernel: Kernel, make_kernel: Callable[..., Awaitable[Kernel]]
) -> list[Kernel]:
    return [kernel, *[await make_kernel() for _ in range(request.param - 1)]]


async def test_of_32_buyers_of_the_last_item_exactly_one_wins(kernels: list[Kernel]) -> None:
    trade = await a_trade(kernels[0], quota=1)

    losers = the_losers(await race(kernels, trade))

    assert {loser.members["reason"] for loser in losers} == {Refusal.QUOTA_SHORT}
    offer = await state_of(kernels[0], OFFER.ref(trade.offer_id))
    assert (offer.reserved, offer.available) == (1, 0)
    assert len(await all_orders(kernels[0], trade.purchaser)) == 1


async def test_of_32_buyers_with_the_last_fen_exactly_one_wins(kernels: list[Kernel]) -> None:
    trade = await a_trade(kernels[0], budget_fen=PRICE_FEN)

    losers = the_losers(await race(kernels, trade))

    assert {loser.members["reason"] for loser in losers} == {Refusal.BUDGET_INSUFFICIENT}
    line = await state_of(kernels[0], BUDGET.ref(trade.budget_line_id))
    assert (line.available_fen, line.reserved_fen) == (0, PRICE_FEN)
    assert len(await all_orders(kernels[0], trade.purchaser)) == 1


async def test_the_yearly_limit_holds_across_budget_lines_and_processes(kernels: list[Kernel]) -> None:
    """4,000,000 yuan a year: 10 orders of 70 pieces (406,000 yuan) are 9 too many by one, whoever places them."""
    kernel = kernels[0]
    trade = await a_trade(kernel, quota=10_000, budget_fen=10_000_000_00)
    assert trade.purchaser.organisation_id
    second = await a_budget_line(
        kernel, trade.purchaser.organisation_id, number="330102-2026-04079", amount_fen=10_000_000_00
    )
    lines = [trade.budget_line_id, second]

    outcomes = await asyncio.gather(
        *(
            place(
                kernels[number % len(kernels)],
                trade,
                Wanted(trade.offer_id, 70, PRICE_FEN),
                budget_line_id=lines[number % 2],
            )
            for number in range(12)
        ),
        return_exceptions=True,
    )

    placed = [outcome for outcome in outcomes if isinstance(outcome, PlacedOrders)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    assert (len(placed), len(refused)) == (9, 3)
    assert {one.members["reason"] for one in refused} == {Refusal.YEAR_LIMIT}
    assert await spent(kernel, trade) == 9 * 70 * PRICE_FEN


async def test_the_same_key_gives_the_same_orders(kernel: Kernel, trade: Trade) -> None:
    first = await place(kernel, trade, key="k1")
    again = await place(kernel, trade, key="k1")

    assert again == first
    assert len(await all_orders(kernel, trade.purchaser)) == 1


async def test_the_same_key_at_the_same_moment_orders_once(kernels: list[Kernel]) -> None:
    trade = await a_trade(kernels[0])

    answers = await asyncio.gather(
        *(place(kernels[number % len(kernels)], trade, key="k1") for number in range(BUYERS))
    )

    assert all(answer == answers[0] for answer in answers)
    assert len(await all_orders(kernels[0], trade.purchaser)) == 1


async def test_the_same_key_for_another_cart_is_a_conflict(kernel: Kernel, trade: Trade) -> None:
    await place(kernel, trade, key="k1", fingerprint=b"one")

    with pytest.raises(Conflict):
        await place(kernel, trade, trade.rival_line, key="k1", fingerprint=b"another")

    assert len(await all_orders(kernel, trade.purchaser)) == 1


async def test_every_state_follows_from_the_journal(kernel: Kernel, trade: Trade) -> None:
    first, second = await an_order_of(kernel, trade), await an_order_of(kernel, trade)
    await step(kernel, trade.supplier, first, Step.REFUSE)
    for actor, one in (
        (trade.supplier, Step.ACCEPT),
        (trade.supplier, Step.SHIP),
        (trade.purchaser, Step.RECEIVE),
    ):
        await step(kernel, actor, second, one)
    assert trade.purchaser.organisation_id
    refs = [
        ORDER.ref(first),
        ORDER.ref(second),
        BUDGET.ref(trade.budget_line_id),
        OFFER.ref(trade.offer_id),
        SPENDING.ref(spending_id(trade.purchaser.organisation_id, 2026)),
    ]

    for ref in refs:
        async with kernel.db.pool.acquire() as connection:
            version, state = (await ref.kind.load(connection, [ref.id]))[ref.id]  # type: ignore[attr-defined]
            entries = await journal.read(connection, str(ref))
        rebuilt = None
        for entry in entries:
            event = msgspec.json.decode(entry.body, type=ref.kind.events)
            rebuilt = ref.kind.evolve(rebuilt, event, entry.at)  # type: ignore[arg-type]
        assert (rebuilt, len(entries)) == (state, version)
