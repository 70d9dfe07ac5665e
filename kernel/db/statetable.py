"""
State rows for an ordinary kind of stream: one table, one row a stream, columns named as the fields.

Scalars are columns of their own; what is nested (tuples, dicts, structs) is ``JSONB`` written and read by
msgspec. A kind with a hot path or child rows writes its own ``load`` and ``save`` instead.
"""

from collections.abc import Sequence
from typing import Any, Generic
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from kernel.journal.streams import Change, Connection, E, S, Versioned


class StateTable(Generic[S, E]):
    """
    Loads and saves states of ``state_type`` (a frozen ``msgspec.Struct``) in ``table``.

    The table has ``id UUID PRIMARY KEY``, ``version BIGINT`` and a column for each field of the state,
    of the same name. Further columns (search grams, say) are ``derived``: computed from a state at save.
    """

    def __init__(self, table: sa.Table, state_type: type[S], derived: dict[str, Any] | None = None) -> None:
        self._state_type = state_type
        self._derived = derived or {}
        self._fields = [field.name for field in msgspec.structs.fields(state_type)]  # type: ignore[arg-type]
        self._columns = ["id", "version", *(name for name in self._fields if name != "id"), *self._derived]
        kinds = {name: table.c[name].type for name in self._columns}
        self._json = frozenset(name for name, kind in kinds.items() if isinstance(kind, postgresql.JSONB))
        self._arrays = frozenset(name for name, kind in kinds.items() if isinstance(kind, sa.ARRAY))
        sent, opened = zip(*(_passage(name, kinds[name]) for name in self._columns), strict=True)
        names = ", ".join(f'"{name}"' for name in self._columns)
        unnested = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(sent, 1))
        replaced = ", ".join(f'"{name}" = excluded."{name}"' for name in self._columns if name != "id")
        self._save = (
            f"insert into {table.fullname} ({names}) select {', '.join(opened)} "
            f"from unnest({unnested}) as u({names}) on conflict (id) do update set {replaced}"
        )
        read = ", ".join(f'"{name}"' for name in ("id", "version", *(name for name in self._fields if name != "id")))
        self._load = f"select {read} from {table.fullname} where id = any($1::uuid[])"

    async def load(self, connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Versioned[S]]:
        """Read the states of ``ids``; an absent one is left out."""
        return {
            row["id"]: Versioned(row["version"], self.state(row)) for row in await connection.fetch(self._load, ids)
        }

    async def save(self, connection: Connection, changes: Sequence[Change[S, E]]) -> None:
        """Insert or replace the rows of ``changes`` in one statement."""
        rows = [self._values(change) for change in changes]
        await connection.execute(self._save, *(list(column) for column in zip(*rows, strict=True)))

    def state(self, row: Any) -> S:
        """Read one state from a record that has the state's columns; JSONB may come as text or as bytes."""
        values = {name: row[name] for name in self._fields}
        for name in self._json & values.keys():
            values[name] = msgspec.json.decode(values[name]) if isinstance(values[name], str | bytes) else values[name]
        return msgspec.convert(values, self._state_type, builtin_types=())

    def _values(self, change: Change[S, E]) -> list[object]:
        values: list[object] = []
        for name in self._columns:
            if name == "id":
                values.append(change.id)
            elif name == "version":
                values.append(change.version)
            else:
                value = self._derived[name](change.after) if name in self._derived else getattr(change.after, name)
                nested = name in self._json or name in self._arrays
                values.append(msgspec.json.encode(value).decode() if nested else value)
        return values


def _passage(name: str, kind: sa.types.TypeEngine[Any]) -> tuple[str, str]:
    """
    Say as which type a column travels in an array of rows, and how it is opened inside.

    What is itself nested cannot be unnested row by row: it travels as JSON text.
    """
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    if isinstance(kind, postgresql.JSONB):
        return "text", f'u."{name}"::jsonb'
    if isinstance(kind, sa.ARRAY):
        item = kind.item_type.compile(dialect)
        elements = f'json_array_elements_text(u."{name}"::json)'
        return "text", f"(select coalesce(array_agg(e::{item}), '{{}}') from {elements} e)"
    return kind.compile(dialect), f'u."{name}"'
