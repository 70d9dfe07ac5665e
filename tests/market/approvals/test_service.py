"""Approvals on a real database: nothing before the second hand, everything with it, and never twice."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta

import pytest

from budget.lines.service import BUDGET
from catalog.offers import service as offers
from catalog.offers.service import OFFER
from catalog.products import service as products
from kernel.access.actors import Role
from kernel.clock import ManualClock
from kernel.commit.by import By
from kernel.journal import queries as journal
from kernel.problems import NotFound, Problem, Refused
from kernel.runtime import Kernel
from market.approvals import service as approvals
from market.approvals.lifecycle import Stage, What
from market.approvals.queries import APPROVAL
from market.approvals.rules import Refusal
from market.approvals.service import Ended, RequestBox, Wanted
from market.orders import service as orders
from market.orders.lifecycle import ApprovedBy
from market.orders.queries import Filter
from market.orders.rules import Refusal as OrderRefusal
from market.orders.rules import Wanted as Line
from market.orders.service import ORDER
from registries.users import service as users
from tests.builders.catalog import some_details
from tests.builders.market_approvals import Desk, a_desk, approve, ask, by, seen_by, set_limit
from tests.builders.market_orders import PRICE_FEN, place, state_of
from tests.builders.registries import OPERATOR, a_user
from tests.conftest import KernelMaker

APPROVERS = 12


@pytest.fixture
async def desk(kernel: Kernel) -> Desk:
    return await a_desk(kernel)


async def reserved(kernel: Kernel, desk: Desk) -> tuple[int, int]:
    """What is reserved of the offer's quota, and of the budget."""
    offer = await state_of(kernel, OFFER.ref(desk.trade.offer_id))
    line = await state_of(kernel, BUDGET.ref(desk.trade.budget_line_id))
    return offer.reserved, line.reserved_fen


async def orders_of(kernel: Kernel, desk: Desk) -> list[orders.OrderRow]:
    page = await orders.list_orders(kernel, desk.trade.supplier, Filter(), cursor=None, limit=200)
    return list(page.items)


async def refusal(act: Awaitable[object]) -> str:
    with pytest.raises(Refused) as refused:
        await act
    return str(refused.value.members["reason"])


async def boxed(kernel: Kernel, desk: Desk, box: RequestBox) -> dict[str, int]:
    """How many requests each of the desk's people sees in a box."""
    people = {"handler": desk.handler, "approver": desk.approver}
    pages = {
        name: await approvals.list_requests(kernel, actor, Wanted(box), cursor=None, limit=200)
        for name, actor in people.items()
    }
    return {name: len(page.items) for name, page in pages.items()}


async def test_an_order_that_reaches_the_limit_waits_and_reserves_nothing(kernel: Kernel, desk: Desk) -> None:
    placed = await place(kernel, desk.trade)

    assert (placed.orders, placed.total_fen) == ((), 0)
    assert [(one.total_fen, one.number[:2]) for one in placed.requests] == [(PRICE_FEN, "SP")]
    assert await reserved(kernel, desk) == (0, 0)
    assert await orders_of(kernel, desk) == []


async def test_of_one_cart_the_small_order_is_placed_and_the_large_one_waits(kernel: Kernel, desk: Desk) -> None:
    await set_limit(kernel, desk, PRICE_FEN + 1)

    placed = await place(kernel, desk.trade, Line(desk.trade.offer_id, 2, PRICE_FEN), desk.trade.rival_line)

    assert [one.total_fen for one in placed.orders] == [PRICE_FEN]
    assert [one.total_fen for one in placed.requests] == [2 * PRICE_FEN]
    assert await reserved(kernel, desk) == (0, PRICE_FEN)


