"""The bench of trust measures receipts that are good, and logins that open sessions."""

from pathlib import Path

import pytest

from bench import logins, receipts, trust
from bench.options import Options
from crypto.log.tiles import TILE_WIDTH


@pytest.mark.parametrize("before", [receipts.BEFORE, TILE_WIDTH * TILE_WIDTH - receipts.BATCH])
async def test_what_is_measured_is_also_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int) -> None:
    monkeypatch.setattr(receipts, "BEFORE", before)  # the second grows a level while it is measured
    said: list[str] = []

    measured = await trust.run(Options(rounds=1, seconds=0.5), tmp_path, said.append)

    assert measured.right
    assert measured.checks["receipts"]["checked"] >= receipts.BATCH
    assert [bar.of for bar in measured.bars] == ["ratio"] * 4
    assert [bar.bar for bar in measured.bars] == [trust.RATIO_BAR, None, None, None]
    assert measured.checks["logins"]["checked"] >= 2 * logins.ACCOUNTS
    assert all(bar.value > 0 for bar in measured.bars)
    assert len(said) == 1
