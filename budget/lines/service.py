"""What can be asked of the budget: appropriate, adjust, list; reserving belongs to whoever orders."""

from uuid import UUID

from budget.lines import queries
from budget.lines.queries import BUDGET, LineRow, PostingRow
from budget.lines.rules import TEXTS, Appropriated, Refusal, decide_adjust
from kernel.access.actors import Actor
from kernel.commit.by import By
from kernel.commit.command import Decided, Happened, States
from kernel.ids import uuid7
from kernel.paging import Page, decode_cursor, page_of
from kernel.problems import NotFound, Problem, Refused
from kernel.runtime import Kernel

__all__ = ["BUDGET", "LineRow", "PostingRow", "adjust", "appropriate", "list_lines", "list_postings", "refused"]


def refused(refusal: Refusal, *, available_fen: int) -> Refused:
    """Put a refusal into words."""
    return Refused(*TEXTS[refusal], reason=str(refusal), available_fen=available_fen)


def _absent() -> NotFound:
    return NotFound("未找到该预算指标。", "There is no such budget line, or it is not yours to see.")


async def appropriate(kernel: Kernel, by: By, appropriated: Appropriated) -> UUID:
    """
    Create a budget line (指标下达) and return its id.

    Raises:
        Conflict: a line with this number exists.
    """
    assert appropriated.amount_fen > 0
    line_id = uuid7(by.at)
    ref = BUDGET.ref(line_id)

    def decide(states: States) -> Decided[UUID] | Problem:
        assert states.get(ref) is None
        return Decided(line_id, [Happened(ref, appropriated)])

    return await kernel.committer.submit(by.command([ref], decide, UUID))


async def adjust(kernel: Kernel, by: By, line_id: UUID, *, amount_fen: int, document: str) -> int:
    """
    Add to a line or cut it (追加, 调减) and return what is available then, in fen.

    Raises:
        NotFound: there is no such line.
        Refused: the cut is more than what is available.
    """
    ref = BUDGET.ref(line_id)

    def decide(states: States) -> Decided[int] | Problem:
        line = states.get(ref)
        if line is None:
            return _absent()
        decision = decide_adjust(line, amount_fen=amount_fen, document=document)
        if isinstance(decision, Refusal):
            return refused(decision, available_fen=line.available_fen)
        return Decided(line.available_fen + amount_fen, [Happened(ref, decision)])

    return await kernel.committer.submit(by.command([ref], decide, int))


async def list_lines(
    kernel: Kernel, actor: Actor, *, year: int | None, cursor: str | None, limit: int
) -> Page[LineRow]:
    """Read the lines that the actor may see, the newest year first."""
    after = decode_cursor(cursor, (int, str, UUID)) if cursor else None
    async with kernel.db.read() as tx:
        rows = await queries.lines_page(tx, actor, year=year, after=after, limit=limit + 1)
    return page_of(rows, limit, lambda row: row, lambda row: (row.year, row.number, row.budget_line_id))


async def list_postings(
    kernel: Kernel, actor: Actor, line_id: UUID, *, cursor: str | None, limit: int
) -> Page[PostingRow]:
    """
    Read the double entries of a line, the newest first.

    Raises:
        NotFound: there is no such line, or the actor may not see it.
    """
    before = decode_cursor(cursor, (int,))[0] if cursor else None
    async with kernel.db.read() as tx:
        if not await queries.line_seen(tx, actor, line_id):
            raise _absent()
        rows = await queries.postings_page(tx, line_id, before=before, limit=limit + 1)
    return page_of(rows, limit, lambda row: row, lambda row: (row.version,))
