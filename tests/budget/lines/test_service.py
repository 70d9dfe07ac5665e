"""The budget on a real database: numbers are unique, adjustments hold, and the tables refuse what rules would."""

from uuid import UUID

import asyncpg
import msgspec
import pytest

from budget.lines import service
from budget.lines.service import BUDGET
from kernel.access.actors import Actor, Role
from kernel.commit.by import By
from kernel.paging import Page
from kernel.problems import Conflict, NotFound, Refused
from kernel.runtime import Kernel
from tests.builders.budget import SCHOOL, an_appropriation
from tests.builders.registries import OPERATOR

HEAD = Actor(UUID(int=1), "head", "校长", SCHOOL, "第一小学", "330102", (Role.PURCHASER,))
BUREAU = Actor(UUID(int=2), "bureau", "财政局", UUID(int=3), "财政局", "330100", (Role.SUPERVISOR,))


async def appropriate(kernel: Kernel, **changes: object) -> UUID:
    event = an_appropriation(**changes)
    return await service.appropriate(kernel, By(OPERATOR, "local", kernel.clock.now()), event)


async def adjust(kernel: Kernel, line_id: UUID, amount_fen: int) -> int:
    by = By(OPERATOR, "local", kernel.clock.now())
    return await service.adjust(kernel, by, line_id, amount_fen=amount_fen, document="杭财预〔2026〕9号")


async def lines(kernel: Kernel, actor: Actor, **changes: object) -> Page[service.LineRow]:
    asked = {"year": None, "cursor": None, "limit": 10, **changes}
    return await service.list_lines(kernel, actor, **asked)  # type: ignore[arg-type]


async def test_two_lines_cannot_have_one_number(kernel: Kernel) -> None:
    await appropriate(kernel)

    with pytest.raises(Conflict):
        await appropriate(kernel)


async def test_an_adjustment_moves_what_is_available_and_leaves_a_posting(kernel: Kernel) -> None:
    line_id = await appropriate(kernel, amount_fen=1_000)

    assert await adjust(kernel, line_id, 500) == 1_500
    assert await adjust(kernel, line_id, -1_500) == 0

    (line,) = (await lines(kernel, HEAD)).items
    page = await service.list_postings(kernel, HEAD, line_id, cursor=None, limit=10)
    assert (line.appropriated_fen, line.available_fen) == (0, 0)
    assert [(posting.debit, posting.amount_fen) for posting in page.items] == [
        ("appropriated", 1_500),
        ("available", 500),
        ("available", 1_000),
    ]


async def test_a_cut_below_what_is_available_is_refused(kernel: Kernel) -> None:
    line_id = await appropriate(kernel, amount_fen=1_000)

    with pytest.raises(Refused) as refused:
        await adjust(kernel, line_id, -1_001)

    assert refused.value.members == {"reason": "budget-below-committed", "available_fen": 1_000}


async def test_a_line_that_does_not_exist_cannot_be_adjusted(kernel: Kernel) -> None:
    with pytest.raises(NotFound):
        await adjust(kernel, UUID(int=9), 1)


async def test_a_purchaser_sees_its_own_lines_and_a_supervisor_those_of_its_region(kernel: Kernel) -> None:
    own = await appropriate(kernel)
    await appropriate(kernel, number="330203-2026-1", organisation_id=UUID(int=7), region="330203")

    for actor in (HEAD, BUREAU):
        assert [line.budget_line_id for line in (await lines(kernel, actor)).items] == [own]
    province = msgspec.structs.replace(BUREAU, region="330000")
    assert len((await lines(kernel, province)).items) == 2
    supplier = msgspec.structs.replace(HEAD, roles=(Role.SUPPLIER,))
    assert (await lines(kernel, supplier)).items == ()


async def test_pages_of_lines_show_the_newest_year_first_and_each_line_once(kernel: Kernel) -> None:
    for year in (2025, 2026):
        for number in range(3):
            await appropriate(kernel, number=f"{year}-{number}", year=year)

    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await lines(kernel, HEAD, cursor=cursor, limit=2)
        seen += [line.number for line in page.items]
        cursor = page.next
        if cursor is None:
            break

    assert seen == ["2026-0", "2026-1", "2026-2", "2025-0", "2025-1", "2025-2"]
    assert len((await lines(kernel, HEAD, year=2025)).items) == 3


@pytest.mark.parametrize(
    "tampering",
    [
        "available_fen = -1, reserved_fen = appropriated_fen + 1",
        "reserved_fen = -1, available_fen = appropriated_fen + 1",
        "consumed_fen = -1, available_fen = appropriated_fen + 1",
        "available_fen = available_fen - 1",
        "appropriated_fen = appropriated_fen + 1",
    ],
)
async def test_the_table_refuses_what_does_not_add_up(
    kernel: Kernel, owner: asyncpg.Connection, tampering: str
) -> None:
    await appropriate(kernel)

    with pytest.raises(asyncpg.CheckViolationError):
        await owner.execute(f"update budget_lines set {tampering}")


async def test_a_line_is_read_back_as_it_was_written(kernel: Kernel) -> None:
    line_id = await appropriate(kernel, amount_fen=1_000)

    async with kernel.db.pool.acquire() as connection:
        version, line = (await BUDGET.load(connection, [line_id]))[line_id]

    assert (version, line.available_fen, line.reservations) == (1, 1_000, {})
