from typing import Any
from uuid import UUID

import msgspec
import pytest

from catalog.definitions.rules import Definition, Fault
from catalog.goods.rules import (
    Deal,
    Draft,
    Known,
    Offered,
    Outcome,
    Plan,
    category_of,
    column_of,
    decide_row,
    digest_of,
    key_of,
    package_for,
    product_id_of,
    read_row,
    unique_codes,
)
from catalog.offers import rules as offers
from catalog.products import rules as products
from tests.builders.catalog import (
    AT,
    LAPTOP,
    OTHER,
    SUPPLIER,
    a_definition,
    a_package,
    a_product,
    an_agreement,
    an_offer,
    some_details,
)
from tests.builders.registries import an_organisation

NAMES = {"A": "货物", "A02010100": "计算机", LAPTOP: "便携式计算机", "A02019900": "其他", "A05019900": "其他"}
KNOWN = Known("2022", NAMES, unique_codes(NAMES), {"手提电脑": LAPTOP}, "")
ID = UUID(int=21)
CELLS = {
    "number": "1001",
    "name": "联想 昭阳 X5 便携式计算机",
    "category": LAPTOP,
    "brand": "联想",
    "model": "X5-14",
    "unit": "台",
    "market_price": "6,999.00",
    "price": "5800",
}


def read(definition: Definition | None = None, **changes: str) -> Draft | tuple[Fault, ...]:
    return read_row({**CELLS, **changes}, KNOWN, definition)


def a_draft(**changes: Any) -> Draft:
    offered = Offered(agreement_price_fen=None, price_fen=5_800_00, quota=None)
    return msgspec.structs.replace(Draft(some_details(number="1001"), offered), **changes)


def a_deal(**changes: Any) -> Deal:
    deal = Deal(an_agreement(), an_organisation(id=SUPPLIER), SUPPLIER, None, 100)
    return deal._replace(**changes)


def decide(draft: Draft | None = None, **around: Any) -> Plan | tuple[Fault, ...]:
    known: dict[str, Any] = {"product": None, "offer": None, "definition": None, "deal": None, **around}
    return decide_row(draft or a_draft(), product_id=ID, at=AT, **known)


def fields(found: object) -> list[str]:
    assert isinstance(found, tuple)
    return [fault.field for fault in found]


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("name", "name"),
        (" Name ", "name"),
        ("商品名称", "name"),
        ("goods_sn", "number"),
        ("counter_price", "market_price"),
        ("retail_price", "price"),
        ("brief", "description"),
        ("attr.screen", "attr.screen"),
        ("goods_id", None),
        ("", None),
    ],
)
def test_what_headers_mean(header: str, column: str | None) -> None:
    assert column_of(header) == column


@pytest.mark.parametrize(
    ("text", "code"),
    [(LAPTOP, LAPTOP), (f" {LAPTOP} ", LAPTOP), ("便携式计算机", LAPTOP), ("手提电脑", LAPTOP)],
)
def test_a_category_is_a_code_a_name_or_a_mapped_word(text: str, code: str) -> None:
    assert category_of(text, KNOWN) == code


@pytest.mark.parametrize("text", ["A02010199", "其他", "床品件套", ""])
def test_what_is_no_category_is_a_fault(text: str) -> None:
    assert isinstance(category_of(text, KNOWN), Fault)


def test_the_fallback_is_for_words_and_not_for_codes() -> None:
    known = KNOWN._replace(fallback="A02010100")
    assert category_of("床品件套", known) == "A02010100"
    assert isinstance(category_of("A02010199", known), Fault)


def test_a_row_is_read() -> None:
    assert read() == a_draft()


def test_a_row_without_a_price_is_a_product_alone() -> None:
    assert read(price="") == a_draft(offer=None)


def test_the_agreement_price_is_the_price_where_there_is_no_other() -> None:
    draft = read(price="", agreement_price="￥6000元", quota="1,000")
    assert draft == a_draft(offer=Offered(6_000_00, 6_000_00, 1000))


def test_attributes_are_read_as_the_category_defines_them() -> None:
    draft = read(a_definition(), **{"attr.processor": "龙芯", "attr.screen": "14.5英寸", "attr.touch": ""})
    assert isinstance(draft, Draft)
    assert draft.details.attributes == {"processor": "龙芯", "screen": 145}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": ""}, ["name"]),
        ({"category": "床品件套"}, ["category"]),
        ({"price": "5800.001"}, ["price"]),
        ({"price": "面议"}, ["price"]),
        ({"market_price": "-1"}, ["market_price_fen"]),
        ({"market_price": "0"}, ["market_price_fen"]),
        ({"quota": "1.5"}, ["quota"]),
        ({"quota": "1000000000"}, []),
        ({"quota": "1000000001"}, ["quota"]),
        ({"quota": "１"}, ["quota"]),
        ({"quota": "9" * 400}, ["quota"]),
        ({"pictures": "http://example.com/x.png"}, ["pictures"]),
        ({"attr.colour": "红"}, ["attributes.colour"]),
        ({"name": "", "unit": "", "category": "x", "price": "x"}, ["category", "price", "name", "unit"]),
    ],
)
def test_all_faults_of_a_row_are_named_at_once(changes: dict[str, str], expected: list[str]) -> None:
    found = read(**changes)
    assert (fields(found) if expected else []) == expected


