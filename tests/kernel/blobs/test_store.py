"""The store of files that never change: durable, written once, and hashed again when read."""

import asyncio
import errno
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kernel.blobs.store import BlobMissingError, Blobs, BlobTamperedError
from kernel.problems import Unavailable

CONTENT = b"a picture"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def files(blobs: Blobs) -> list[Path]:
    return [path for path in blobs.directory.rglob("*") if path.is_file()]


async def test_a_file_is_known_by_the_digest_of_its_content(blobs: Blobs) -> None:
    assert await blobs.put(CONTENT) == DIGEST
    assert await blobs.get(DIGEST) == CONTENT
    assert files(blobs) == [blobs.place_of(DIGEST)]


async def test_what_was_never_put_is_missing(blobs: Blobs) -> None:
    with pytest.raises(BlobMissingError):
        await blobs.get(DIGEST)


async def test_the_same_content_at_once_from_many_is_one_file(blobs: Blobs) -> None:
    others = [Blobs(blobs.directory) for _ in range(16)]

    digests = await asyncio.gather(*(each.put(CONTENT) for each in others))

    assert set(digests) == {DIGEST}
    assert files(blobs) == [blobs.place_of(DIGEST)]


async def test_a_file_is_not_written_again(blobs: Blobs) -> None:
    await blobs.put(CONTENT)
    before = blobs.place_of(DIGEST).stat()

    await blobs.put(CONTENT)

    after = blobs.place_of(DIGEST).stat()
    assert (after.st_ino, after.st_mtime_ns, oct(after.st_mode)) == (before.st_ino, before.st_mtime_ns, "0o100444")


@pytest.mark.parametrize("damage", [b"a Picture", b"a pictur", b"a picture ", b""])
async def test_a_file_that_was_tampered_with_is_neither_given_out_nor_written_over(blobs: Blobs, damage: bytes) -> None:
    await blobs.put(CONTENT)
    place = blobs.place_of(DIGEST)
    place.chmod(0o644)
    place.write_bytes(damage)

    with pytest.raises(BlobTamperedError):
        await blobs.get(DIGEST)
    with pytest.raises(BlobTamperedError):
        await blobs.put(CONTENT)
    assert place.read_bytes() == damage


async def test_the_content_is_on_the_disk_before_its_name_is_and_the_name_before_it_is_acknowledged(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    await blobs.put(b"the first one makes the directories")
    steps: list[str] = []
    sync, link = os.fsync, os.link

    def synced(descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(blobs.directory)
        steps.append(f"sync {name.parts[0]}")
        sync(descriptor)

    def linked(*names: Path) -> None:
        steps.append("link")
        link(*names)

    blobs.place_of(DIGEST).parent.mkdir(exist_ok=True)
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "link", linked)
    await blobs.put(CONTENT)

    assert steps == ["sync aside", "link", f"sync {DIGEST[:2]}"]


KILLED_AT = """
import os, signal, sys
from pathlib import Path
from kernel.blobs.store import Blobs
step, number = sys.argv[2], 0
def dies(original):
    def call(*arguments):
        os.kill(os.getpid(), signal.SIGKILL)
    return call
setattr(os, step, dies(getattr(os, step)))
Blobs(Path(sys.argv[1])).put_now(b"a picture")
"""


@pytest.mark.parametrize("step", ["fsync", "link"])
def test_whoever_is_killed_leaves_no_half_file_under_a_name(blobs: Blobs, step: str) -> None:
    for shard in (blobs.directory / "aside", blobs.place_of(DIGEST).parent):
        shard.mkdir(parents=True, exist_ok=True)

    done = subprocess.run([sys.executable, "-c", KILLED_AT, str(blobs.directory), step], check=False)

    assert done.returncode == -signal.SIGKILL
    assert not blobs.place_of(DIGEST).exists()
    assert len(files(blobs)) == 1  # what was written aside
    assert blobs.put_now(CONTENT) == DIGEST
    assert blobs.get_now(DIGEST) == CONTENT


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
async def test_a_full_disk_is_a_problem_that_says_so_and_leaves_nothing(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(_: int) -> None:
        raise OSError(number, "full")

    for shard in (blobs.directory / "aside", blobs.place_of(DIGEST).parent):
        shard.mkdir(parents=True)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable) as refused:
        await blobs.put(CONTENT)

    assert "磁盘" in refused.value.detail[0]
    assert files(blobs) == []