async def test_a_cart_that_is_at_fault_becomes_neither_orders_nor_requests(kernel: Kernel, desk: Desk) -> None:
    await set_limit(kernel, desk, PRICE_FEN + 1)
    large = Line(desk.trade.offer_id, 101, PRICE_FEN)

    assert await refusal(place(kernel, desk.trade, large, desk.trade.rival_line)) == OrderRefusal.QUOTA_SHORT
    assert await boxed(kernel, desk, RequestBox.ALL) == {"handler": 0, "approver": 0}
    assert await reserved(kernel, desk) == (0, 0)


async def test_approving_places_the_order_and_reserves_in_one_commit(kernel: Kernel, desk: Desk) -> None:
    request_id = await ask(kernel, desk)

    done = await approve(kernel, desk.approver, request_id)

    assert done.order_id
    order = await state_of(kernel, ORDER.ref(done.order_id))
    request = await state_of(kernel, APPROVAL.ref(request_id))
    assert (order.terms.total_fen, order.terms.number, done.order_number[:2]) == (PRICE_FEN, done.order_number, "DD")
    assert (request.stage, request.order_id, request.decided_by) == (Stage.APPROVED, done.order_id, desk.approver.name)
    assert await reserved(kernel, desk) == (1, PRICE_FEN)
    assert [row.order_id for row in await orders_of(kernel, desk)] == [done.order_id]


async def test_the_journal_names_both_hands(kernel: Kernel, desk: Desk) -> None:
    request_id = await ask(kernel, desk)
    done = await approve(kernel, desk.approver, request_id)
    async with kernel.db.pool.acquire() as connection:
        asked, approved = await journal.read(connection, str(APPROVAL.ref(request_id)))
        assert done.order_id
        (placed,) = await journal.read(connection, str(ORDER.ref(done.order_id)))

    assert (asked.kind, asked.actor) == ("approval.asked", desk.handler.journal)
    assert (approved.kind, approved.actor) == ("approval.approved", desk.approver.journal)
    assert (placed.actor, placed.at) == (desk.approver.journal, approved.at)


async def test_an_order_says_by_whose_hands_it_was_placed_to_who_may_see_the_request(
    kernel: Kernel, desk: Desk
) -> None:
    request_id = await ask(kernel, desk)
    asked_at = kernel.clock.now()
    assert isinstance(kernel.clock, ManualClock)
    kernel.clock.advance(timedelta(hours=1))
    order_id = (await approve(kernel, desk.approver, request_id)).order_id
    assert order_id
    number = (await state_of(kernel, APPROVAL.ref(request_id))).number

    ours = [await approvals.order_of(kernel, actor, order_id) for actor in (desk.handler, desk.second)]
    theirs = [
        await approvals.order_of(kernel, actor, order_id) for actor in (desk.trade.supplier, desk.trade.supervisor)
    ]

    hands = ApprovedBy(request_id, number, desk.handler.name, asked_at, desk.approver.name, kernel.clock.now())
    assert [one.approval for one in ours] == [hands, hands]
    assert [one.approval for one in theirs] == [None, None]
    with pytest.raises(NotFound):
        await approvals.order_of(kernel, desk.trade.stranger, order_id)


async def test_an_order_that_needed_no_approval_names_none(kernel: Kernel, desk: Desk) -> None:
    await set_limit(kernel, desk, None)
    (placed,) = (await place(kernel, desk.trade)).orders

    assert (await approvals.order_of(kernel, desk.handler, placed.order_id)).approval is None


async def test_nobody_approves_the_own_request_with_whatever_roles(kernel: Kernel, desk: Desk) -> None:
    assert desk.handler.organisation_id
    both = await users.create_user(
        kernel,
        OPERATOR,
        login="both",
        name="双角色",
        password="correct horse battery",
        organisation_id=desk.handler.organisation_id,
        roles=(Role.PURCHASER, Role.APPROVER),
    )
    actor = await users.load_actor(kernel.db, both)
    assert actor
    by_both = By(actor, "192.0.2.1", kernel.clock.now())
    (asked,) = (await approvals.check_out(kernel, by_both, desk.trade.cart())).requests

    assert await refusal(approve(kernel, actor, asked.request_id)) == Refusal.SAME_PERSON
    assert await refusal(approvals.send_back(kernel, by_both, asked.request_id, "不妥")) == Refusal.SAME_PERSON
    assert (await approve(kernel, desk.approver, asked.request_id)).stage is Stage.APPROVED


