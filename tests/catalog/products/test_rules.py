from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.products.rules import (
    PICTURES_MAX,
    TEXTS,
    Created,
    Illustrated,
    Refusal,
    Revised,
    Status,
    TakenDown,
    Withdrawn,
    candidate_words,
    decide_create,
    decide_illustrate,
    decide_revise,
    decide_take_down,
    decide_withdraw,
    details_of,
    evolve,
    faults_of,
    grams_of,
    is_one_gram,
    product_grams,
    search_text,
    split_at_words,
    terms_of,
)
from kernel.money import FEN_MAX
from tests.builders.catalog import AT, a_definition, a_product, some_details

ID = UUID(int=21)
PICTURE = "0" * 64
words = st.text(st.sampled_from("联想笔记本电脑ABab12𠮷"), min_size=1, max_size=8)


def test_a_product_is_created_revised_and_withdrawn() -> None:
    created = decide_create(None, ID, some_details(), None)
    assert isinstance(created, Created)
    product = evolve(None, created, AT)
    assert product == a_product()
    revised = decide_revise(product, some_details(name="新名称"), None)
    assert isinstance(revised, Revised)
    product = evolve(product, revised, AT)
    assert (product.revision, product.name) == (2, "新名称")
    withdrawn = decide_withdraw(product, reason="停产")
    assert withdrawn == Withdrawn("停产")
    assert evolve(product, Withdrawn("停产"), AT).status is Status.WITHDRAWN


def test_a_product_says_by_which_definition_it_was_checked() -> None:
    details = some_details(attributes={"processor": "龙芯"})
    created = decide_create(None, ID, details, a_definition(revision=7))
    assert isinstance(created, Created)
    assert created.details.definition_revision == 7


A, B, C = "a" * 64, "b" * 64, "c" * 64


def illustrated(*pictures: str, shown: tuple[str, ...] = (A, B), **changes: Any) -> Illustrated | Refusal:
    """Decide pictures of a product shown by ``shown``, of which a supplier has sent in A and C."""
    how: dict[str, Any] = {"revision": 1, "known": {A, B, C}, "own": {A, C}, **changes}
    return decide_illustrate(a_product(pictures=shown), pictures, **how)


def test_a_product_is_shown_by_other_pictures_from_its_next_revision_on() -> None:
    decision = illustrated(A, B, C)
    assert decision == Illustrated((A, B, C))
    product = evolve(a_product(pictures=(A, B)), decision, AT)

    assert (product.pictures, product.revision) == ((A, B, C), 2)


def test_a_supplier_may_add_and_arrange_around_the_pictures_of_others() -> None:
    assert isinstance(illustrated(C, A, B), Illustrated)
    assert isinstance(illustrated(B), Illustrated)
    assert illustrated(A) is Refusal.PICTURE_OF_OTHERS
    assert illustrated(B, A, shown=(A, B), own={C}) is Refusal.PICTURE_OF_OTHERS
    assert isinstance(illustrated(A, C, B, shown=(A, B), own={C}), Illustrated)
    assert isinstance(illustrated(shown=(A,)), Illustrated)


def test_the_operator_takes_a_picture_down_whosever_it_is() -> None:
    product = a_product(pictures=(A, B, C))
    decision = decide_take_down(product, B, reason="与商品不符")
    assert decision == TakenDown(B, "与商品不符")
    after = evolve(product, decision, AT)

    assert (after.pictures, after.revision) == ((A, C), 2)
    assert decide_take_down(after, B, reason="与商品不符") is Refusal.PICTURE_NOT_SHOWN
    assert decide_take_down(None, B, reason="与商品不符") is Refusal.UNKNOWN


def test_pictures_that_are_refused() -> None:
    many = tuple(f"{number:064x}" for number in range(PICTURES_MAX + 1))
    gone = a_product(status=Status.WITHDRAWN, pictures=())
    how: dict[str, Any] = {"revision": 1, "known": {*many, A, B}, "own": set()}

    assert decide_illustrate(None, (A,), **how) is Refusal.UNKNOWN
    assert decide_illustrate(gone, (A,), **how) is Refusal.WITHDRAWN
    assert illustrated(A, B, C, revision=2) is Refusal.STALE
    assert illustrated(*many, shown=(), known=set(many)) is Refusal.PICTURES_TOO_MANY
    assert isinstance(illustrated(*many[1:], shown=(), known=set(many)), Illustrated)
    assert illustrated(A, B, A) is Refusal.PICTURE_TWICE
    assert illustrated(A, B, "d" * 64) is Refusal.PICTURE_UNKNOWN
    assert isinstance(illustrated(C, A, B, known={C}), Illustrated)  # what is shown already is known
    assert illustrated(A, B) is Refusal.NOTHING_CHANGES


