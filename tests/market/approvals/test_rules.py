"""Which orders wait for a second hand, who may decide, what changed since; and the life of a request."""

from itertools import product
from typing import Any
from uuid import UUID

import msgspec
import pytest

from catalog.offers.rules import Offer
from catalog.products.rules import Product
from kernel.access.actors import Actor, Role
from kernel.ids import public_number
from market.approvals.lifecycle import (
    FINAL,
    NEXT,
    Approved,
    Asked,
    Difference,
    IllegalStepError,
    Returned,
    Stage,
    Step,
    What,
    Withdrawn,
    after,
    evolve,
    picture,
)
from market.approvals.rules import (
    STAGE_TEXTS,
    TEXTS,
    Refusal,
    approved_of,
    asked_of,
    cart_of,
    decide_return,
    decide_withdraw,
    differences_of,
    fault_of_approval,
    fault_of_decider,
    parted,
    seen_of,
    words_of,
)
from market.orders.rules import Looked, Placement
from tests.builders.budget import MORNING, OTHER_SCHOOL, SCHOOL
from tests.builders.market_approvals import HANDLER, REQUEST, a_request
from tests.builders.market_orders import (
    HUAGONG,
    LIANCHUANG,
    ORDER_IDS,
    PRINTER_OFFER,
    a_cart,
    a_product,
    a_shop,
    a_terms,
    a_wanted,
    an_offer,
    an_order_line,
    decided,
)

APPROVER = UUID("01900000-0000-7000-8000-0000000000a3")
SEEN = "0" * 64
LAPTOPS, PRINTERS = 9300_00, 1200_00


def an_actor(user_id: UUID | None = APPROVER, organisation_id: UUID = SCHOOL, *roles: Role) -> Actor:
    return Actor(user_id, "approver", "李审批", organisation_id, "学校", "330102", roles or (Role.APPROVER,))


def a_placement() -> Placement:
    cart = a_cart(a_wanted(), a_wanted(offer_id=PRINTER_OFFER, quantity=1, price_fen=PRINTERS))
    decision = decided(cart, a_shop())
    assert isinstance(decision, Placement), decision
    return decision


def waiting(approval_from_fen: int | None) -> list[int]:
    return [terms.total_fen for _, terms in parted(a_placement(), approval_from_fen).waiting]


def test_an_order_of_at_least_the_limit_waits() -> None:
    assert waiting(None) == []
    assert waiting(LAPTOPS + 1) == []
    assert waiting(LAPTOPS) == [LAPTOPS]
    assert waiting(PRINTERS) == [LAPTOPS, PRINTERS]


def test_the_limit_is_for_an_order_and_not_for_the_cart() -> None:
    assert waiting(LAPTOPS + PRINTERS) == []


def test_nothing_is_reserved_for_what_waits_and_all_for_the_others() -> None:
    whole, found = a_placement(), parted(a_placement(), LAPTOPS)
    printer = ORDER_IDS[HUAGONG]

    assert found.waiting == ((ORDER_IDS[LIANCHUANG], dict(whole.orders)[ORDER_IDS[LIANCHUANG]].terms),)
    assert [order_id for order_id, _ in found.placed.orders] == [printer]
    assert [(offer, event.order_id) for offer, event in found.placed.offers] == [(PRINTER_OFFER, printer)]
    assert [(event.order_id, event.amount_fen) for event in found.placed.budget] == [(printer, PRINTERS)]
    assert [event.order_id for event in found.placed.spending] == [printer]


def test_without_a_limit_everything_is_placed() -> None:
    assert parted(a_placement(), None).placed == a_placement()


def test_a_request_keeps_the_order_as_it_would_have_been_under_a_number_of_its_own() -> None:
    terms = a_terms(number=public_number("DD", MORNING, REQUEST))
    asked = asked_of(REQUEST, terms, 5000_00, an_actor(HANDLER, SCHOOL, Role.PURCHASER))

    assert asked.terms.number == public_number("SP", MORNING, REQUEST)
    assert msgspec.structs.replace(asked.terms, number=terms.number) == terms
    assert (asked.handler_id, asked.approval_from_fen) == (HANDLER, 5000_00)


def test_the_cart_of_a_request_asks_for_what_it_froze_at_the_prices_that_were_seen() -> None:
    assert cart_of(a_terms()) == a_cart()


def test_who_asked_does_not_approve_whatever_roles_it_has() -> None:
    both = an_actor(HANDLER, SCHOOL, Role.PURCHASER, Role.APPROVER)

    assert fault_of_decider(a_request(), both) is Refusal.SAME_PERSON
    assert fault_of_decider(a_request(), an_actor(APPROVER, OTHER_SCHOOL)) is Refusal.OTHER_ORGANISATION
    assert fault_of_decider(a_request(), an_actor(APPROVER, SCHOOL, Role.PURCHASER)) is Refusal.NOT_APPROVER
    assert fault_of_decider(a_request(), an_actor()) is None


@pytest.mark.parametrize("stage", sorted(FINAL))
def test_what_is_decided_is_not_decided_again(stage: Stage) -> None:
    request = a_request(stage=stage)

    assert fault_of_decider(request, an_actor()) is Refusal.NOT_PENDING
    assert decide_return(request, an_actor(), "超出用途") is Refusal.NOT_PENDING
    assert decide_withdraw(request, an_actor(HANDLER)) is Refusal.NOT_PENDING


def test_who_approves_must_have_seen_what_is_there_now() -> None:
    assert fault_of_approval(a_request(), an_actor(), seen=SEEN, seen_now=SEEN) is None
    assert fault_of_approval(a_request(), an_actor(), seen=SEEN, seen_now="1" * 64) is Refusal.CHANGED
    assert fault_of_approval(a_request(), an_actor(HANDLER), seen=SEEN, seen_now="1" * 64) is Refusal.SAME_PERSON