async def test_a_colleague_without_the_role_does_not_approve(kernel: Kernel, desk: Desk) -> None:
    assert desk.handler.organisation_id
    colleague = await a_user(kernel, "colleague", desk.handler.organisation_id, Role.PURCHASER)
    request_id = await ask(kernel, desk)

    assert await refusal(approve(kernel, colleague, request_id)) == Refusal.NOT_APPROVER
    assert await refusal(approvals.withdraw(kernel, by(kernel, colleague), request_id)) == Refusal.NOT_YOURS


async def test_another_organisation_finds_no_such_request(kernel: Kernel, desk: Desk) -> None:
    stranger = desk.trade.stranger
    assert stranger.organisation_id
    approver = await a_user(kernel, "far-approver", stranger.organisation_id, Role.APPROVER)
    request_id = await ask(kernel, desk)
    asked = by(kernel, approver)

    for act in (
        approvals.approve(kernel, asked, request_id, "0" * 64),
        approvals.send_back(kernel, asked, request_id, "不妥"),
        approvals.withdraw(kernel, asked, request_id),
        approvals.detail(kernel, approver, request_id, at=asked.at),
    ):
        with pytest.raises(NotFound):
            await act
    assert (await state_of(kernel, APPROVAL.ref(request_id))).stage is Stage.PENDING