def test_refused_steps() -> None:
    gone = a_product(status=Status.WITHDRAWN)
    assert decide_create(a_product(), ID, some_details(), None) is Refusal.EXISTS
    assert decide_revise(None, some_details(), None) is Refusal.UNKNOWN
    assert decide_revise(gone, some_details(), None) is Refusal.WITHDRAWN
    assert decide_revise(a_product(), some_details(), None) is Refusal.NOTHING_CHANGES
    assert decide_withdraw(None, reason="x") is Refusal.UNKNOWN
    assert decide_withdraw(gone, reason="x") is Refusal.WITHDRAWN


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({}, []),
        ({"name": ""}, ["name"]),
        ({"name": "　"}, ["name"]),
        ({"name": "字" * 200}, []),
        ({"name": "字" * 201}, ["name"]),
        ({"unit": ""}, ["unit"]),
        ({"brand": "字" * 101}, ["brand"]),
        ({"market_price_fen": None}, []),
        ({"market_price_fen": 0}, ["market_price_fen"]),
        ({"market_price_fen": FEN_MAX}, []),
        ({"market_price_fen": FEN_MAX + 1}, ["market_price_fen"]),
        ({"pictures": (PICTURE,) * 10}, []),
        ({"pictures": (PICTURE,) * 11}, ["pictures"]),
        ({"pictures": ("https://example.com/a.png",)}, ["pictures"]),
        ({"attributes": {"screen": 1}}, ["attributes.screen"]),
    ],
)
def test_all_faults_are_named_at_once(changes: dict[str, Any], fields: list[str]) -> None:
    details = some_details(**changes)
    assert [fault.field for fault in faults_of(details, None)] == fields
    if fields:
        assert decide_create(None, ID, details, None) == faults_of(details, None)
        assert decide_revise(a_product(), details, None) == faults_of(details, None)


def test_details_are_all_of_a_product_that_is_said() -> None:
    assert details_of(a_product()) == some_details()


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("ThinkPad X1（14英寸）", ("thinkpad", "x1", "14英寸")),
        ("ＡＢＣ－１２", ("abc", "12")),
        ("  、 ", ()),
        ("𠮷野家", ("𠮷野家",)),
    ],
)
def test_text_is_normalised_and_cut(text: str, terms: tuple[str, ...]) -> None:
    assert terms_of(text) == terms


def test_grams_are_signed_numbers_of_32_bits() -> None:
    assert grams_of(["ab"]) == ((ord("a") << 16) + ord("b"),)
    assert grams_of(["龥龥"]) == ((ord("龥") << 16) + ord("龥") - (1 << 32),)
    assert grams_of(["笔"]) == ()
    assert all(-(1 << 31) <= gram < 1 << 31 for gram in product_grams(a_product()))


def test_rare_characters_share_grams_and_are_compared_as_text() -> None:
    assert grams_of(["𠮷野"]) == grams_of(["𠀀野"])
    assert [is_one_gram(term) for term in ("野家", "𠮷野", "野", "野家人")] == [True, False, False, False]


@given(text=words, start=st.integers(0, 8), length=st.integers(1, 8))
def test_every_part_of_a_product_is_found_by_its_grams(text: str, start: int, length: int) -> None:
    product = a_product(name=text, brand="", model="", category_name="")
    (term,) = terms_of(text)
    part = term[start : start + length]
    assert set(grams_of([part])) <= set(product_grams(product))


@given(left=words, right=words)
def test_no_gram_spans_two_terms(left: str, right: str) -> None:
    product = a_product(name=left, brand=right, model="", category_name="")
    assert set(product_grams(product)) == set(grams_of([*terms_of(left), *terms_of(right)]))


def test_the_searched_text_is_all_terms() -> None:
    assert search_text(a_product()) == "联想 昭阳 x5 便携式计算机 联想 x5 14 便携式计算机"


def test_unspaced_queries_are_cut_at_catalogue_words() -> None:
    known = {"联想", "笔记本", "打印机", "打印"}
    assert split_at_words(["联想笔记本电脑"], known) == ("联想", "笔记本", "电脑")
    assert split_at_words(["黑白打印机"], known) == ("黑白", "打印机")
    assert split_at_words(["x1", "联想"], set()) == ("x1", "联想")
    assert split_at_words(["联想联想"], known) == ("联想",)
    assert split_at_words([], known) == ()


@given(term=words, known=st.sets(words))
def test_cutting_only_ever_finds_more(term: str, known: set[str]) -> None:
    parts = split_at_words([term], known)
    assert all(part in term for part in parts)
    assert set("".join(parts)) == set(term)


@given(words)
def test_every_word_within_a_query_is_looked_up(term: str) -> None:
    candidates = candidate_words([term])
    assert all(2 <= len(word) <= 16 for word in candidates)
    assert set(candidates) == {term[a:b] for a in range(len(term)) for b in range(a + 2, len(term) + 1)}


def test_every_refusal_has_its_texts() -> None:
    assert set(TEXTS) == set(Refusal)
    assert msgspec.structs.asdict(a_product())["id"] == ID
