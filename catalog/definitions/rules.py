"""
What a category (品目) asks of its products: typed attributes, required or not.

A category without a definition of its own follows the nearest one above it. A value is stored under the
attribute's identifier, so an identifier never changes how it is read.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, assert_never
from uuid import UUID, uuid5

import msgspec

ATTRIBUTES_MAX: Final = 100
TEXT_LENGTH_MAX: Final = 2000

_NAMESPACE: Final = UUID("6f1c9f3e-5a55-5d0b-9d64-6a2f0a6b2c11")
"""Fixed for ever: the identifier of a definition is derived from its category."""
_ATTRIBUTE_ID: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,9})?")

Value = bool | int | str
"""The value of an attribute: a number is a whole count of its unit's least part."""


def definition_id(edition: str, code: str) -> UUID:
    """Name the stream of a category's definition."""
    return uuid5(_NAMESPACE, f"definition/{edition}/{code}")


class TextAttribute(msgspec.Struct, frozen=True, tag_field="kind", tag="text", forbid_unknown_fields=True):
    """Free text of at most ``length_max`` characters."""

    id: str
    name: str
    required: bool = False
    length_max: int = 200


class NumberAttribute(msgspec.Struct, frozen=True, tag_field="kind", tag="number", forbid_unknown_fields=True):
    """
    A number with a unit.

    Values, ``minimum`` and ``maximum`` count the unit's least part: with ``decimals=1`` the screen of
    14.0 英寸 is 140. No float anywhere.
    """

    id: str
    name: str
    unit: str
    required: bool = False
    decimals: int = 0
    minimum: int = 0
    maximum: int = 10**12


class ChoiceAttribute(msgspec.Struct, frozen=True, tag_field="kind", tag="choice", forbid_unknown_fields=True):
    """One of ``options``."""

    id: str
    name: str
    options: tuple[str, ...]
    required: bool = False


class BooleanAttribute(msgspec.Struct, frozen=True, tag_field="kind", tag="boolean", forbid_unknown_fields=True):
    """Yes or no."""

    id: str
    name: str
    required: bool = False


Attribute = TextAttribute | NumberAttribute | ChoiceAttribute | BooleanAttribute


class Definition(msgspec.Struct, frozen=True):
    """
    What the products of a category, and of those below it without a definition of their own, must state.

    ``revision`` counts the definitions. ``shapes`` remembers how each identifier that was ever used is
    read (kind, unit, decimals), because products hold values under it.
    """

    id: UUID
    revision: int
    edition: str
    code: str
    attributes: tuple[Attribute, ...]
    shapes: dict[str, str]


class Defined(msgspec.Struct, frozen=True, tag_field="kind", tag="definition.defined"):
    """The definition was made or replaced."""

    id: UUID
    edition: str
    code: str
    attributes: tuple[Attribute, ...]


class Refusal(StrEnum):
    """Why a definition is refused, in order of precedence."""

    TOO_MANY = "too-many-attributes"
    ID_WRONG = "attribute-id-wrong"
    ID_TWICE = "attribute-id-twice"
    LIMITS_WRONG = "attribute-limits-wrong"
    SHAPE_CHANGED = "attribute-shape-changed"


TEXTS: Final[dict[Refusal, tuple[str, str]]] = {
    Refusal.TOO_MANY: ("属性过多", f"More than {ATTRIBUTES_MAX} attributes"),
    Refusal.ID_WRONG: (
        "属性标识须为小写英文字母开头的字母、数字、下划线",
        "An attribute id is a lower-case letter and then letters, digits and underscores",
    ),
    Refusal.ID_TWICE: ("属性标识重复", "An attribute id occurs twice"),
    Refusal.LIMITS_WRONG: ("属性的范围、长度或选项不合理", "Range, length or options make no sense"),
    Refusal.SHAPE_CHANGED: (
        "已使用的属性标识不得改变类型、单位或小数位；请换用新标识",
        "An id in use cannot change kind, unit or decimals; use another id",
    ),
}


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with one field of a product, in Chinese and English."""

    field: str
    zh: str
    en: str


def shape_of(attribute: Attribute) -> str:
    """Write how the values of an attribute are read; two attributes of one shape read alike."""
    match attribute:
        case TextAttribute():
            return "text"
        case NumberAttribute():
            return f"number/{attribute.unit}/{attribute.decimals}"
        case ChoiceAttribute():
            return "choice"
        case BooleanAttribute():
            return "boolean"
        case _:
            assert_never(attribute)


def decide_define(  # noqa: PLR0911  refusals in their order
    definition: Definition | None, edition: str, code: str, attributes: tuple[Attribute, ...]
) -> Defined | Refusal | None:
    """Decide a category's definition; ``None`` when it is there already, word for word."""
    if len(attributes) > ATTRIBUTES_MAX:
        return Refusal.TOO_MANY
    if not all(_ATTRIBUTE_ID.fullmatch(attribute.id) for attribute in attributes):
        return Refusal.ID_WRONG
    if len({attribute.id for attribute in attributes}) != len(attributes):
        return Refusal.ID_TWICE
    if not all(_limits_make_sense(attribute) for attribute in attributes):
        return Refusal.LIMITS_WRONG
    shapes = definition.shapes if definition else {}
    if any(shapes.get(attribute.id, shape_of(attribute)) != shape_of(attribute) for attribute in attributes):
        return Refusal.SHAPE_CHANGED
    if definition is not None and definition.attributes == attributes:
        return None
    return Defined(definition_id(edition, code), edition, code, attributes)


