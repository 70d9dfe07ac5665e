"""The rules of what the purchaser and the worker do; those of offers are in ``test_rules.py``."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from catalog.agreements.rules import Agreement, Package, Status, Subject
from catalog.products.rules import Status as ProductStatus
from market.auctions.lifecycle import (
    Act,
    Admission,
    AuctionStage,
    Awarded,
    Cause,
    Closed,
    Edited,
    Extended,
    Extension,
    Failed,
    Item,
    MinimumStep,
    Paused,
    Published,
    Resumed,
    Shortfall,
    Started,
    StepFrom,
    Visibility,
    Withdrawn,
    due,
    evolve,
)
from market.auctions.rules import (
    HostRefusal,
    TermsFault,
    check_terms,
    decide_award,
    decide_close,
    decide_edit,
    decide_fail,
    decide_pause,
    decide_publish,
    decide_resume,
    decide_start,
    decide_withdraw,
    frozen_items,
    suppliers_of,
)
from registries.organisations.rules import Status as Good
from tests.builders.catalog import a_product
from tests.builders.market_auctions import (
    HALF_PAST,
    MINUTE,
    NOON,
    PURCHASER,
    SECOND,
    a_draft,
    a_published,
    a_supplier,
    after,
    an_auction,
    an_offer,
    closed,
    offered,
    paused,
    some_terms,
)
from tests.builders.registries import an_organisation

ACTIVE = an_organisation()
MICRO = timedelta(microseconds=1)
DRAIN = 2 * SECOND


# What the purchaser does.


def test_a_draft_can_be_edited_and_a_publication_cannot() -> None:
    terms = some_terms(title="显示器")

    assert decide_edit(a_draft(), terms) == Edited(terms)
    assert decide_edit(a_published(), terms) is HostRefusal.WRONG_STAGE


def test_publication_freezes_who_may_bid_without_the_purchaser() -> None:
    draft = a_draft(invited=(a_supplier(3), PURCHASER, a_supplier(1), a_supplier(2), a_supplier(1)))

    assert decide_publish(draft, ACTIVE, None, NOON) == Published((a_supplier(1), a_supplier(2), a_supplier(3)))


def test_publication_is_refused_in_this_order() -> None:
    few: dict[str, Any] = {"invited": (a_supplier(1), a_supplier(2))}
    suspended = an_organisation(status=Good.SUSPENDED)
    by_agreement: dict[str, Any] = {"admission": Admission.AGREEMENT, "agreement_id": UUID(int=7)}

    assert decide_publish(a_published(**few), ACTIVE, None, NOON + MICRO) is HostRefusal.WRONG_STAGE
    assert decide_publish(a_draft(**few, **by_agreement), ACTIVE, None, NOON + MICRO) is HostRefusal.STARTS_IN_PAST
    assert decide_publish(a_draft(**few, **by_agreement), suspended, None, NOON) is HostRefusal.SUSPENDED
    assert decide_publish(a_draft(**few, **by_agreement), None, None, NOON) is HostRefusal.SUSPENDED
    assert decide_publish(a_draft(**few, **by_agreement), ACTIVE, None, NOON) is HostRefusal.AGREEMENT_INVALID
    assert decide_publish(a_draft(**few), ACTIVE, None, NOON) is HostRefusal.TOO_FEW_ADMITTED


def an_agreement(**changes: Any) -> Agreement:
    agreement = Agreement(
        id=UUID(int=7),
        number="KJ-1",
        title="计算机",
        organiser="",
        subject=Subject.GOODS,
        valid_from=date(2026, 11, 1),
        valid_to=date(2026, 11, 23),
        regions=("330000",),
        packages=(
            Package(1, "", "2022", "A02010105", 1, (a_supplier(1), a_supplier(2))),
            Package(2, "", "2022", "A02010105", 1, (a_supplier(2), a_supplier(3))),
        ),
        removed=(),
        status=Status.CONCLUDED,
        concluded_at=NOON,
    )
    return msgspec.structs.replace(agreement, **changes)


@pytest.mark.parametrize(("package", "suppliers"), [(None, {1, 2, 3}), (1, {1, 2}), (2, {2, 3}), (3, set[int]())])
def test_an_agreement_admits_the_suppliers_of_the_package_or_of_all(package: int | None, suppliers: set[int]) -> None:
    terms = some_terms(admission=Admission.AGREEMENT, agreement_id=UUID(int=7), agreement_package=package)

    found = suppliers_of(terms, an_agreement(), region="330100", at=NOON) or frozenset()

    assert found == {a_supplier(n) for n in suppliers}


@pytest.mark.parametrize(
    ("changes", "region", "days"),
    [({}, "310100", 0), ({}, "330100", 1), ({"status": Status.TERMINATED}, "330100", 0)],
)
def test_an_agreement_that_does_not_hold_here_and_now_admits_nobody(
    changes: dict[str, Any], region: str, days: int
) -> None:
    terms = some_terms(admission=Admission.AGREEMENT, agreement_id=UUID(int=7))

    assert suppliers_of(terms, an_agreement(**changes), region=region, at=NOON + timedelta(days=days)) is None


def test_a_draft_and_an_unstarted_publication_can_be_withdrawn() -> None:
    for auction in (a_draft(), a_published()):
        assert decide_withdraw(auction, "预算调整", NOON - MICRO) == Withdrawn("预算调整")
    withdrawn = evolve(a_published(), Withdrawn("预算调整"), NOON)

    assert (withdrawn.stage, withdrawn.reason, withdrawn.ended_at) == (AuctionStage.FAILED, "预算调整", NOON)
    assert decide_withdraw(a_published(), "预算调整", NOON) is HostRefusal.WRONG_STAGE
    assert decide_withdraw(an_auction(), "预算调整", NOON) is HostRefusal.WRONG_STAGE


def test_a_start_is_fired_when_due_and_twice_is_harmless() -> None:
    assert decide_start(a_published(), NOON - MICRO) == ()
    assert decide_start(a_published(), NOON) == (Started(NOON, HALF_PAST),)
    assert decide_start(an_auction(), NOON) == ()


def test_a_pause_keeps_what_remains_and_a_resumption_restores_it() -> None:
    at = NOON + 10 * MINUTE + MICRO
    auction = an_auction()

    pause = decide_pause(auction, "查询", at)
    assert pause == (Paused("查询", 20 * 60_000),)
    resume = decide_resume(after(auction, pause, at), "", NOON + 60 * MINUTE)

    assert resume == Resumed("", NOON + 80 * MINUTE)
    assert decide_resume(auction, "", at) is HostRefusal.WRONG_STAGE


def test_a_pause_rounds_what_remains_up_to_the_millisecond() -> None:
    assert decide_pause(an_auction(), "查询", HALF_PAST - MICRO) == (Paused("查询", 1),)


def test_a_pause_at_the_close_is_too_late() -> None:
    assert decide_pause(an_auction(), "查询", HALF_PAST) is HostRefusal.CLOSING


def test_a_pause_starts_the_auction_that_the_worker_has_not_started_yet() -> None:
    assert decide_pause(a_published(), "查询", NOON) == (Started(NOON, HALF_PAST), Paused("查询", 30 * 60_000))
    assert decide_pause(a_published(), "查询", NOON - MICRO) is HostRefusal.WRONG_STAGE


# The close.


def test_the_close_waits_for_the_drain_and_twice_is_harmless() -> None:
    auction = offered(an_auction(), *(an_offer(900_000, n) for n in (1, 2, 3)))

    assert decide_close(auction, HALF_PAST + DRAIN - MICRO, DRAIN) == ()
    assert decide_close(auction, HALF_PAST + DRAIN, DRAIN) == (Closed(3),)
    assert decide_close(after(auction, [Closed(3)], HALF_PAST), HALF_PAST + DRAIN, DRAIN) == ()


def test_short_of_bidders_it_is_extended_once() -> None:
    auction = offered(an_auction(), an_offer(900_000, 1), an_offer(900_000, 2))
    at = HALF_PAST + DRAIN

    (extended,) = decide_close(auction, at, DRAIN)
    assert extended == Extended(HALF_PAST + 5 * MINUTE, 2)
    auction = evolve(auction, extended, at)

    assert auction.short_extended
    assert due(auction) == (HALF_PAST + 5 * MINUTE, Act.CLOSE)
    later = HALF_PAST + 5 * MINUTE + DRAIN
    assert decide_close(auction, later, DRAIN) == (Closed(2), Failed(Cause.SHORT, ""))


def test_an_extension_that_would_be_over_before_it_began_is_counted_from_now() -> None:
    for late, closes_at in ((5 * MINUTE - MICRO, HALF_PAST + 5 * MINUTE), (5 * MINUTE, HALF_PAST + 10 * MINUTE)):
        assert decide_close(an_auction(), HALF_PAST + late, DRAIN) == (Extended(closes_at, 0),)


@pytest.mark.parametrize(
    ("bidders", "shortfall", "events"),
    [
        (0, Shortfall.FAIL, (Closed(0), Failed(Cause.NO_OFFER, ""))),
        (0, Shortfall.ACCEPT, (Closed(0), Failed(Cause.NO_OFFER, ""))),
        (2, Shortfall.FAIL, (Closed(2), Failed(Cause.SHORT, ""))),
        (2, Shortfall.ACCEPT, (Closed(2),)),
        (3, Shortfall.FAIL, (Closed(3),)),
    ],
)
def test_without_an_extension_the_terms_say_what_a_shortfall_means(
    bidders: int, shortfall: Shortfall, events: tuple[Any, ...]
) -> None:
    auction = an_auction(short_extension_s=0, shortfall=shortfall)
    auction = offered(auction, *(an_offer(900_000, n) for n in range(1, bidders + 1)))

    assert decide_close(auction, HALF_PAST + DRAIN, DRAIN) == events
    after(auction, events, HALF_PAST + DRAIN)


# The award.


def test_the_award_goes_to_the_first_of_the_ranking() -> None:
    award = decide_award(closed(), ACTIVE, ACTIVE, "最低价")

    assert award == Awarded(a_supplier(2), "供应商2有限公司", 800_000, "最低价")
    awarded = evolve(closed(), award, NOON)
    assert (awarded.stage, awarded.awarded_to) == (AuctionStage.AWARDED, a_supplier(2))


def test_an_award_is_refused_in_this_order() -> None:
    empty = msgspec.structs.replace(an_auction(), stage=AuctionStage.CLOSED)
    party = msgspec.structs.replace(closed(), purchaser_id=a_supplier(3))

    suspended = an_organisation(status=Good.SUSPENDED)

    assert decide_award(an_auction(), suspended, suspended, "") is HostRefusal.WRONG_STAGE
    assert decide_award(empty, suspended, None, "") is HostRefusal.SUSPENDED
    assert decide_award(empty, ACTIVE, None, "") is HostRefusal.NO_OFFERS
    assert decide_award(party, ACTIVE, suspended, "") is HostRefusal.OWN_BIDDER
    assert decide_award(closed(), ACTIVE, suspended, "") is HostRefusal.WINNER_SUSPENDED


def test_a_closed_or_a_paused_auction_can_be_declared_failed_with_a_reason() -> None:
    for auction in (closed(), paused()):
        failed = decide_fail(auction, "价格仍高于市场")
        assert failed == Failed(Cause.PURCHASER, "价格仍高于市场")
        assert evolve(auction, failed, NOON).cause is Cause.PURCHASER
    assert decide_fail(an_auction(), "价格仍高于市场") is HostRefusal.WRONG_STAGE


# Terms.


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, None),
        ({"items": (Item(1, "打印机"),)}, TermsFault.ITEM_UNNAMED),
        ({"items": (Item(1, "", "台"),)}, TermsFault.ITEM_UNNAMED),
        ({"step": MinimumStep()}, TermsFault.STEP_UNCLEAR),
        ({"step": MinimumStep(amount_fen=1, ratio_bp=1)}, TermsFault.STEP_UNCLEAR),
        ({"step": MinimumStep(amount_fen=1_000_000)}, TermsFault.STEP_TOO_LARGE),
        ({"step": MinimumStep(amount_fen=999_999)}, None),
        ({"step": MinimumStep(ratio_bp=100)}, None),
        ({"step_from": StepFrom.BEST, "visibility": Visibility.RANK}, TermsFault.STEP_LEAKS_BEST),
        ({"step_from": StepFrom.BEST, "visibility": Visibility.BEST}, None),
        ({"step_from": StepFrom.OWN, "visibility": Visibility.RANK}, None),
        ({"extension": Extension(0, 180, 1)}, TermsFault.EXTENSION_WITHOUT_WINDOW),
        ({"extension": Extension(180, 0, 1)}, TermsFault.EXTENSION_WITHOUT_WINDOW),
        ({"extension": Extension(0, 0, 0)}, None),
        ({"invited": (a_supplier(1), a_supplier(2), a_supplier(1))}, TermsFault.INVITED_TWICE),
        ({"invited": (a_supplier(1), a_supplier(2))}, TermsFault.INVITED_TOO_FEW),
        ({"invited": (a_supplier(1), a_supplier(2), a_supplier(3))}, None),
        ({"invited": (a_supplier(1), a_supplier(2), PURCHASER)}, TermsFault.OWN_INVITED),
        ({"admission": Admission.AGREEMENT, "invited": ()}, TermsFault.AGREEMENT_MISSING),
        ({"admission": Admission.AGREEMENT, "invited": (), "agreement_id": UUID(int=7)}, None),
    ],
)
def test_terms_have_the_first_fault_that_applies(changes: dict[str, Any], fault: TermsFault | None) -> None:
    assert check_terms(some_terms(**changes), purchaser_id=PURCHASER) is fault


def test_catalogue_products_are_frozen_into_their_items_and_free_text_stays() -> None:
    product = a_product(name="台式计算机", unit="台", brand="甲", model="M1", description="八核", revision=3)
    free = Item(1, "打印机", "台", "A4", product_version=9)

    items = frozen_items([Item(200, "别的名称", product_id=product.id), free], {product.id: product})

    assert items == (
        Item(200, "台式计算机", "台", "甲 M1\n八核", product.id, 3),
        Item(1, "打印机", "台", "A4"),
    )


def test_an_unknown_or_withdrawn_product_is_a_fault() -> None:
    withdrawn = a_product(status=ProductStatus.WITHDRAWN)

    for product in (None, withdrawn):
        items = frozen_items([Item(1, product_id=withdrawn.id)], {withdrawn.id: product})
        assert items is TermsFault.PRODUCT_UNKNOWN
