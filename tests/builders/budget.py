"""Valid budget lines and their events."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from budget.lines.rules import Appropriated, Line
from kernel.frozenmap import FrozenMap

MORNING: Final = datetime(2026, 11, 23, 1, tzinfo=UTC)
SCHOOL: Final = UUID("01900000-0000-7000-8000-0000000000a1")
"""The purchaser whose lines these are."""
OTHER_SCHOOL: Final = UUID("01900000-0000-7000-8000-0000000000a2")
ORDER: Final = UUID("01900000-0000-7000-8000-0000000000d1")
OTHER_ORDER: Final = UUID("01900000-0000-7000-8000-0000000000d2")


def an_appropriation(**changes: Any) -> Appropriated:
    event = Appropriated(
        number="330102-2026-04078",
        name="办公设备购置",
        year=2026,
        organisation_id=SCHOOL,
        region="330102",
        amount_fen=1_000_000_00,
        document="杭财预〔2026〕1号",
    )
    return msgspec.structs.replace(event, **changes)


def a_line(**changes: Any) -> Line:
    line = Line(
        number="330102-2026-04078",
        name="办公设备购置",
        year=2026,
        organisation_id=SCHOOL,
        region="330102",
        appropriated_fen=1_000_000_00,
        available_fen=1_000_000_00,
        reserved_fen=0,
        consumed_fen=0,
        reservations=FrozenMap(),
    )
    return msgspec.structs.replace(line, **changes)
