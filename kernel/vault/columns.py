"""Sealed secrets as columns of tables, such as the seeds of one-time codes: which they are, and sealing them anew."""

from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from kernel.db.database import Database
from kernel.vault.vault import Vault

_BATCH: Final = 200


@dataclass(frozen=True, slots=True, eq=False)
class SealedColumn:
    """
    A column of ``bytea`` whose values are sealed secrets, or null.

    ``key`` is the column that names a row. The purpose of a row's secret is ``{purpose}/{key}``: with
    :meth:`purpose_of` whoever writes the column gets it right.
    """

    column: sa.Column[Any]
    key: sa.Column[Any]
    purpose: str

    def purpose_of(self, key: object) -> str:
        return f"{self.purpose}/{key}"

    async def reseal(self, db: Database, vault: Vault) -> int:
        """
        Seal anew what is under an older master key, and return how many rows.

        A row that somebody writes meanwhile keeps what they wrote, which is under the new key. Twice is harmless.
        """
        done, after = 0, None
        while True:
            rows = await self._rows(db, after)
            for key, sealed in rows:
                resealed = vault.resealed(self.purpose_of(key), sealed)
                if resealed is not None:
                    done += await self._replace(db, key, sealed, resealed)
            if len(rows) < _BATCH:
                return done
            after = rows[-1][0]

    async def under(self, db: Database, key_id: bytes) -> int:
        """Count the rows whose secret is sealed under one master key."""
        found, after = 0, None
        while True:
            rows = await self._rows(db, after)
            found += sum(Vault.key_id_of(sealed) == key_id for _, sealed in rows)
            if len(rows) < _BATCH:
                return found
            after = rows[-1][0]

    async def _rows(self, db: Database, after: object) -> list[tuple[Any, bytes]]:
        statement = sa.select(self.key, self.column).where(self.column.is_not(None)).order_by(self.key).limit(_BATCH)
        if after is not None:
            statement = statement.where(self.key > after)
        async with db.read() as connection:
            return [(key, bytes(sealed)) for key, sealed in await connection.execute(statement)]

    async def _replace(self, db: Database, key: object, before: bytes, after: bytes) -> int:
        statement = (
            sa.update(self.column.table).where(self.key == key, self.column == before).values({self.column.name: after})
        )
        async with db.read() as connection:
            return (await connection.execute(statement)).rowcount
