"""
Products and how they are found.

A product is what is sold, whoever sells it; price and quota belong to offers. Its attributes are checked
against the definition of its category. Each revision is kept in the journal, so that an order can freeze
the exact one.

Search works on two-character grams: text is normalised, cut at everything that is neither letter nor
digit, and every two neighbours become one signed 32-bit number. Measured against trigrams, word
segmentation and full-text engines in ``docs/adr/0022-search-grams.md``.
"""

import unicodedata
from collections.abc import Collection, Iterable
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Final, assert_never
from uuid import UUID

import msgspec

from catalog.definitions.rules import Definition, Fault, Value, check_values
from catalog.pictures.rules import is_digest
from kernel.money import FEN_MAX

PICTURES_MAX: Final = 10
WORD_LENGTH_MAX: Final = 16
"""Characters of the longest catalogue word that a query is split at."""

_BMP_MAX: Final = 0xFFFF
_REPLACEMENT: Final = 0xFFFD
_LENGTHS: Final = {"name": 200, "brand": 100, "model": 100, "unit": 20, "number": 100, "description": 4000}
_NEEDED: Final = ("name", "unit")


class Status(StrEnum):
    """Whether a product may be offered."""

    ACTIVE = "active"
    WITHDRAWN = "withdrawn"


class FirstPicture(msgspec.Struct, frozen=True):
    """The picture that a product showed first; ``taken_down`` says that nobody gets it any more."""

    digest: str
    taken_down: bool


class Extent(StrEnum):
    """How far a picture is taken down."""

    PRODUCT = "product"  # 仅本商品: it does not show the product; orders go on showing what they froze
    EVERYWHERE = "everywhere"  # 全平台: it must not be shown at all, in orders neither


class Refusal(StrEnum):
    """Why a step is refused, in order of precedence."""

    EXISTS = "product-exists"
    UNKNOWN = "product-unknown"
    WITHDRAWN = "product-withdrawn"
    STALE = "product-changed-meanwhile"
    PICTURES_TOO_MANY = "too-many-pictures"
    PICTURE_TWICE = "picture-twice"
    PICTURE_UNKNOWN = "picture-unknown"
    PICTURE_OF_OTHERS = "picture-of-others"
    PICTURE_NOT_SHOWN = "picture-not-shown"
    NOTHING_CHANGES = "nothing-changes"


TEXTS: Final[dict[Refusal, tuple[str, str]]] = {
    Refusal.EXISTS: ("商品已存在", "The product exists already"),
    Refusal.UNKNOWN: ("商品不存在", "There is no such product"),
    Refusal.WITHDRAWN: ("商品已撤销", "The product has been withdrawn"),
    Refusal.STALE: (
        "商品在您编辑期间已被他人修改，请刷新后再试",
        "The product was changed while you were at it; reload and try again",
    ),
    Refusal.PICTURES_TOO_MANY: (
        f"一个商品最多 {PICTURES_MAX} 张图片，请先移除一些",
        f"A product has at most {PICTURES_MAX} pictures; remove some first",
    ),
    Refusal.PICTURE_TWICE: ("同一张图片不能用两次", "The same picture cannot be used twice"),
    Refusal.PICTURE_UNKNOWN: ("图片尚未上传，请先上传", "A picture has not been sent in; send it in first"),
    Refusal.PICTURE_OF_OTHERS: (
        "只能移除本单位上传的图片，也不能改变其他单位图片之间的顺序",
        "You may take away only pictures that your organisation sent in, and leave the others in their order",
    ),
    Refusal.PICTURE_NOT_SHOWN: (
        "商品没有这张图片，请刷新后再试",
        "The product has no such picture; reload and try again",
    ),
    Refusal.NOTHING_CHANGES: ("没有变化", "Nothing would change"),
}


class Details(msgspec.Struct, frozen=True):
    """
    All that is said about a product.

    ``number`` is the seller's own goods number, if any. ``pictures`` are the SHA-256 of pictures in hex:
    no address outside is ever shown. ``market_price_fen`` is for one unit, ``None`` when unknown.
    ``definition_revision`` is the one that the attributes were checked against, 0 for none.
    """

    edition: str
    category_code: str
    category_name: str
    name: str
    unit: str
    brand: str = ""
    model: str = ""
    number: str = ""
    description: str = ""
    attributes: dict[str, Value] = {}
    pictures: tuple[str, ...] = ()
    market_price_fen: int | None = None
    definition_revision: int = 0


class Product(msgspec.Struct, frozen=True):
    """A product as it stands; ``revision`` counts 1, 2, 3 … and is what an order freezes."""

    id: UUID
    revision: int
    status: Status
    edition: str
    category_code: str
    category_name: str
    name: str
    unit: str
    brand: str
    model: str
    number: str
    description: str
    attributes: dict[str, Value]
    pictures: tuple[str, ...]
    market_price_fen: int | None
    definition_revision: int
    created_at: datetime
    revised_at: datetime


