from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from catalog.agreements.rules import Status as AgreementStatus
from catalog.offers.rules import (
    TEXTS,
    Consumed,
    Listed,
    Offer,
    QuotaSet,
    Refusal,
    RegionsSet,
    Released,
    Repriced,
    Reserved,
    Shelved,
    Unshelved,
    decide_consume,
    decide_list,
    decide_quota,
    decide_regions,
    decide_release,
    decide_reprice,
    decide_shelve,
    decide_unshelve,
    delivers_to,
    evolve,
    offer_id_of,
)
from catalog.products.rules import Status as ProductStatus
from kernel.money import FEN_MAX
from registries.organisations.rules import Status as OrganisationStatus
from tests.builders.catalog import AT, OTHER, SUPPLIER, a_package, a_product, an_agreement, an_offer
from tests.builders.registries import an_organisation

ORDER = UUID(int=77)
PRICE = an_offer().price_fen


def a_listing(**changes: Any) -> Listed:
    names = [field.name for field in msgspec.structs.fields(Listed)]
    return msgspec.structs.replace(Listed(**{name: getattr(an_offer(), name) for name in names}), **changes)


def listing(offer: Offer | None = None, listed: Listed | None = None, **around: Any) -> Listed | Refusal:
    around = {
        "product": a_product(),
        "agreement": an_agreement(),
        "supplier": an_organisation(id=SUPPLIER),
        **around,
    }
    return decide_list(offer, listed or a_listing(), **around)


def test_an_admitted_supplier_lists_a_product_of_the_package() -> None:
    assert listing() == a_listing()
    offer = evolve(None, a_listing(), AT)
    assert offer == an_offer(reserved=0, consumed=0)
    assert listing(offer) is Refusal.EXISTS


@pytest.mark.parametrize(
    ("around", "refusal"),
    [
        ({"product": None}, Refusal.PRODUCT_UNKNOWN),
        ({"product": a_product(status=ProductStatus.WITHDRAWN)}, Refusal.PRODUCT_UNKNOWN),
        ({"agreement": None}, Refusal.PACKAGE_UNKNOWN),
        ({"agreement": an_agreement(packages=(a_package(number=2),))}, Refusal.PACKAGE_UNKNOWN),
        ({"agreement": an_agreement(status=AgreementStatus.TERMINATED)}, Refusal.PACKAGE_UNKNOWN),
        ({"agreement": an_agreement(packages=(a_package(suppliers=(OTHER,)),))}, Refusal.NOT_ADMITTED),
        ({"supplier": an_organisation(status=OrganisationStatus.SUSPENDED)}, Refusal.NOT_ADMITTED),
        ({"supplier": None}, Refusal.NOT_ADMITTED),
        ({"product": a_product(category_code="A05010201")}, Refusal.CATEGORY_OUTSIDE),
        ({"product": a_product(edition="2013")}, Refusal.CATEGORY_OUTSIDE),
    ],
)
def test_who_may_not_list_what(around: dict[str, Any], refusal: Refusal) -> None:
    assert listing(**around) is refusal


def test_a_package_covers_the_categories_below_its_own() -> None:
    assert listing(agreement=an_agreement(packages=(a_package(category_code="A02010000"),))) == a_listing()


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"price_fen": 0}, Refusal.PRICE_OUT_OF_RANGE),
        ({"price_fen": FEN_MAX + 1}, Refusal.PRICE_OUT_OF_RANGE),
        ({"agreement_price_fen": 0}, Refusal.PRICE_OUT_OF_RANGE),
        ({"agreement_price_fen": 8_000_01}, Refusal.ABOVE_PACKAGE_LIMIT),
        ({"agreement_price_fen": 8_000_00}, None),
        ({"price_fen": 6_000_01}, Refusal.ABOVE_AGREEMENT_PRICE),
        ({"price_fen": 6_000_00}, None),
        ({"regions": ()}, Refusal.REGION_UNKNOWN),
        ({"regions": ("330103",)}, Refusal.REGION_UNKNOWN),
        ({"regions": ("110000",)}, Refusal.REGION_UNKNOWN),
    ],
)
def test_the_terms_of_a_listing(changes: dict[str, Any], refusal: Refusal | None) -> None:
    listed = a_listing(**changes)
    assert listing(listed=listed) == (refusal or listed)


@pytest.mark.parametrize(
    ("offer", "price_fen", "expected"),
    [
        (None, 1, Refusal.UNKNOWN),
        (an_offer(supplier_id=OTHER), 1, Refusal.NOT_YOURS),
        (an_offer(), 0, Refusal.PRICE_OUT_OF_RANGE),
        (an_offer(), 1, Repriced(1)),
        (an_offer(), 6_000_00, Repriced(6_000_00)),
        (an_offer(), 6_000_01, Refusal.ABOVE_AGREEMENT_PRICE),
        (an_offer(), PRICE, Refusal.NOTHING_CHANGES),
    ],
)
def test_a_price_never_passes_the_agreement_price(
    offer: Offer | None, price_fen: int, expected: Repriced | Refusal
) -> None:
    assert decide_reprice(offer, supplier_id=SUPPLIER, price_fen=price_fen) == expected


@pytest.mark.parametrize(
    ("offer", "quota", "expected"),
    [
        (None, 1, Refusal.UNKNOWN),
        (an_offer(supplier_id=OTHER), 20, Refusal.NOT_YOURS),
        (an_offer(), 4, Refusal.QUOTA_BELOW_USED),
        (an_offer(), 5, QuotaSet(5)),
        (an_offer(), 10, Refusal.NOTHING_CHANGES),
    ],
)
def test_a_quota_never_falls_below_what_is_used(offer: Offer | None, quota: int, expected: QuotaSet | Refusal) -> None:
    assert decide_quota(offer, supplier_id=SUPPLIER, quota=quota) == expected


