"""Placing a cart: every refusal, both sides of each edge, precedence, and what an order freezes."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.lines import rules as budget
from catalog.agreements.rules import Status as AgreementStatus
from catalog.offers import rules as offers
from catalog.products.rules import Status as ProductStatus
from kernel.frozenmap import FrozenMap
from kernel.money import FEN_MAX
from market.limits import rules as limits
from market.orders.rules import (
    TEXTS,
    Cart,
    Fault,
    Placement,
    Refusal,
    faults_of,
    preview_orders,
    standings_of,
    texts_of,
)
from registries.organisations.rules import Status
from tests.builders.budget import MORNING, OTHER_SCHOOL, SCHOOL, a_line
from tests.builders.market_orders import (
    AGREEMENT,
    HUAGONG,
    LAPTOP,
    LAPTOP_OFFER,
    LIANCHUANG,
    ORDER_IDS,
    PRINTER_OFFER,
    SHANGCHENG,
    AShop,
    a_cart,
    a_limit,
    a_package,
    a_policy,
    a_product,
    a_purchaser,
    a_school,
    a_shop,
    a_shop_with,
    a_spending,
    a_supplier,
    a_wanted,
    an_agreement,
    decided,
)

MICROSECOND = timedelta(microseconds=1)
PRINTER_WANTED = a_wanted(offer_id=PRINTER_OFFER, quantity=1, price_fen=1200_00)
UNKNOWN = UUID("01900000-0000-7000-8000-0000000000ff")


def placement(cart: Cart, shop: AShop, at: datetime = MORNING) -> Placement:
    decision = decided(cart, shop, at)
    assert isinstance(decision, Placement), decision
    return decision


def refusals(cart: Cart, shop: AShop, at: datetime = MORNING) -> list[tuple[int | None, Refusal]]:
    decision = decided(cart, shop, at)
    return [] if isinstance(decision, Placement) else [(fault.line, fault.refusal) for fault in decision]


def test_a_cart_becomes_one_order_for_each_supplier() -> None:
    placed = placement(a_cart(a_wanted(), PRINTER_WANTED), a_shop())

    assert [(order_id, event.terms.supplier_id, event.terms.total_fen) for order_id, event in placed.orders] == [
        (ORDER_IDS[LIANCHUANG], LIANCHUANG, 9300_00),
        (ORDER_IDS[HUAGONG], HUAGONG, 1200_00),
    ]


def test_a_placement_reserves_quota_budget_and_yearly_sum_of_each_order() -> None:
    placed = placement(a_cart(a_wanted(), PRINTER_WANTED), a_shop())

    first, second = ORDER_IDS[LIANCHUANG], ORDER_IDS[HUAGONG]
    assert placed.offers == [
        (LAPTOP_OFFER, offers.Reserved(2, first)),
        (PRINTER_OFFER, offers.Reserved(1, second)),
    ]
    assert placed.budget == [budget.Reserved(first, 9300_00), budget.Reserved(second, 1200_00)]
    assert placed.spending == [
        limits.Counted(SCHOOL, 2026, first, {"2022/A02010108": 9300_00}),
        limits.Counted(SCHOOL, 2026, second, {"2022/A02021003": 1200_00}),
    ]


def test_an_order_freezes_the_exact_version_of_product_offer_price_and_agreement() -> None:
    (_, event), *_ = placement(a_cart(), a_shop()).orders

    (line,) = event.terms.lines
    assert (line.product_revision, line.offer_revision, line.definition_revision) == (3, 4, 2)
    assert (line.name, line.brand, line.model, line.unit) == (
        "联想 ThinkPad X1 便携式计算机",
        "联想",
        "X1 2026",
        "台",
    )
    assert line.specs == {"memory_gb": 32}
    assert (line.price_fen, line.agreement_price_fen, line.quantity, line.amount_fen) == (
        4650_00,
        4650_00,
        2,
        9300_00,
    )
    assert (line.agreement_number, line.package) == ("ZJKJ-2026-001", 1)


def test_an_order_freezes_the_limits_of_its_own_categories() -> None:
    (_, laptops), (_, printers) = placement(a_cart(a_wanted(), PRINTER_WANTED), a_shop()).orders

    assert [limit.group for limit in laptops.terms.limits] == ["2022/A0201"]
    assert [limit.group for limit in printers.terms.limits] == ["2022/A0202"]
    assert laptops.terms.limits[0].source == "示例"


def test_an_order_has_a_number_that_people_can_read_out() -> None:
    (_, event), *_ = placement(a_cart(), a_shop()).orders

    assert event.terms.number.startswith("DD20261123-")


@pytest.mark.parametrize(
    ("_case", "cart", "shop", "refused"),
    [
        (
            "purchaser suspended",
            a_cart(),
            a_shop(organisations={SCHOOL: a_school(status=Status.SUSPENDED), LIANCHUANG: a_supplier()}),
            [(None, Refusal.PURCHASER_SUSPENDED)],
        ),
        ("twice the same offer", a_cart(a_wanted(), a_wanted()), a_shop(), [(2, Refusal.LINE_REPEATED)]),
        ("unknown", a_cart(a_wanted(), a_wanted(offer_id=UNKNOWN)), a_shop(), [(2, Refusal.OFFER_UNKNOWN)]),
        ("off the shelf", a_cart(), a_shop_with(on_shelf=False), [(1, Refusal.OFF_SHELF)]),
        (
            "product withdrawn",
            a_cart(),
            a_shop(products={LAPTOP: a_product(status=ProductStatus.WITHDRAWN)}),
            [(1, Refusal.OFF_SHELF)],
        ),
        ("dearer than seen", a_cart(a_wanted(price_fen=4649_99)), a_shop(), [(1, Refusal.PRICE_CHANGED)]),
        ("cheaper than seen", a_cart(a_wanted(price_fen=4650_01)), a_shop(), [(1, Refusal.PRICE_CHANGED)]),
        (
            "a fen above the agreement price",
            a_cart(a_wanted(price_fen=4650_01)),
            a_shop_with(price_fen=4650_01),
            [(1, Refusal.ABOVE_AGREEMENT_PRICE)],
        ),
        (
            "agreement terminated",
            a_cart(),
            a_shop(agreements={AGREEMENT: an_agreement(status=AgreementStatus.TERMINATED)}),
            [(1, Refusal.AGREEMENT_NOT_VALID)],
        ),
        ("agreement unknown", a_cart(), a_shop(agreements={}), [(1, Refusal.AGREEMENT_NOT_VALID)]),
        (
            "agreement of another city",
            a_cart(),
            a_shop(agreements={AGREEMENT: an_agreement(regions=("330200",))}),
            [(1, Refusal.AGREEMENT_ELSEWHERE)],
        ),
        (
            "supplier removed",
            a_cart(),
            a_shop(agreements={AGREEMENT: an_agreement(packages=(a_package(suppliers=(HUAGONG,)),))}),
            [(1, Refusal.NOT_ADMITTED)],
        ),
        ("another package", a_cart(), a_shop_with(package=2), [(1, Refusal.NOT_ADMITTED)]),
        (
            "supplier suspended",
            a_cart(),
            a_shop(organisations={SCHOOL: a_school(), LIANCHUANG: a_supplier(status=Status.SUSPENDED)}),
            [(1, Refusal.SUSPENDED)],
        ),
        ("supplier unknown", a_cart(), a_shop(organisations={SCHOOL: a_school()}), [(1, Refusal.SUSPENDED)]),
        ("region not served", a_cart(region="330203"), a_shop(), [(1, Refusal.REGION_NOT_SERVED)]),
        ("region unknown", a_cart(region="999999"), a_shop(), [(1, Refusal.REGION_NOT_SERVED)]),
        ("one more than is left", a_cart(), a_shop_with(quota=7, reserved=4, consumed=2), [(1, Refusal.QUOTA_SHORT)]),
        ("no limits known", a_cart(), a_shop(policy=None), [(None, Refusal.NO_LIMITS)]),
        (
            "a fen above the limit of one order",
            a_cart(),
            a_shop(policy=a_policy(a_limit(order_max_fen=9299_99))),
            [(None, Refusal.ORDER_LIMIT)],
        ),
        (
            "a fen above the limit of the year",
            a_cart(),
            a_shop(policy=a_policy(a_limit(year_max_fen=10_000_00)), spending=a_spending(A02010105=700_01)),
            [(None, Refusal.YEAR_LIMIT)],
        ),
        ("no budget line", a_cart(), a_shop(line=None), [(None, Refusal.BUDGET_NOT_YOURS)]),
        (
            "another's budget line",
            a_cart(),
            a_shop(line=a_line(organisation_id=OTHER_SCHOOL, year=2025)),
            [(None, Refusal.BUDGET_NOT_YOURS)],
        ),
        ("last year's", a_cart(), a_shop(line=a_line(year=2025)), [(None, Refusal.BUDGET_WRONG_YEAR)]),
        (
            "a fen short",
            a_cart(),
            a_shop(line=a_line(appropriated_fen=9299_99, available_fen=9299_99)),
            [(None, Refusal.BUDGET_INSUFFICIENT)],
        ),
    ],
)
def test_a_cart_is_refused_with_the_line_at_fault(
    _case: str, cart: Cart, shop: AShop, refused: list[tuple[int | None, Refusal]]
) -> None:
    assert refusals(cart, shop) == refused


@pytest.mark.parametrize(
    ("_case", "cart", "shop"),
    [
        ("exactly the agreement price", a_cart(), a_shop()),
        ("below it", a_cart(a_wanted(price_fen=4649_99)), a_shop_with(price_fen=4649_99)),
        ("exactly what is left", a_cart(), a_shop_with(quota=8, reserved=4, consumed=2)),
        ("exactly the limit of one order", a_cart(), a_shop(policy=a_policy(a_limit(order_max_fen=9300_00)))),
        (
            "exactly the limit of the year",
            a_cart(),
            a_shop(policy=a_policy(a_limit(year_max_fen=10_000_00)), spending=a_spending(A02010105=700_00)),
        ),
        ("exactly the budget", a_cart(), a_shop(line=a_line(appropriated_fen=9300_00, available_fen=9300_00))),
        ("a region itself served", a_cart(), a_shop_with(regions=(SHANGCHENG,))),
        ("the whole province served", a_cart(), a_shop_with(regions=("330000",))),
    ],
)
def test_a_cart_on_the_edge_is_placed(_case: str, cart: Cart, shop: AShop) -> None:
    assert refusals(cart, shop) == []


@pytest.mark.parametrize(
    ("_case", "at", "refused"),
    [
        ("a moment before the first day", datetime(2026, 11, 22, 16, tzinfo=UTC) - MICROSECOND, True),
        ("the first moment of the first day", datetime(2026, 11, 22, 16, tzinfo=UTC), False),
        ("the last moment of the last day", datetime(2026, 11, 25, 16, tzinfo=UTC) - MICROSECOND, False),
        ("the first moment after", datetime(2026, 11, 25, 16, tzinfo=UTC), True),
    ],
)
def test_an_agreement_is_valid_from_its_first_to_its_last_beijing_day(_case: str, at: datetime, refused: bool) -> None:  # noqa: FBT001
    agreement = an_agreement(valid_from=date(2026, 11, 23), valid_to=date(2026, 11, 25))

    found = refusals(a_cart(), a_shop(agreements={AGREEMENT: agreement}), at)

    assert found == ([(1, Refusal.AGREEMENT_NOT_VALID)] if refused else [])


def test_the_suppliers_of_one_cart_share_the_limit_of_one_order() -> None:
    shop = a_shop(policy=a_policy(a_limit(group_length=3, order_max_fen=10_499_99)))

    assert refusals(a_cart(a_wanted(), PRINTER_WANTED), shop) == [(None, Refusal.ORDER_LIMIT)]


def test_the_suppliers_of_one_cart_share_the_budget() -> None:
    shop = a_shop(line=a_line(appropriated_fen=10_499_99, available_fen=10_499_99))

    assert refusals(a_cart(a_wanted(), PRINTER_WANTED), shop) == [(None, Refusal.BUDGET_INSUFFICIENT)]


def test_an_amount_that_no_ledger_can_hold_is_refused() -> None:
    shop = a_shop_with(price_fen=FEN_MAX, agreement_price_fen=FEN_MAX)

    found = refusals(a_cart(a_wanted(price_fen=FEN_MAX)), shop)

    assert found[0] == (None, Refusal.AMOUNT_TOO_LARGE)


def test_an_open_order_too_many_is_refused() -> None:
    kept = FrozenMap({UUID(int=number): 1 for number in range(budget.RESERVATIONS_MAX)})

    assert refusals(a_cart(), a_shop(line=a_line(reservations=kept))) == [(None, Refusal.BUDGET_TOO_MANY_OPEN)]


def test_faults_come_by_precedence_then_by_line() -> None:
    cart = a_cart(a_wanted(quantity=101), msgspec.structs.replace(PRINTER_WANTED, price_fen=1), a_wanted())
    shop = a_shop(line=a_line(year=2025))

    assert refusals(cart, shop) == [
        (3, Refusal.LINE_REPEATED),
        (2, Refusal.PRICE_CHANGED),
        (1, Refusal.QUOTA_SHORT),
        (None, Refusal.BUDGET_WRONG_YEAR),
    ]


def test_a_preview_finds_every_fault_of_every_line_and_judges_only_what_is_chosen() -> None:
    cart = a_cart(a_wanted(quantity=101, price_fen=1), budget_line_id=None, region="")
    shop = a_shop_with(on_shelf=False, regions=("330200",)).seen(cart)

    found = [fault.refusal for fault in faults_of(a_purchaser, cart, shop, standings_of(shop), MORNING)]

    assert found == [Refusal.OFF_SHELF, Refusal.PRICE_CHANGED, Refusal.QUOTA_SHORT]


def test_a_preview_splits_a_cart_by_supplier_and_leaves_unknown_offers_out() -> None:
    cart = a_cart(a_wanted(), a_wanted(offer_id=UNKNOWN), PRINTER_WANTED)

    found = preview_orders(a_shop(organisations={LIANCHUANG: a_supplier()}).seen(cart))

    assert [(order.supplier_name, order.total_fen, [line.line for line in order.lines]) for order in found] == [
        ("杭州联创科技有限公司", 9300_00, [1]),
        ("", 1200_00, [3]),
    ]


def test_a_cart_of_unknown_offers_is_not_held_against_the_budget() -> None:
    assert refusals(a_cart(a_wanted(offer_id=UNKNOWN)), a_shop(line=a_line(year=2025))) == [(1, Refusal.OFFER_UNKNOWN)]


def test_every_refusal_has_a_text_in_both_languages() -> None:
    assert set(TEXTS) == set(Refusal)
    assert all(zh and en for zh, en in TEXTS.values())


def test_a_text_names_the_line_and_the_amounts_in_yuan() -> None:
    fault = Fault(2, Refusal.PRICE_CHANGED, {"expected_fen": 100_00, "price_fen": 100_01})

    assert texts_of(fault) == (
        "第2行：单价已由 100.00 元变为 100.01 元，请确认新价格后重新提交。",
        "Line 2: The price has changed from 100.00 to 100.01 yuan; confirm the new price and submit again.",
    )


@pytest.mark.parametrize(
    ("cart", "shop"),
    [
        (a_cart(a_wanted(quantity=101, price_fen=1)), a_shop_with(on_shelf=False, price_fen=4651_00)),
        (a_cart(), a_shop(agreements={}, organisations={}, policy=None, line=None)),
        (a_cart(), a_shop(agreements={AGREEMENT: an_agreement(regions=("330200",), packages=())})),
        (a_cart(region="330203"), a_shop(policy=a_policy(a_limit(order_max_fen=1)))),
        (a_cart(), a_shop(policy=a_policy(a_limit(year_max_fen=1)), line=a_line(available_fen=1))),
    ],
)
def test_every_fault_can_be_put_into_words(cart: Cart, shop: AShop) -> None:
    decision = decided(cart, shop)

    assert isinstance(decision, list)
    assert all("{" not in text for fault in decision for text in texts_of(fault))


def test_golden_f2_1_an_order_at_the_agreement_price_is_valid_and_totals_exactly() -> None:
    """Source: 财政部令第110号 第十三条; golden/framework_stage2.json F2-1 (30 × 4650 = 139500 yuan)."""
    (_, event), *_ = placement(a_cart(a_wanted(quantity=30)), a_shop()).orders

    assert event.terms.total_fen == 139_500_00


quantities = st.integers(1, 60)
prices = st.integers(1, 20_000_00)


@given(laptops=quantities, printers=quantities, laptop=prices, printer=prices, available=st.integers(0, 2_000_000_00))
def test_what_is_placed_adds_up_and_never_exceeds_quota_limits_or_budget(
    laptops: int, printers: int, laptop: int, printer: int, available: int
) -> None:
    shop = a_shop(line=a_line(appropriated_fen=available, available_fen=available))
    shop = shop._replace(
        offers={
            LAPTOP_OFFER: msgspec.structs.replace(
                shop.offers[LAPTOP_OFFER], price_fen=laptop, agreement_price_fen=laptop
            ),
            PRINTER_OFFER: msgspec.structs.replace(
                shop.offers[PRINTER_OFFER], price_fen=printer, agreement_price_fen=printer
            ),
        }
    )
    cart = a_cart(
        a_wanted(quantity=laptops, price_fen=laptop),
        a_wanted(offer_id=PRINTER_OFFER, quantity=printers, price_fen=printer),
    )
    total = laptops * laptop + printers * printer

    decision = decided(cart, shop)

    within = max(laptops * laptop, printers * printer) <= a_limit().order_max_fen
    assert isinstance(decision, Placement) is (within and total <= available)
    if isinstance(decision, Placement):
        assert sum(event.terms.total_fen for _, event in decision.orders) == total
        assert sum(event.amount_fen for event in decision.budget) == total
        assert sum(sum(event.amounts.values()) for event in decision.spending) == total