def test_a_value_that_cannot_be_read_is_said_once() -> None:
    assert fields(read(a_definition(), **{"attr.processor": "x" * 99})) == ["attributes.processor"]


def test_a_row_is_known_by_its_number_or_else_by_what_it_says() -> None:
    unnumbered = a_draft(details=some_details())
    renamed = a_draft(details=some_details(number="1001", name="改名"))
    assert key_of(a_draft()) == key_of(renamed)
    assert key_of(unnumbered) != key_of(a_draft())
    assert key_of(unnumbered) == key_of(a_draft(details=some_details(name="联想 昭阳　X5 便携式计算机")))
    assert product_id_of("甲", a_draft()) == product_id_of("甲", renamed) != product_id_of("乙", a_draft())


def test_exact_duplicates_and_they_alone_have_one_digest() -> None:
    assert digest_of(a_draft()) == digest_of(a_draft())
    assert digest_of(a_draft()) != digest_of(a_draft(offer=None))


def test_the_narrowest_package_that_admits_the_supplier() -> None:
    broad, narrow = a_package(number=1, category_code="A02000000"), a_package(number=2)
    closed = a_package(number=3, suppliers=(OTHER,))
    agreement = an_agreement(packages=(broad, narrow, closed))
    assert package_for(agreement, SUPPLIER, LAPTOP, "2022") == narrow
    assert package_for(agreement, SUPPLIER, "A02010104", "2022") == broad
    assert package_for(agreement, SUPPLIER, "A05010201", "2022") is None
    assert package_for(agreement, SUPPLIER, LAPTOP, "2013") is None


def test_a_new_row_creates_a_product_and_lists_its_offer() -> None:
    plan = decide(deal=a_deal())
    assert isinstance(plan, Plan)
    (listed,) = plan.offer
    assert plan.outcome is Outcome.IMPORTED
    assert isinstance(plan.product[0], products.Created)
    assert isinstance(listed, offers.Listed)
    assert (listed.price_fen, listed.agreement_price_fen, listed.quota, listed.package) == (5_800_00, 5_800_00, 100, 1)


def test_a_row_that_is_there_already_changes_nothing() -> None:
    product = a_product(number="1001")
    assert decide(product=product) == Plan(Outcome.UNCHANGED)
    assert decide(product=product, offer=an_offer(), deal=a_deal()) == Plan(Outcome.UNCHANGED)


def test_a_changed_row_revises_the_product_or_its_offer() -> None:
    product = a_product(number="1001")
    renamed = a_draft(details=some_details(number="1001", name="改名"))
    plan = decide(renamed, product=product)
    assert isinstance(plan, Plan)
    assert (plan.outcome, len(plan.product)) == (Outcome.REVISED, 1)
    cheaper = a_draft(offer=Offered(6_000_00, 5_700_00, 20))
    assert decide(cheaper, product=product, offer=an_offer(), deal=a_deal()) == Plan(
        Outcome.REVISED, (), (offers.Repriced(5_700_00), offers.QuotaSet(20))
    )
    listed = decide(product=product, deal=a_deal())
    assert isinstance(listed, Plan)
    assert (listed.outcome, listed.product, len(listed.offer)) == (Outcome.REVISED, (), 1)


@pytest.mark.parametrize(
    ("draft", "around", "field"),
    [
        (a_draft(details=some_details(unit="")), {}, "unit"),
        (a_draft(), {"product": a_product(status=products.Status.WITHDRAWN)}, "name"),
        (a_draft(offer=None), {"deal": a_deal()}, "price"),
        (a_draft(), {"deal": a_deal(agreement=None)}, "category"),
        (a_draft(), {"deal": a_deal(agreement=an_agreement(packages=(a_package(suppliers=()),)))}, "category"),
        (a_draft(), {"deal": a_deal(package=9)}, "category"),
        (a_draft(offer=Offered(None, 8_000_01, None)), {"deal": a_deal()}, "price"),
        (a_draft(offer=Offered(6_000_00, 6_000_01, None)), {"deal": a_deal()}, "price"),
        (a_draft(offer=Offered(5_000_00, 5_000_00, None)), {"deal": a_deal(), "offer": an_offer()}, "agreement_price"),
        (a_draft(offer=Offered(None, 6_000_01, None)), {"deal": a_deal(), "offer": an_offer()}, "price"),
        (a_draft(offer=Offered(None, 5_800_00, 4)), {"deal": a_deal(), "offer": an_offer()}, "quota"),
    ],
)
def test_what_is_rejected_names_the_column(draft: Draft, around: dict[str, Any], field: str) -> None:
    around = {"product": a_product(number="1001"), **around} if "offer" in around else around
    assert fields(decide(draft, **around)) == [field]


def test_a_named_package_is_taken() -> None:
    agreement = an_agreement(packages=(a_package(number=1, category_code="A02000000"), a_package(number=2)))
    plan = decide(deal=a_deal(agreement=agreement, package=1))
    assert isinstance(plan, Plan)
    assert isinstance(plan.offer[0], offers.Listed)
    assert plan.offer[0].package == 1
