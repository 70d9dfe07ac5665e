"""A disk that fills up under a running service: it says so, loses nothing, and goes on once there is room."""

import os
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from kernel.clock import SystemClock
from kernel.db.database import Database
from kernel.engines.embedded import EmbeddedEngines
from kernel.problems import Unavailable
from kernel.runtime import Kernel, open_kernel
from portal.app import load_actor
from portal.migrate import migrate
from tests.builders.engines import a_small_disk, embedded
from tests.builders.stock import DDL, ID, fill, take

COMMANDS_MAX = 20_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 600 MB: a cluster, its log, and little more."""
    with a_small_disk(tmp_path / "disk", 600) as place:
        yield place


def fill_up(disk: Path) -> Path:
    """Leave no byte free."""
    ballast = disk / "ballast"
    room = os.statvfs(disk)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize)
    return ballast


async def take_until_refused(kernel: Kernel) -> tuple[int, Unavailable]:
    """Take one after the other; give how many were acknowledged, and what the next was told."""
    for taken in range(COMMANDS_MAX):
        try:
            await kernel.committer.submit(take(f"b{taken}"))
        except Unavailable as refused:
            return taken, refused
    raise AssertionError("the disk never filled up")


async def test_a_full_disk_is_said_and_loses_nothing_and_room_lets_it_go_on(
    disk: Path, tmp_path: Path, redis_url: str
) -> None:
    settings = embedded(disk, redis_url=redis_url, blob_dir=tmp_path / "blobs")
    async with EmbeddedEngines(settings, SystemClock()) as engines:
        await migrate(engines.database_url)
        owner = await Database(engines.database_url, role=None).connect()
        await owner.execute(DDL)
        async with open_kernel(
            settings,
            SystemClock(),
            database_url=engines.database_url,
            redis_url=redis_url,
            load_actor=load_actor,
        ) as kernel:
            await kernel.committer.submit(fill(COMMANDS_MAX + 10))
            ballast = fill_up(disk)
            taken, refused = await take_until_refused(kernel)

            assert refused.members["reason"] == "storage-full"
            assert await entries(owner) == taken + 1, "what was acknowledged is there, what was refused is not"

            ballast.unlink()
            await kernel.committer.submit(take("again"))

            assert await entries(owner) == taken + 2
        await owner.close()


async def entries(owner: asyncpg.Connection) -> int:
    found: int = await owner.fetchval("select count(*) from journal where stream = $1", f"stock/{ID}")
    return found
