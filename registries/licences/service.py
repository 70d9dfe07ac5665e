"""Handing copies of licences in, and showing them to who reviews the registration and to nobody else."""

from typing import Final
from uuid import UUID

from kernel.access.actors import Actor
from kernel.commit.by import By
from kernel.commit.command import Decided, Happened, States
from kernel.ids import uuid7
from kernel.problems import Invalid, NotFound
from kernel.runtime import Kernel
from registries.licences import queries
from registries.licences.queries import LICENCE, LICENCE_FILES
from registries.licences.rules import SUFFIXES, TEXTS, Filed, Licence, Unfit, evolve, media_of
from registries.registrations import service as registrations

__all__ = ["LICENCE", "LICENCE_FILES", "Licence"]

FILED_MAX: Final = 20
FILED_S: Final = 86_400
"""Copies that one organisation may hand in within a day."""


async def file(kernel: Kernel, by: By, content: bytes) -> Licence:
    """
    Keep a copy of the own organisation's licence; it takes the place of the one before, which is kept.

    The file is on the disk before the entry is made, so an entry always has its file.

    Raises:
        TooMany: more than ``FILED_MAX`` within a day.
        NotFound: the caller has no organisation.
        Invalid: it is none of what is taken; ``reason`` names why.
        Unavailable: the disk is full.
    """
    organisation_id = by.actor.organisation_id
    if organisation_id is None:
        raise registrations.absent()
    media = media_of(content)
    if isinstance(media, Unfit):
        raise Invalid(*TEXTS[media], field="body", reason=media.value)
    await kernel.limits.hit(f"licence/{organisation_id}", FILED_MAX, FILED_S)
    digest = await kernel.blobs.put(content)
    ref = LICENCE.ref(uuid7(by.at))
    filed = Filed(ref.id, organisation_id, digest, media, len(content))

    def decide(_: States) -> Decided[Licence]:
        return Decided(evolve(None, filed, by.at), [Happened(ref, filed)])

    return await kernel.committer.submit(by.command([ref], decide, Licence, creates=[ref]))


async def licences(kernel: Kernel, actor: Actor, organisation_id: UUID) -> list[Licence]:
    """List an organisation's copies, the latest first. Raises ``NotFound`` for whoever may not see its registration."""
    await registrations.get(kernel, actor, organisation_id)
    async with kernel.db.read() as tx:
        return await queries.of_organisation(tx, organisation_id)


async def read(kernel: Kernel, actor: Actor, licence_id: UUID) -> tuple[bytes, str, str]:
    """Read a copy: its bytes, what it is, and a name to save it by. Raises ``NotFound``."""
    found = (await LICENCE.load(kernel.db.pool, [licence_id])).get(licence_id)
    if found is None:
        raise NotFound("没有这份执照。", "There is no such licence, or it is not yours to see.")
    licence = found.state
    await registrations.get(kernel, actor, licence.organisation_id)
    content = await kernel.blobs.get(licence.digest)
    return content, licence.media.value, f"licence-{licence.digest[:12]}.{SUFFIXES[licence.media]}"