class Created(msgspec.Struct, frozen=True, tag_field="kind", tag="product.created"):
    """The product was entered."""

    id: UUID
    details: Details


class Revised(msgspec.Struct, frozen=True, tag_field="kind", tag="product.revised"):
    """The product was changed: these are all its details from now on."""

    details: Details


class Illustrated(msgspec.Struct, frozen=True, tag_field="kind", tag="product.illustrated"):
    """The product is shown by these pictures from now on, the first one in lists."""

    pictures: tuple[str, ...]


class TakenDown(msgspec.Struct, frozen=True, tag_field="kind", tag="product.picture-taken-down"):
    """The operator took an improper picture down (下架)."""

    picture: str
    reason: str


class Withdrawn(msgspec.Struct, frozen=True, tag_field="kind", tag="product.withdrawn"):
    """The product may no longer be offered."""

    reason: str


Event = Created | Revised | Illustrated | TakenDown | Withdrawn


def details_of(product: Product) -> Details:
    """Return all that is said about a product."""
    return Details(**{name: getattr(product, name) for name in Details.__struct_fields__})


def faults_of(details: Details, definition: Definition | None) -> tuple[Fault, ...]:
    """Find everything that is wrong with a product's details, at once."""
    faults = [
        Fault(field, f"不能为空，最多{limit}字", f"{field} is required, at most {limit} characters")
        for field, limit in _LENGTHS.items()
        if len(getattr(details, field)) > limit or (field in _NEEDED and not getattr(details, field).strip())
    ]
    if details.market_price_fen is not None and not 0 < details.market_price_fen <= FEN_MAX:
        faults.append(Fault("market_price_fen", "市场价须大于零", "The market price must be above zero"))
    if len(details.pictures) > PICTURES_MAX or not all(map(is_digest, details.pictures)):
        faults.append(
            Fault("pictures", f"图片以SHA-256引用，最多{PICTURES_MAX}张", f"At most {PICTURES_MAX} SHA-256 references")
        )
    return (*faults, *check_values(definition, details.attributes))


def decide_create(
    product: Product | None, id: UUID, details: Details, definition: Definition | None
) -> Created | Refusal | tuple[Fault, ...]:
    """Decide a new product."""
    if product is not None:
        return Refusal.EXISTS
    return faults_of(details, definition) or Created(id, _checked(details, definition))


def decide_revise(
    product: Product | None, details: Details, definition: Definition | None
) -> Revised | Refusal | tuple[Fault, ...]:
    """Decide a change of a product."""
    if product is None:
        return Refusal.UNKNOWN
    if product.status is Status.WITHDRAWN:
        return Refusal.WITHDRAWN
    faults = faults_of(details, definition)
    if faults:
        return faults
    checked = _checked(details, definition)
    return Refusal.NOTHING_CHANGES if checked == details_of(product) else Revised(checked)


def decide_illustrate(  # noqa: PLR0911  one return for each refusal, in order of precedence
    product: Product | None,
    pictures: tuple[str, ...],
    *,
    revision: int,
    known: Collection[str],
    own: Collection[str],
) -> Illustrated | Refusal:
    """
    Decide by which pictures a supplier shows a product that it offers.

    ``revision`` is the one that the caller saw, ``known`` are the pictures of these that were sent in at all, ``own``
    those that the caller's organisation sent in, of the product's as well. Suppliers that sell one product share its
    pictures: none may take another's away or put them in another order, only add to them.

    Source: ADR-0054.
    """
    if product is None:
        return Refusal.UNKNOWN
    if product.status is Status.WITHDRAWN:
        return Refusal.WITHDRAWN
    if product.revision != revision:
        return Refusal.STALE
    if len(pictures) > PICTURES_MAX:
        return Refusal.PICTURES_TOO_MANY
    if len(set(pictures)) < len(pictures):
        return Refusal.PICTURE_TWICE
    if any(picture not in known and picture not in product.pictures for picture in pictures):
        return Refusal.PICTURE_UNKNOWN
    others = [picture for picture in product.pictures if picture not in own]
    if others != [picture for picture in pictures if picture in others]:
        return Refusal.PICTURE_OF_OTHERS
    return Refusal.NOTHING_CHANGES if pictures == product.pictures else Illustrated(pictures)


def decide_take_down(product: Product | None, picture: str, *, reason: str) -> TakenDown | Refusal:
    """Decide that the operator takes a picture down; whoever sent it in finds the reason in the journal."""
    assert reason
    if product is None:
        return Refusal.UNKNOWN
    if picture not in product.pictures:
        return Refusal.PICTURE_NOT_SHOWN
    return TakenDown(picture, reason)


