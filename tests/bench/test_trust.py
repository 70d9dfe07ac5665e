"""The bench of receipts measures receipts that are good."""

from pathlib import Path

from bench import trust
from bench.options import Options


async def test_what_is_measured_is_also_verified(tmp_path: Path) -> None:
    said: list[str] = []

    measured = await trust.run(Options(rounds=1, seconds=0.2), tmp_path, said.append)

    assert measured.right
    assert measured.checks["receipts"]["checked"] >= trust.BATCH
    assert [bar.of for bar in measured.bars] == ["ratio", "ratio"]
    assert all(bar.value > 0 for bar in measured.bars)
    assert len(said) == 1
