"""Files against the rows that name them: every file once, page by page, whatever is wrong is named with its row."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
import sqlalchemy as sa

from kernel.blobs import verify as verify_module
from kernel.blobs.store import Blobs
from kernel.blobs.verify import BlobProgress, verify_blobs
from kernel.journal.verify import Difference

DDL = "create table leaflets (id uuid primary key, version bigint not null, digest text)"
LEAFLETS = sa.Table("leaflets", sa.MetaData(), sa.Column("id", sa.Uuid, primary_key=True), sa.Column("digest", sa.Text))
COLUMNS = {"leaflet": [LEAFLETS.c.digest]}


class CountingBlobs(Blobs):
    """Counts how often each file is read."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.read: list[str] = []

    def get_now(self, digest: str) -> bytes:
        self.read.append(digest)
        return super().get_now(digest)


@pytest.fixture
async def blobs(tmp_path: Path, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch) -> CountingBlobs:
    monkeypatch.setattr(verify_module, "_PAGE", 2)
    await owner.execute(DDL)
    return CountingBlobs(tmp_path / "blobs")


async def name(owner: asyncpg.Connection, digests: Sequence[str | None]) -> None:
    """Give every digest a row, numbered from 1."""
    rows = [(UUID(int=number), number, digest) for number, digest in enumerate(digests, 1)]
    await owner.executemany("insert into leaflets values ($1, $2, $3)", rows)


async def found(owner: asyncpg.Connection, blobs: Blobs) -> tuple[int, list[Difference]]:
    """Check everything; give how many files were checked, and the differences."""
    files, differences = 0, []
    async for one in verify_blobs(owner, blobs, COLUMNS):
        if isinstance(one, BlobProgress):
            files = one.files
        else:
            differences.append(one)
    return files, differences


async def test_every_file_is_read_once_however_many_rows_name_it(
    owner: asyncpg.Connection, blobs: CountingBlobs
) -> None:
    one, two, three = [await blobs.put(content) for content in (b"one", b"two", b"three")]
    await name(owner, [two, None, one, two, two, None, three, one])
    blobs.read.clear()

    assert await found(owner, blobs) == (3, [])
    assert sorted(blobs.read) == sorted([one, two, three])


async def test_what_is_missing_and_what_is_no_longer_itself_is_named_with_its_first_row(
    owner: asyncpg.Connection, blobs: CountingBlobs
) -> None:
    kept, lost, changed = [await blobs.put(content) for content in (b"kept", b"lost", b"changed")]
    blobs.place_of(lost).unlink()
    place = blobs.place_of(changed)
    place.chmod(0o600)
    place.write_bytes(b"other")
    await name(owner, [kept, lost, changed, lost, "no digest at all"])

    files, differences = await found(owner, blobs)

    assert files == 4
    assert differences == [
        Difference(f"leaflet/{UUID(int=2)}", 2, f"its digest {lost} has no file"),
        Difference(f"leaflet/{UUID(int=3)}", 3, f"its digest {changed} is not the hash of its file"),
        Difference(f"leaflet/{UUID(int=5)}", 5, "its digest no digest at all has no file"),
    ]


async def test_what_is_forgotten_is_read_again_and_nothing_is_left_out(
    owner: asyncpg.Connection, blobs: CountingBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_module, "_SEEN_MAX", 2)
    digests = [await blobs.put(bytes([number])) for number in range(7)]
    await name(owner, [*digests, *digests])
    blobs.read.clear()

    assert await found(owner, blobs) == (14, [])
    assert set(blobs.read) == set(digests)
