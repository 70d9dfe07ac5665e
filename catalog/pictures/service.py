"""Taking pictures in, and reading them."""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final
from zipfile import BadZipFile, ZipFile

import msgspec
import structlog

from catalog.definitions.rules import Fault
from catalog.pictures import queries
from catalog.pictures.queries import PICTURE, PICTURE_FILES, PictureRow
from catalog.pictures.rules import (
    WITHHELD_TEXTS,
    Event,
    Picture,
    Refusal,
    Stored,
    decide_store,
    decide_withhold,
    is_digest,
    picture_id_of,
)
from kernel.access.actors import Actor
from kernel.blobs.store import BlobMissingError, BlobTamperedError
from kernel.commit.by import By
from kernel.commit.command import Decided, Happened, States
from kernel.journal.streams import StreamRef
from kernel.pictures import BYTES_MAX, TEXTS, cleaned
from kernel.pictures import Fault as Unfit
from kernel.problems import Invalid, NotFound, Problem
from kernel.runtime import Kernel

__all__ = [
    "PICTURE",
    "PICTURE_FILES",
    "Files",
    "Kept",
    "PictureRow",
    "known",
    "picture_of",
    "read_picture",
    "read_thumbnail",
    "refs_of",
    "store_picture",
    "withheld",
    "withhold",
]

log: Final = structlog.get_logger()


class Kept(msgspec.Struct, frozen=True):
    """A picture as it was kept: what it is called from now on, and its size in pixels."""

    digest: str
    width: int
    height: int


async def store_picture(kernel: Kernel, by: By, content: bytes) -> Kept:
    """
    Clean a picture that was sent in, keep it, and enter it in the journal.

    The files are on the disk before the entry is made, so an entry always has its files; a file without an entry,
    left by a process that was killed in between, is never shown and is taken up again when it is sent in again.

    Raises:
        Invalid: it is no picture, or not one that is taken; ``reason`` names which.
        Unavailable: the disk is full.
    """
    organisation_id = by.actor.organisation_id
    source = await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest())
    picture_id = picture_id_of(organisation_id, source)
    async with kernel.db.read() as tx:
        before = await queries.by_source(tx, picture_id)
    if before:
        if before.withheld:
            raise _withheld()
        return Kept(before.digest, before.width, before.height)
    async with kernel.workshop:
        picture = await asyncio.to_thread(cleaned, content)
    if isinstance(picture, Unfit):
        raise Invalid(*TEXTS[picture], field="body", reason=picture.value)
    digest = await kernel.blobs.put(picture.content)
    if await withheld(kernel, [digest]):  # another file that is the same picture once it is cleaned
        raise _withheld()
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

    def decide(states: States) -> Decided[Kept] | Problem:
        before = states.get(ref)
        decision = decide_store(before, stored)
        if decision is Refusal.WITHHELD:
            return _withheld()
        if isinstance(decision, Refusal):
            assert before is not None
            return Decided(Kept(before.digest, before.width, before.height))
        return Decided(Kept(digest, picture.width, picture.height), [Happened(ref, decision)])

    return await kernel.committer.submit(by.command([ref], decide, Kept))


class Files:
    """Pictures by the names of their files, in a directory or a ZIP archive; raises ``Invalid`` for anything else."""

    def __init__(self, place: Path) -> None:
        self._root: Final = place.resolve()
        self._archive: ZipFile | None = None
        if not place.is_dir():
            try:
                self._archive = ZipFile(place)
            except (OSError, BadZipFile) as error:
                raise Invalid(
                    f"图片须放在目录或 ZIP 文件中：{place} 无法读取",
                    f"Pictures come in a directory or a ZIP archive: {place} cannot be read",
                    field="pictures",
                ) from error

    def read(self, name: str) -> bytes | None:
        """Read a file, one byte more than is taken at most; ``None`` when there is none of that name inside."""
        try:
            if self._archive is not None:
                with self._archive.open(name) as file:
                    return file.read(BYTES_MAX + 1)
            path = (self._root / name).resolve()
            if not path.is_relative_to(self._root):  # neither ../ nor a link leads out
                return None
            with path.open("rb") as file:
                return file.read(BYTES_MAX + 1)
        except (OSError, KeyError, ValueError, BadZipFile, RuntimeError, NotImplementedError):
            return None  # absent, damaged, encrypted, or compressed in a way that nobody can read


