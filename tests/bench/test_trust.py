"""The bench of receipts measures receipts that are good."""

from pathlib import Path

import pytest

from bench import trust
from bench.options import Options
from crypto.log.tiles import TILE_WIDTH


@pytest.mark.parametrize("before", [trust.BEFORE, TILE_WIDTH * TILE_WIDTH - trust.BATCH])
async def test_what_is_measured_is_also_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int) -> None:
    monkeypatch.setattr(trust, "BEFORE", before)  # the second grows a level while it is measured
    said: list[str] = []

    measured = await trust.run(Options(rounds=1, seconds=0.5), tmp_path, said.append)

    assert measured.right
    assert measured.checks["receipts"]["checked"] >= trust.BATCH
    assert [bar.of for bar in measured.bars] == ["ratio", "ratio"]
    assert all(bar.value > 0 for bar in measured.bars)
    assert len(said) == 1