def decide_withdraw(product: Product | None, *, reason: str) -> Withdrawn | Refusal:
    """Decide that a product may no longer be offered."""
    assert reason
    if product is None:
        return Refusal.UNKNOWN
    if product.status is Status.WITHDRAWN:
        return Refusal.WITHDRAWN
    return Withdrawn(reason)


def evolve(product: Product | None, event: Event, at: datetime) -> Product:
    """Apply what was decided."""
    if isinstance(event, Created):
        details = msgspec.structs.asdict(event.details)
        return Product(id=event.id, revision=1, status=Status.ACTIVE, created_at=at, revised_at=at, **details)
    assert product is not None
    match event:
        case Revised():
            details = msgspec.structs.asdict(event.details)
            return msgspec.structs.replace(product, revision=product.revision + 1, revised_at=at, **details)
        case Illustrated():
            return msgspec.structs.replace(
                product, revision=product.revision + 1, revised_at=at, pictures=event.pictures
            )
        case TakenDown():
            left = tuple(picture for picture in product.pictures if picture != event.picture)
            return msgspec.structs.replace(product, revision=product.revision + 1, revised_at=at, pictures=left)
        case Withdrawn():
            return msgspec.structs.replace(product, status=Status.WITHDRAWN, revised_at=at)
        case _:
            assert_never(event)


def _checked(details: Details, definition: Definition | None) -> Details:
    return msgspec.structs.replace(details, definition_revision=definition.revision if definition else 0)


# Search


def terms_of(text: str) -> tuple[str, ...]:
    """
    Normalise a text (NFKC, lower case) and cut it at everything that is neither letter nor digit.

    ``ThinkPad X1（14英寸）`` becomes ``thinkpad``, ``x1``, ``14英寸``.
    """
    plain = unicodedata.normalize("NFKC", text).lower()
    return tuple("".join(one if one.isalnum() else " " for one in plain).split())


def search_text(product: Product) -> str:
    """Write what a search looks through: name, brand, model, category; terms parted by one space."""
    return " ".join(
        term for text in (product.name, product.brand, product.model, product.category_name) for term in terms_of(text)
    )


def grams_of(terms: Iterable[str]) -> tuple[int, ...]:
    """
    Turn every two neighbouring characters of each term into one signed 32-bit number, sorted, each once.

    A character outside the basic plane stands as U+FFFD: rare ones share grams, and the comparison of the
    text itself decides. A term of one character has no gram.
    """
    found = set()
    for term in terms:
        codes = [code if (code := ord(one)) <= _BMP_MAX else _REPLACEMENT for one in term]
        found |= {left << 16 | right for left, right in pairwise(codes)}
    return tuple(sorted(gram - (1 << 32) if gram >= 1 << 31 else gram for gram in found))


def is_one_gram(term: str) -> bool:
    """
    Tell whether finding a term's grams is finding the term.

    It is so for two characters of the basic plane. The grams of a longer term may stand apart, a single
    character has none, and rare ones share theirs: there the text itself must be compared.
    """
    return len(term) == 2 and all(ord(one) <= _BMP_MAX for one in term)  # noqa: PLR2004  a gram is two characters


def product_grams(product: Product) -> tuple[int, ...]:
    """Return the grams that a product is found by."""
    return grams_of(search_text(product).split())


def candidate_words(terms: Iterable[str]) -> tuple[str, ...]:
    """List every part of the terms that might be a catalogue word: 2 to ``WORD_LENGTH_MAX`` characters."""
    found = {
        term[start:end]
        for term in terms
        for start in range(len(term) - 1)
        for end in range(start + 2, min(start + WORD_LENGTH_MAX, len(term)) + 1)
    }
    return tuple(sorted(found))


def split_at_words(terms: Iterable[str], words: Collection[str]) -> tuple[str, ...]:
    """
    Cut unspaced terms at the longest known words from the left (正向最大匹配).

    ``联想笔记本电脑`` with the brand ``联想`` becomes ``联想`` and ``笔记本电脑``. Cutting only ever finds more:
    each part is a part of the term.

    Cost: about 20 µs for a query of ten characters.
    """
    longest = max(map(len, words), default=0)
    parts: dict[str, None] = {}
    for term in terms:
        rest, start = "", 0
        while start < len(term):
            found = _word_at(term, start, words, longest)
            if found:
                parts |= dict.fromkeys(part for part in (rest, found) if part)
                rest, start = "", start + len(found)
            else:
                rest, start = rest + term[start], start + 1
        parts |= dict.fromkeys([rest] if rest else [])
    return tuple(parts)


def _word_at(term: str, start: int, words: Collection[str], longest: int) -> str:
    for end in range(min(start + longest, len(term)), start + 1, -1):
        if term[start:end] in words:
            return term[start:end]
    return ""