async def test_of_many_approvers_at_once_one_wins_and_the_others_are_told(kernel: Kernel, desk: Desk) -> None:
    request_id = await ask(kernel, desk)
    seen = await seen_by(kernel, desk.approver, request_id)
    actors = [desk.approver, desk.second] * (APPROVERS // 2)

    answers = await asyncio.gather(
        *(approvals.approve(kernel, by(kernel, actor), request_id, seen) for actor in actors), return_exceptions=True
    )

    refused = [answer for answer in answers if isinstance(answer, Refused)]
    assert len([answer for answer in answers if isinstance(answer, Ended)]) == 1
    assert [one.members["reason"] for one in refused] == [Refusal.NOT_PENDING] * (APPROVERS - 1)
    assert len(await orders_of(kernel, desk)) == 1
    assert await reserved(kernel, desk) == (1, PRICE_FEN)


async def test_approved_returned_and_withdrawn_at_once_it_ends_in_one_way(kernel: Kernel, desk: Desk) -> None:
    request_id = await ask(kernel, desk)
    seen = await seen_by(kernel, desk.approver, request_id)

    answers = await asyncio.gather(
        approvals.approve(kernel, by(kernel, desk.approver), request_id, seen),
        approvals.send_back(kernel, by(kernel, desk.second), request_id, "不妥"),
        approvals.withdraw(kernel, by(kernel, desk.handler), request_id),
        return_exceptions=True,
    )

    (won,) = [answer for answer in answers if isinstance(answer, Ended)]
    assert (await state_of(kernel, APPROVAL.ref(request_id))).stage is won.stage
    assert len(await orders_of(kernel, desk)) == (won.stage is Stage.APPROVED)
    assert all(isinstance(answer, Ended | Problem) for answer in answers)


async def test_a_retry_with_the_same_key_gets_the_same_order(kernel: Kernel, desk: Desk) -> None:
    request_id = await ask(kernel, desk)
    first = await approve(kernel, desk.approver, request_id, "k1")
    seen = "0" * 64

    again = await approvals.approve(kernel, by(kernel, desk.approver, "k1"), request_id, seen)

    assert again == first
    assert len(await orders_of(kernel, desk)) == 1


async def test_a_retried_cart_asks_once(kernel: Kernel, desk: Desk) -> None:
    first = await place(kernel, desk.trade, key="k1")

    assert await place(kernel, desk.trade, key="k1") == first
    assert await boxed(kernel, desk, RequestBox.ALL) == {"handler": 1, "approver": 1}


async def test_a_returned_request_says_why_and_places_nothing(kernel: Kernel, desk: Desk) -> None:
    request_id = await ask(kernel, desk)

    done = await approvals.send_back(kernel, by(kernel, desk.approver), request_id, "请改用第二条预算指标")

    found = await approvals.detail(kernel, desk.handler, request_id, at=kernel.clock.now())
    assert (done.stage, found.request.reason) == (Stage.RETURNED, "请改用第二条预算指标")
    assert [(one.what, one.name) for one in found.timeline] == [
        ("asked", desk.handler.name),
        ("returned", desk.approver.name),
    ]
    assert (found.may_decide, found.may_withdraw) == (False, False)
    assert await orders_of(kernel, desk) == []
    assert await refusal(approve(kernel, desk.second, request_id)) == Refusal.NOT_PENDING


async def test_the_handler_withdraws(kernel: Kernel, desk: Desk) -> None:
    request_id = await ask(kernel, desk)

    assert (await approvals.withdraw(kernel, by(kernel, desk.handler), request_id)).stage is Stage.WITHDRAWN
    assert await refusal(approve(kernel, desk.approver, request_id)) == Refusal.NOT_PENDING


async def test_a_price_that_moved_is_told_and_cannot_be_approved(kernel: Kernel, desk: Desk) -> None:
    request_id = await ask(kernel, desk)
    at = kernel.clock.now()
    await offers.reprice(kernel, by(kernel, desk.trade.supplier), desk.trade.offer_id, PRICE_FEN - 1)
    found = await approvals.detail(kernel, desk.approver, request_id, at=at)

    assert [(one.line, one.what, one.before, one.after) for one in found.differences] == [
        (1, What.PRICE, "5800.00", "5799.99")
    ]
    assert [one.reason for one in found.problems] == [OrderRefusal.PRICE_CHANGED]
    assert await refusal(approve(kernel, desk.approver, request_id)) == OrderRefusal.PRICE_CHANGED
    assert (await state_of(kernel, APPROVAL.ref(request_id))).stage is Stage.PENDING


async def test_a_product_revised_since_is_approved_only_by_who_has_seen_it(kernel: Kernel, desk: Desk) -> None:
    request_id = await ask(kernel, desk)
    before = await seen_by(kernel, desk.approver, request_id)
    product_id = desk.trade.market.product_id
    await products.revise_product(kernel, OPERATOR, product_id, some_details(name="新名称"))

    stale = approvals.approve(kernel, by(kernel, desk.approver), request_id, before)
    assert await refusal(stale) == Refusal.CHANGED
    done = await approve(kernel, desk.approver, request_id)

    assert done.order_id
    (line,) = (await state_of(kernel, ORDER.ref(done.order_id))).terms.lines
    confirmed = (await state_of(kernel, APPROVAL.ref(request_id))).confirmed
    assert line.name == "新名称"
    assert [(one.what, one.after) for one in confirmed if one.what is What.NAME] == [(What.NAME, "新名称")]


async def test_what_has_run_out_meanwhile_cannot_be_approved(kernel: Kernel) -> None:
    desk = await a_desk(kernel, quota=1)
    first, second = await ask(kernel, desk), await ask(kernel, desk)
    await approve(kernel, desk.approver, first)

    assert await refusal(approve(kernel, desk.approver, second)) == OrderRefusal.QUOTA_SHORT
    assert await reserved(kernel, desk) == (1, PRICE_FEN)


async def test_a_limit_that_is_raised_later_leaves_what_was_asked(kernel: Kernel, desk: Desk) -> None:
    request_id = await ask(kernel, desk)
    await set_limit(kernel, desk, None)

    assert len((await place(kernel, desk.trade)).orders) == 1
    assert (await approve(kernel, desk.approver, request_id)).stage is Stage.APPROVED


async def test_a_limit_is_heeded_by_a_process_that_has_not_heard_of_it(
    kernel: Kernel, make_kernel: KernelMaker
) -> None:
    """A cart takes an unknown limit for none: the commit finds out, and it is decided again."""
    desk, other = await a_desk(kernel, approval_from_fen=None), await make_kernel()
    assert len((await place(other, desk.trade)).orders) == 1
    await set_limit(kernel, desk, PRICE_FEN)

    for process in (other, await make_kernel(), other):
        placed = await place(process, desk.trade)
        assert (len(placed.orders), len(placed.requests)) == (0, 1)
    await set_limit(kernel, desk, None)

    assert len((await place(other, desk.trade)).orders) == 1


async def test_approvers_in_two_processes_place_one_order(kernel: Kernel, desk: Desk, make_kernel: KernelMaker) -> None:
    request_id, other = await ask(kernel, desk), await make_kernel()
    seen = await seen_by(kernel, desk.approver, request_id)

    answers = await asyncio.gather(
        *(
            approvals.approve(process, by(process, actor), request_id, seen)
            for process, actor in ((kernel, desk.approver), (other, desk.second)) * (APPROVERS // 2)
        ),
        return_exceptions=True,
    )

    assert len([answer for answer in answers if isinstance(answer, Ended)]) == 1
    assert len([answer for answer in answers if isinstance(answer, Refused)]) == APPROVERS - 1
    assert len(await orders_of(kernel, desk)) == 1
    assert await reserved(kernel, desk) == (1, PRICE_FEN)


async def test_who_sees_which_box(kernel: Kernel, desk: Desk) -> None:
    first = await ask(kernel, desk)
    await ask(kernel, desk)
    await approvals.withdraw(kernel, by(kernel, desk.handler), first)

    assert await boxed(kernel, desk, RequestBox.ALL) == {"handler": 2, "approver": 2}
    assert await boxed(kernel, desk, RequestBox.WAITING) == {"handler": 1, "approver": 1}
    assert await boxed(kernel, desk, RequestBox.MINE) == {"handler": 2, "approver": 0}
    assert await boxed(kernel, desk, RequestBox.TO_DECIDE) == {"handler": 0, "approver": 1}
    assert await approvals.count_to_decide(kernel, desk.approver) == 1
    assert await approvals.count_to_decide(kernel, desk.handler) == 0
    assert await approvals.count_to_decide(kernel, desk.trade.stranger) == 0


async def test_a_list_is_narrowed_and_turned_page_by_page(kernel: Kernel, desk: Desk) -> None:
    made = [await ask(kernel, desk) for _ in range(3)]
    first = await approvals.list_requests(kernel, desk.approver, Wanted(), cursor=None, limit=2)
    rest = await approvals.list_requests(kernel, desk.approver, Wanted(), cursor=first.next, limit=2)
    shown = [*first.items, *rest.items]

    assert [row.request_id for row in shown] == sorted(made, reverse=True)
    assert (shown[0].lines, len(shown[0].products)) == (1, 1)
    for text, found in ((shown[1].number, 1), (desk.handler.name, 3), ("无此供应商", 0)):
        page = await approvals.list_requests(kernel, desk.approver, Wanted(text=text), cursor=None, limit=9)
        assert len(page.items) == found
    approved = Wanted(stage=Stage.APPROVED)
    assert (await approvals.list_requests(kernel, desk.approver, approved, cursor=None, limit=9)).items == ()


async def test_a_preview_says_from_which_amount_an_order_waits(kernel: Kernel, desk: Desk) -> None:
    at = kernel.clock.now()

    assert (await approvals.preview(kernel, desk.handler, desk.trade.cart(), at=at)).approval_from_fen == PRICE_FEN
    assert (await approvals.preview(kernel, desk.trade.stranger, desk.trade.cart(), at=at)).approval_from_fen is None
