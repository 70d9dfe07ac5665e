"""The smallest body that a route takes, made from its type: who walks all routes need not know them one by one."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from hypothesis import find
from hypothesis import strategies as st

Schema = dict[str, Any]

_REF: Final = "#/$defs/{name}"
_FORMATS: Final = {
    "uuid": "00000000-0000-0000-0000-000000000007",
    "date": "2026-11-23",
    "date-time": "2026-11-23T02:00:00Z",
}


def example_of(type_: Any) -> Any:
    """Make an instance of a type, as JSON would carry it."""
    (schema,), components = msgspec.json.schema_components([type_], ref_template=_REF)
    return _example(schema, components)


def _example(schema: Schema, components: dict[str, Schema]) -> Any:
    if "$ref" in schema:
        schema = components[schema["$ref"].rsplit("/", 1)[1]]
    if "default" in schema:
        return schema["default"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return _example(schema["anyOf"][0], components)
    return _MAKERS[schema["type"]](schema, components)


def _object(schema: Schema, components: dict[str, Schema]) -> Any:
    return {name: _example(schema["properties"][name], components) for name in schema.get("required", ())}


def _array(schema: Schema, components: dict[str, Schema]) -> Any:
    each = schema.get("prefixItems") or [schema.get("items", {})] * schema.get("minItems", 0)
    return [_example(one, components) for one in each]


def _number(schema: Schema, _: dict[str, Schema]) -> Any:
    return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)


def _text(schema: Schema, _: dict[str, Schema]) -> Any:
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    least, most = schema.get("minLength", 0), schema.get("maxLength", 1_000)
    texts = st.from_regex(schema["pattern"]) if "pattern" in schema else st.text()
    return find(texts, lambda text: least <= len(text) <= most and text.isprintable())


_MAKERS: Final[dict[str, Callable[[Schema, dict[str, Schema]], Any]]] = {
    "object": _object,
    "array": _array,
    "integer": _number,
    "number": _number,
    "string": _text,
    "boolean": lambda *_: False,
}