async def picture_of(  # noqa: PLR0911  one return for each way that a picture is named
    kernel: Kernel, actor: Actor, name: str, files: Files | None, *, at: datetime, keep: bool
) -> str | Fault:
    """
    Find the picture that an import names: one sent in before by its SHA-256, or a file given along; give its digest.

    ``keep`` is false for a dry run: the picture is cleaned and judged, and nothing is written. Addresses are not
    fetched: what stands there tomorrow nobody knows, and the server asks nobody outside.
    """
    if is_digest(name):
        found = await known(kernel, [name])
        return name if found else Fault("pictures", f"没有图片 {name}，请先上传", f"No picture {name} was sent in")
    if "://" in name:
        return Fault(
            "pictures",
            f"不读取外部图片地址 {name}，请随文件提供图片（--pictures）",
            f"The address {name} is not fetched; give the picture along with the file (--pictures)",
        )
    content = await asyncio.to_thread(files.read, name) if files else None
    if content is None:
        return Fault("pictures", f"找不到图片文件 {name}", f"There is no picture file {name}")
    try:
        if keep:
            return (await store_picture(kernel, By(actor, "local", at), content)).digest
    except Invalid as error:
        return Fault("pictures", f"{name}：{error.detail[0]}", f"{name}: {error.detail[1]}")
    picture = await asyncio.to_thread(cleaned, content)
    if isinstance(picture, Unfit):
        zh, en = TEXTS[picture]
        return Fault("pictures", f"{name}：{zh}", f"{name}: {en}")
    digest = hashlib.sha256(picture.content).hexdigest()
    if await withheld(kernel, [digest]):
        zh, en = WITHHELD_TEXTS
        return Fault("pictures", f"{name}：{zh}", f"{name}: {en}")
    return digest


async def read_picture(kernel: Kernel, digest: str) -> bytes:
    """Read a picture; raises ``NotFound``."""
    await _thumbnail_of(kernel, digest)
    return await _read(kernel, digest)


async def read_thumbnail(kernel: Kernel, digest: str) -> bytes:
    """Read the thumbnail of the picture with ``digest``; raises ``NotFound``."""
    return await _read(kernel, await _thumbnail_of(kernel, digest))


async def known(kernel: Kernel, digests: Sequence[str]) -> dict[str, PictureRow]:
    """Find pictures that may be shown; unknown and withheld ones are left out. None is ever deleted."""
    return {digest: row for digest, row in (await _rows(kernel, digests)).items() if not row.withheld}


async def withheld(kernel: Kernel, digests: Sequence[str]) -> frozenset[str]:
    """Tell which of these pictures nobody gets any more."""
    return frozenset(digest for digest, row in (await _rows(kernel, digests)).items() if row.withheld)


async def refs_of(kernel: Kernel, digest: str) -> list[StreamRef[Picture, Event]]:
    """Name the streams of a picture: one for each organisation that sent it in."""
    found = (await _rows(kernel, [digest])).get(digest)
    return [PICTURE.ref(picture_id) for picture_id in found.ids] if found else []


def withhold(states: States, refs: Sequence[StreamRef[Picture, Event]], reason: str) -> list[Happened]:
    """Decide, within somebody's command, that nobody gets the picture of these streams any more."""
    decided = [(ref, decide_withhold(states.get(ref), reason=reason)) for ref in refs]
    return [Happened(ref, event) for ref, event in decided if not isinstance(event, Refusal)]


async def _rows(kernel: Kernel, digests: Sequence[str]) -> dict[str, PictureRow]:
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


def _withheld() -> Invalid:
    return Invalid(*WITHHELD_TEXTS, field="body", reason=Refusal.WITHHELD.value)
