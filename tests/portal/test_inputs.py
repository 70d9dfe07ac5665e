"""Everything that comes in has a limit: no number that a column cannot hold, no text or list without an end."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import inspect

from kernel.pictures import BYTES_MAX
from kernel.settings import Settings
from kernel.web.routes import Operation, TypedRoute
from portal.app import API

INT_MAX = 2**63 - 1
OPERATIONS = [route.operation for route in API if isinstance(route, TypedRoute)]


def unlimited(  # noqa: C901, PLR0912 - one case a type
    node: Any, path: str, inside: frozenset[type] = frozenset()
) -> Iterator[str]:
    match node:
        case inspect.IntType():
            if node.le is None or node.le > INT_MAX:
                yield f"{path}: a number without a greatest"
        case inspect.StrType():
            ends = re.fullmatch(r"\^.*(\{[\d,]*\d\}|[^+*,}])\$", node.pattern or "")
            if node.max_length is None and not ends:
                yield f"{path}: a text without an end"
        case inspect.ListType() | inspect.VarTupleType() | inspect.SetType():
            if node.max_length is None:
                yield f"{path}: a list without an end"
            yield from unlimited(node.item_type, f"{path}[]", inside)
        case inspect.UnionType():
            for one in node.types:
                yield from unlimited(one, path, inside)
        case inspect.StructType():
            if not node.forbid_unknown_fields:
                yield f"{path}: takes fields that mean nothing"
            for field in node.fields if node.cls not in inside else ():
                yield from unlimited(field.type, f"{path}.{field.encode_name}", inside | {node.cls})
        case inspect.Metadata():
            yield from unlimited(node.type, path, inside)
        case inspect.DictType() | inspect.AnyType() | inspect.RawType() | inspect.FloatType():
            yield f"{path}: {type(node).__name__} says too little"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.endpoint.__name__)
def test_every_part_of_a_body_has_a_limit(operation: Operation) -> None:
    if operation.body is not None:
        assert list(unlimited(inspect.type_info(operation.body), "body")) == []


def test_every_upload_has_a_limit_of_its_own_and_everything_else_at_most_the_sites() -> None:
    uploads = {operation.path: operation.body_bytes_max or 0 for operation in OPERATIONS if operation.uploads}
    own = [operation.body_bytes_max for operation in OPERATIONS if operation.body_bytes_max and not operation.uploads]

    assert uploads["/api/pictures"] == BYTES_MAX
    assert all(0 < bytes_max <= 16 << 20 for bytes_max in uploads.values()), uploads
    assert max(own) < Settings().body_bytes_max
