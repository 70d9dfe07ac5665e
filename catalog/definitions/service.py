"""Defining what categories ask, and finding which definition counts for a product."""

from collections.abc import Mapping
from uuid import UUID

from catalog.classification import service as classification
from catalog.classification.rules import ancestors_of
from catalog.definitions import queries
from catalog.definitions.queries import DEFINITION
from catalog.definitions.rules import TEXTS, Attribute, Definition, Refusal, decide_define, definition_id
from kernel.access.actors import Actor
from kernel.commit.command import Command, Decided, Happened, States
from kernel.problems import NotFound, Problem, Refused
from kernel.runtime import Kernel

__all__ = ["DEFINITION", "define_category", "definition_of", "definitions_of", "nearest"]


async def define_category(
    kernel: Kernel,
    actor: Actor,
    *,
    code: str,
    attributes: tuple[Attribute, ...],
    edition: str = classification.EDITION,
    origin: str = "local",
) -> UUID:
    """
    Say what the products of a category must state; the same definition again does nothing.

    Products checked before keep their values and say by which revision they were checked.

    Raises:
        NotFound: there is no such category.
        Refused: the definition makes no sense, or would change how stored values are read.
    """
    if not await classification.path_of(kernel, edition, code):
        raise NotFound(f"{edition}版目录中没有品目 {code}。", f"The {edition} edition has no category {code}.")
    ref = DEFINITION.ref(definition_id(edition, code))

    def decide(states: States) -> Decided[UUID] | Problem:
        decision = decide_define(states.get(ref), edition, code, attributes)
        if isinstance(decision, Refusal):
            return Refused(*TEXTS[decision], reason=decision.value)
        return Decided(ref.id, [Happened(ref, decision)] if decision else ())

    return await kernel.committer.submit(Command([ref], decide, actor.journal, origin, kernel.clock.now()))


async def definition_of(kernel: Kernel, edition: str, code: str) -> Definition | None:
    """Find the definition that counts for a category: its own, or the nearest above it."""
    path = await classification.path_of(kernel, edition, code)
    return nearest(await definitions_of(kernel, edition), code, {one.code: one.parent for one in path})


async def definitions_of(kernel: Kernel, edition: str) -> dict[str, Definition]:
    """Read all definitions of an edition, by the code of their category."""
    async with kernel.db.read() as tx:
        return await queries.of_edition(tx, edition)


def nearest(definitions: Mapping[str, Definition], code: str, parents: Mapping[str, str]) -> Definition | None:
    """Pick the definition of a category or of the nearest one above that has one."""
    return next((definitions[one] for one in ancestors_of(code, parents) if one in definitions), None)
