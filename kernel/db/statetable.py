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
        self._table = table
        columns = ["id", "version", *(name for name in self._fields if name != "id"), *self._derived]
        types = {name: table.c[name].type for name in columns}
        self._json = frozenset(name for name in columns if isinstance(types[name], postgresql.JSONB))
        self._arrays = frozenset(name for name in columns if isinstance(types[name], sa.ARRAY))
        self._columns = columns
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        # A nested array cannot be unnested row by row: it travels as JSON text and is opened again inside.
        sent = {name: "text" if name in self._json | self._arrays else types[name].compile(dialect) for name in columns}
        opened = {
            name: f"u.{name}::jsonb"
            if name in self._json
            else f"(select coalesce(array_agg(e::{types[name].item_type.compile(dialect)}), '{{}}') "  # type: ignore[attr-defined]
            f"from json_array_elements_text(u.{name}::json) e)"
            if name in self._arrays
            else f"u.{name}"
            for name in columns
        }
        arrays = ", ".join(f"${n}::{sent[name]}[]" for n, name in enumerate(columns, 1))
        self._save = (
            f"insert into {table.fullname} ({', '.join(columns)}) "
            f"select {', '.join(opened[name] for name in columns)} from unnest({arrays}) as u({', '.join(columns)}) "
            "on conflict (id) do update set "
            + ", ".join(f"{name} = excluded.{name}" for name in columns if name != "id")
        )
        self._load = f"select {', '.join(['id', 'version', *(f for f in self._fields if f != 'id')])} from {table.fullname} where id = any($1::uuid[])"

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