@pytest.mark.parametrize(
    ("offer", "regions", "expected"),
    [
        (None, ("330000",), Refusal.UNKNOWN),
        (an_offer(supplier_id=OTHER), ("330000",), Refusal.NOT_YOURS),
        (an_offer(), (), Refusal.REGION_UNKNOWN),
        (an_offer(), ("330100",), Refusal.NOTHING_CHANGES),
        (an_offer(), ("330000",), RegionsSet(("330000",))),
    ],
)
def test_where_a_supplier_delivers_to(
    offer: Offer | None, regions: tuple[str, ...], expected: RegionsSet | Refusal
) -> None:
    assert decide_regions(offer, supplier_id=SUPPLIER, regions=regions) == expected


def test_on_and_off_the_shelf() -> None:
    on, off = an_offer(), an_offer(on_shelf=False)
    assert decide_unshelve(on, supplier_id=SUPPLIER, reason="缺货") == Unshelved("缺货")
    assert decide_unshelve(off, supplier_id=SUPPLIER, reason="x") is Refusal.NOTHING_CHANGES
    assert decide_unshelve(None, supplier_id=SUPPLIER, reason="x") is Refusal.UNKNOWN
    assert decide_unshelve(on, supplier_id=None, reason="x") is Refusal.NOT_YOURS
    assert decide_shelve(off, supplier_id=SUPPLIER) == Shelved()
    assert decide_shelve(on, supplier_id=SUPPLIER) is Refusal.NOTHING_CHANGES
    assert decide_shelve(None, supplier_id=SUPPLIER) is Refusal.UNKNOWN
    assert decide_shelve(off, supplier_id=OTHER) is Refusal.NOT_YOURS


@pytest.mark.parametrize(
    ("decide", "event"), [(decide_release, Released(2, ORDER)), (decide_consume, Consumed(2, ORDER))]
)
def test_no_more_is_freed_or_used_than_is_reserved(decide: Any, event: Any) -> None:
    assert decide(an_offer(), quantity=2, order_id=ORDER) == event
    assert decide(an_offer(), quantity=3, order_id=ORDER) is Refusal.NOT_RESERVED
    assert decide(None, quantity=1, order_id=ORDER) is Refusal.UNKNOWN


def test_a_revision_is_what_a_purchaser_sees_change() -> None:
    seen = [Repriced(1), RegionsSet(("330000",)), Unshelved("x"), Shelved()]
    unseen = [QuotaSet(99), Reserved(1, ORDER), Released(1, ORDER), Consumed(1, ORDER)]
    assert [evolve(an_offer(), event, AT).revision for event in seen] == [2, 2, 2, 2]
    assert [evolve(an_offer(), event, AT).revision for event in unseen] == [1, 1, 1, 1]


def test_where_an_offer_is_delivered_to() -> None:
    assert delivers_to(an_offer(), "330102")
    assert not delivers_to(an_offer(), "330203")


def test_an_offer_has_one_stream() -> None:
    ids = {offer_id_of(UUID(int=a), UUID(int=b), UUID(int=c)) for a in (1, 2) for b in (1, 2) for c in (1, 2)}
    assert len(ids) == 8


def test_every_refusal_has_its_texts() -> None:
    assert set(TEXTS) == set(Refusal)


class Selling(RuleBasedStateMachine):
    """An offer against a naive count: whatever is asked, nothing is oversold and no price passes the agreement's."""

    def __init__(self) -> None:
        super().__init__()
        self.offer = an_offer(reserved=0, consumed=0)
        self.reserved = self.consumed = 0

    def apply(self, decision: Any) -> bool:
        if isinstance(decision, Refusal):
            return False
        self.offer = evolve(self.offer, decision, AT)
        return True

    @rule(quantity=st.integers(1, 8))
    def reserve(self, quantity: int) -> None:
        if quantity <= self.offer.available:  # what an order asks, in market.orders.rules
            self.apply(Reserved(quantity, ORDER))
            self.reserved += quantity

    @rule(quantity=st.integers(1, 8))
    def release(self, quantity: int) -> None:
        done = self.apply(decide_release(self.offer, quantity=quantity, order_id=ORDER))
        assert done is (quantity <= self.reserved)
        self.reserved -= quantity if done else 0

    @rule(quantity=st.integers(1, 8))
    def consume(self, quantity: int) -> None:
        if self.apply(decide_consume(self.offer, quantity=quantity, order_id=ORDER)):
            self.reserved -= quantity
            self.consumed += quantity

    @rule(quota=st.integers(0, 20))
    def set_quota(self, quota: int) -> None:
        self.apply(decide_quota(self.offer, supplier_id=SUPPLIER, quota=quota))

    @rule(price_fen=st.integers(-1, 7_000_00))
    def reprice(self, price_fen: int) -> None:
        self.apply(decide_reprice(self.offer, supplier_id=SUPPLIER, price_fen=price_fen))

    @invariant()
    def nothing_is_oversold(self) -> None:
        assert (self.offer.reserved, self.offer.consumed) == (self.reserved, self.consumed)
        assert self.reserved >= 0
        assert self.offer.available >= 0
        assert 0 < self.offer.price_fen <= self.offer.agreement_price_fen


TestSelling = Selling.TestCase


@given(st.integers(1, 10**9))
def test_reserving_and_releasing_leaves_an_offer_as_it_was(quantity: int) -> None:
    offer = an_offer(quota=10**9 + 5)
    reserved = evolve(offer, Reserved(quantity, ORDER), AT)
    assert evolve(reserved, Released(quantity, ORDER), AT) == offer