def test_an_approver_returns_with_a_reason() -> None:
    assert decide_return(a_request(), an_actor(), "超出用途") == Returned(APPROVER, "李审批", "超出用途")
    assert decide_return(a_request(), an_actor(HANDLER), "超出用途") is Refusal.SAME_PERSON


def test_only_who_asked_withdraws() -> None:
    assert decide_withdraw(a_request(), an_actor(HANDLER, SCHOOL, Role.PURCHASER)) == Withdrawn()
    assert decide_withdraw(a_request(), an_actor(APPROVER, SCHOOL, Role.PURCHASER)) is Refusal.NOT_YOURS
    assert decide_withdraw(a_request(), an_actor(None)) is Refusal.NOT_YOURS


def looked(offer: Offer | None, product: Product | None) -> Looked:
    return Looked(a_wanted(), offer, product, None, None)


def changed(
    *, offer: dict[str, Any] | None = None, goods: dict[str, Any] | None = None
) -> list[tuple[int, What, str, str]]:
    lines = [looked(an_offer(**(offer or {})), a_product(**(goods or {})))]
    return [(one.line, one.what, one.before, one.after) for one in differences_of(a_terms(), lines)]


def test_what_is_as_it_was_asked_for_differs_in_nothing() -> None:
    assert changed() == []


def test_prices_that_moved_are_told_in_yuan() -> None:
    moved = {"revision": 5, "price_fen": 4600_00, "agreement_price_fen": 4640_00}

    assert changed(offer=moved) == [
        (1, What.PRICE, "4650.00", "4600.00"),
        (1, What.AGREEMENT_PRICE, "4650.00", "4640.00"),
    ]


def test_an_offer_that_changed_otherwise_is_told_by_its_version() -> None:
    assert changed(offer={"revision": 5}) == [(1, What.OFFER, "4", "5")]


def test_a_product_that_was_revised_says_what_about_it_is_new() -> None:
    revised = {
        "revision": 4,
        "name": "新名",
        "brand": "新牌",
        "model": "X2",
        "unit": "套",
        "attributes": {"memory_gb": 64},
    }

    assert changed(goods=revised) == [
        (1, What.NAME, "联想 ThinkPad X1 便携式计算机", "新名"),
        (1, What.BRAND, "联想", "新牌"),
        (1, What.MODEL, "X1 2026", "X2"),
        (1, What.UNIT, "台", "套"),
        (1, What.SPECIFICATIONS, "memory_gb: 32", "memory_gb: 64"),
    ]
    assert changed(goods={"revision": 4}) == [(1, What.PRODUCT, "3", "4")]


def test_a_line_is_named_by_its_place_and_what_is_gone_is_the_placements_to_refuse() -> None:
    terms = a_terms(lines=(an_order_line(offer_id=PRINTER_OFFER, product_id=UUID(int=9)), an_order_line()))

    found = differences_of(terms, [looked(None, None), looked(an_offer(revision=5), a_product())])

    assert found == (Difference(2, What.OFFER, "4", "5"),)


def test_what_was_seen_changes_with_every_version_of_offer_and_product() -> None:
    def seen(offer: Offer | None, product: Product | None) -> str:
        return seen_of([looked(offer, product)])

    others = {
        seen(an_offer(), a_product()),
        seen(an_offer(revision=5), a_product()),
        seen(an_offer(), a_product(revision=4)),
        seen(None, a_product()),
        seen(an_offer(), None),
    }

    assert len(others) == 5
    assert seen(an_offer(reserved=9), a_product()) == seen(an_offer(), a_product())


def test_an_approved_request_names_the_order_and_what_was_confirmed() -> None:
    confirmed = (Difference(1, What.PRODUCT, "3", "4"),)
    event = approved_of(an_actor(), a_terms(number="DD1"), UUID(int=5), confirmed)
    request = evolve(a_request(), event, MORNING)

    assert event == Approved(APPROVER, "李审批", UUID(int=5), "DD1", confirmed)
    assert (request.stage, request.order_id, request.order_number, request.confirmed, request.decided_by) == (
        Stage.APPROVED,
        UUID(int=5),
        "DD1",
        confirmed,
        "李审批",
    )


def test_a_request_begins_pending_and_says_how_it_ended() -> None:
    asked = Asked(REQUEST, a_request().terms, 5000_00, HANDLER, "王经办")
    returned = evolve(a_request(), Returned(APPROVER, "李审批", "超出用途"), MORNING)

    assert evolve(None, asked, MORNING) == a_request()
    assert (returned.stage, returned.reason, returned.decided_by) == (Stage.RETURNED, "超出用途", "李审批")
    assert evolve(a_request(), Withdrawn(), MORNING).stage is Stage.WITHDRAWN


def test_every_stage_is_reached_and_every_pair_that_is_not_named_is_refused() -> None:
    assert set(NEXT.values()) | {Stage.PENDING} == set(Stage)
    assert {Stage.APPROVED, Stage.RETURNED, Stage.WITHDRAWN} == FINAL
    for stage, step in product(Stage, Step):
        if (stage, step) not in NEXT:
            with pytest.raises(IllegalStepError, match=f"{step} at {stage}"):
                after(stage, step)


def test_the_picture_names_every_way() -> None:
    drawn = picture()

    assert all(f"{stage} --> {target}: {step}" in drawn for (stage, step), target in NEXT.items())


def test_every_refusal_has_words_in_both_languages() -> None:
    assert set(TEXTS) == set(Refusal)
    assert set(STAGE_TEXTS) == set(Stage)
    zh, en = words_of(Refusal.NOT_PENDING, Stage.APPROVED)
    assert "已批准" in zh
    assert "approved" in en
