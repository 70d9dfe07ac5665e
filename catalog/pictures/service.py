"""Taking pictures in, and reading them."""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
import structlog

from catalog.pictures import queries
from catalog.pictures.queries import PICTURE, PictureRow
from catalog.pictures.rules import Refusal, Stored, decide_store, picture_id_of
from kernel.access.actors import Actor
from kernel.blobs.store import BlobMissingError, BlobTamperedError
from kernel.commit.command import Command, Decided, Happened, Key, States
from kernel.pictures import TEXTS, Fault, cleaned
from kernel.problems import Invalid, NotFound
from kernel.runtime import Kernel

__all__ = ["PICTURE", "Kept", "PictureRow", "known", "read_picture", "read_thumbnail", "store_picture"]

log: Final = structlog.get_logger()


class Kept(msgspec.Struct, frozen=True):
    """A picture as it was kept: what it is called from now on, and its size in pixels."""

    digest: str
    width: int
    height: int


async def store_picture(
    kernel: Kernel,
    actor: Actor,
    content: bytes,
    *,
    at: datetime,
    origin: str = "local",
    key: Key | None = None,
) -> Kept:
    """
    Clean a picture that was sent in, keep it, and enter it in the journal.

    The files are on the disk before the entry is made, so an entry always has its files; a file without an entry,
    left by a process that was killed in between, is never shown and is taken up again when it is sent in again.

    Raises:
        Invalid: it is no picture, or not one that is taken; ``reason`` names which.
        Unavailable: the disk is full.
    """
    organisation_id = actor.organisation_id
    source = await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest())
    picture_id = picture_id_of(organisation_id, source)
    async with kernel.db.read() as tx:
        before = await queries.by_source(tx, picture_id)
    if before:
        return Kept(before.digest, before.width, before.height)
    async with kernel.workshop:
        picture = await asyncio.to_thread(cleaned, content)
    if isinstance(picture, Fault):
        raise Invalid(*TEXTS[picture], field="body", reason=picture.value)
    digest = await kernel.blobs.put(picture.content)
    thumbnail = await kernel.blobs.put(picture.thumbnail)
    stored = Stored(
        id=picture_id,
        source=source,
        digest=digest,
        thumbnail=thumbnail,
        width=picture.width,
        height=picture.height,
        size_bytes=len(picture.content),
        organisation_id=organisation_id,
    )
    ref = PICTURE.ref(picture_id)

    def decide(states: States) -> Decided[Kept]:
        before = states.get(ref)
        decision = decide_store(before, stored)
        if isinstance(decision, Refusal):
            assert before is not None
            return Decided(Kept(before.digest, before.width, before.height))
        return Decided(Kept(digest, picture.width, picture.height), [Happened(ref, decision)])

    return await kernel.committer.submit(Command([ref], decide, actor.journal, origin, at, key, Kept))


async def read_picture(kernel: Kernel, digest: str) -> bytes:
    """Read a picture; raises ``NotFound``."""
    await _thumbnail_of(kernel, digest)
    return await _read(kernel, digest)


async def read_thumbnail(kernel: Kernel, digest: str) -> bytes:
    """Read the thumbnail of the picture with ``digest``; raises ``NotFound``."""
    return await _read(kernel, await _thumbnail_of(kernel, digest))


async def known(kernel: Kernel, digests: Sequence[str]) -> dict[str, PictureRow]:
    """Find pictures; unknown ones are left out. None is ever deleted, so what was found stays."""
    if not digests:
        return {}
    async with kernel.db.read() as tx:
        return await queries.by_digests(tx, digests)


async def _thumbnail_of(kernel: Kernel, digest: str) -> str:
    """Look a digest up: only what was entered as a picture is given out, whatever else the store holds."""
    async with kernel.db.read() as tx:
        thumbnail = await queries.thumbnail_of(tx, digest)
    if thumbnail is None:
        raise _absent()
    return thumbnail


async def _read(kernel: Kernel, digest: str) -> bytes:
    try:
        return await kernel.blobs.get(digest)
    except (BlobMissingError, BlobTamperedError) as error:
        log.error("picture.damaged", digest=digest, damage=type(error).__name__)  # noqa: TRY400 - nothing to trace
        raise _absent() from error


def _absent() -> NotFound:
    return NotFound("没有这张图片。", "There is no such picture.")
