"""
Checking the files of the store against the rows that name them: ``zhecai verify``.

Every digest that a row names has its file, with that SHA-256. A file that no row names is no fault: a process that was
killed between file and entry leaves one, and it is taken up again when it is sent in again.

Cost: every row is read once, in the order of its key, and every file once, unless a million others were read since.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from kernel.blobs.store import BlobMissingError, Blobs, BlobTamperedError
from kernel.journal.streams import Connection
from kernel.journal.verify import Difference

BlobColumns = Mapping[str, Sequence[sa.Column[Any]]]
"""For each kind of stream the columns of its state table that name a blob, by its digest in hex, or are null."""

_PAGE: Final = 500
_SEEN_MAX: Final = 1_000_000
"""So many digests are remembered, at two hundred bytes each."""
_FIRST: Final = UUID(int=0)
_DIGESTS: Final = """
select {column}, id, version from {table} where {column} is not null and id > $1 order by id limit $2
"""
_NAMED: Final = "select {column} from {table} where {column} = any($1::text[])"


class BlobProgress(NamedTuple):
    """How far the check has come: ``files`` that were read, and were what they should be or not."""

    files: int


async def verify_blobs(
    connection: Connection, blobs: Blobs, columns: BlobColumns
) -> AsyncIterator[BlobProgress | Difference]:
    """Check the file of every digest that ``columns`` name: yields progress after each page, and every difference."""
    files = 0
    seen: set[str] = set()
    for kind, named in columns.items():
        for column in named:
            after = _FIRST
            while rows := await connection.fetch(_statement(_DIGESTS, column), after, _PAGE):
                for digest, row_id, version in rows:
                    if _is_new(seen, digest):
                        files += 1
                        if fault := await _fault(blobs, digest):
                            yield Difference(f"{kind}/{row_id}", version, f"its {column.name} {digest} {fault}")
                after = rows[-1][1]
                yield BlobProgress(files)


def _is_new(seen: set[str], digest: str) -> bool:
    """Tell whether a digest comes for the first time, as far as that is remembered."""
    if digest in seen:
        return False
    if len(seen) == _SEEN_MAX:
        seen.clear()
    seen.add(digest)
    return True


async def strays(connection: Connection, blobs: Blobs, columns: BlobColumns) -> list[Path]:
    """List the files of the store that none of ``columns`` names, those included that were being written."""
    found: list[Path] = []
    for directory in await asyncio.to_thread(lambda: sorted(blobs.directory.glob("*"))):
        files = {
            directory.name + file.name: file for file in await asyncio.to_thread(lambda d: [*d.iterdir()], directory)
        }
        for column in (column for named in columns.values() for column in named):
            for (digest,) in await connection.fetch(_statement(_NAMED, column), list(files)):
                files.pop(digest, None)
        found += sorted(files.values())
    return found


async def _fault(blobs: Blobs, digest: str) -> str:
    try:
        await blobs.get(digest)
    except BlobMissingError:
        return "has no file"
    except BlobTamperedError:
        return "is not the hash of its file"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return ""


def _statement(text: str, column: sa.Column[Any]) -> str:
    return text.format(column=column.name, table=column.table.name)