def evolve(definition: Definition | None, event: Defined, _at: datetime) -> Definition:
    """Apply a definition."""
    shapes = (definition.shapes if definition else {}) | {one.id: shape_of(one) for one in event.attributes}
    revision = definition.revision + 1 if definition else 1
    return Definition(event.id, revision, event.edition, event.code, event.attributes, shapes)


def check_values(definition: Definition | None, values: Mapping[str, Value]) -> tuple[Fault, ...]:
    """
    Check the attribute values of a product against its category; all faults at once.

    A category without a definition asks for nothing and takes nothing.
    """
    attributes = {attribute.id: attribute for attribute in definition.attributes} if definition else {}
    faults = [
        Fault(f"attributes.{name}", f"本品目没有属性 {name}", f"The category has no attribute {name}")
        for name in values
        if name not in attributes
    ]
    for name, attribute in attributes.items():
        if name in values:
            faults += _fault_of(attribute, values[name])
        elif attribute.required:
            faults.append(
                Fault(f"attributes.{name}", f"缺少必填属性“{attribute.name}”", f"Attribute {name} is required")
            )
    return tuple(faults)


def read_value(attribute: Attribute, text: str) -> Value | Fault:
    """Read the value of an attribute from a cell: ``14.0`` or ``14.0英寸``, ``是``, an option."""
    field = f"attributes.{attribute.id}"
    match attribute:
        case TextAttribute() | ChoiceAttribute():
            value: Value = text.strip()
        case BooleanAttribute():
            word = text.strip().lower()
            if word not in _BOOLEANS:
                return Fault(field, f"“{attribute.name}”须为 是 或 否", f"{attribute.id} must be yes or no")
            value = _BOOLEANS[word]
        case NumberAttribute():
            number = _read_number(attribute, text)
            if number is None:
                return Fault(
                    field,
                    f"“{attribute.name}”须为数字（{attribute.unit}，最多{attribute.decimals}位小数）",
                    f"{attribute.id} must be a number with at most {attribute.decimals} decimals",
                )
            value = number
        case _:
            assert_never(attribute)
    return next(iter(_fault_of(attribute, value)), value)


def write_value(attribute: Attribute, value: Value) -> str:
    """Write a value for people: ``14.0 英寸``, ``是``."""
    match attribute:
        case NumberAttribute():
            assert isinstance(value, int)
            return f"{Decimal(value).scaleb(-attribute.decimals):f} {attribute.unit}".rstrip()
        case BooleanAttribute():
            return "是" if value else "否"
        case TextAttribute() | ChoiceAttribute():
            return str(value)
        case _:
            assert_never(attribute)


_BOOLEANS: Final = {"是": True, "有": True, "yes": True, "true": True, "1": True} | {
    "否": False,
    "无": False,
    "no": False,
    "false": False,
    "0": False,
}


def _fault_of(attribute: Attribute, value: Value) -> list[Fault]:
    field, name = f"attributes.{attribute.id}", attribute.name
    match attribute:
        case TextAttribute():
            if isinstance(value, str) and 0 < len(value) <= attribute.length_max:
                return []
            zh, en = f"为1至{attribute.length_max}字的文本", f"text of 1 to {attribute.length_max} characters"
        case NumberAttribute():
            if type(value) is int and attribute.minimum <= value <= attribute.maximum:
                return []
            low, high = write_value(attribute, attribute.minimum), write_value(attribute, attribute.maximum)
            zh, en = f"为{low}至{high}", f"from {low} to {high}"
        case ChoiceAttribute():
            if value in attribute.options:
                return []
            options = "、".join(attribute.options)
            zh, en = f"为：{options} 之一", f"one of {options}"
        case BooleanAttribute():
            if isinstance(value, bool):
                return []
            zh, en = "为是或否", "true or false"
        case _:
            assert_never(attribute)
    return [Fault(field, f"“{name}”须{zh}", f"{attribute.id} must be {en}")]


def _read_number(attribute: NumberAttribute, text: str) -> int | None:
    plain = text.strip().replace(",", "")
    plain = plain.removesuffix(attribute.unit).strip() if attribute.unit else plain
    if not _NUMBER.fullmatch(plain):
        return None
    scaled = Decimal(plain).scaleb(attribute.decimals)
    return int(scaled) if scaled == int(scaled) else None


def _limits_make_sense(attribute: Attribute) -> bool:
    match attribute:
        case TextAttribute():
            return 1 <= attribute.length_max <= TEXT_LENGTH_MAX
        case NumberAttribute():
            return 0 <= attribute.decimals <= 6 and attribute.minimum <= attribute.maximum  # noqa: PLR2004  a millionth is fine enough
        case ChoiceAttribute():
            options = attribute.options
            return bool(options) and all(options) and len(set(options)) == len(options)
        case BooleanAttribute():
            return True
        case _:
            assert_never(attribute)
