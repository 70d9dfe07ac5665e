"""An import of goods that is killed in the middle goes on where it was, and nothing is there twice."""

import asyncio
import csv
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import msgspec
import pytest

from catalog.goods.service import SLICE_ROWS, GoodsReport
from kernel.runtime import Kernel
from tests.builders.catalog import LAPTOP, a_market
from tests.builders.environment import bare_environment

ROWS = 20 * SLICE_ROWS
PATIENCE_S = 120

pytestmark = pytest.mark.timeout(600)


class Import:
    """``zhecai import goods`` of one file, in a process of its own."""

    def __init__(self, file: Path, database_url: str, redis_url: str) -> None:
        self._command = (sys.executable, "-m", "portal", "import", "goods", str(file), "--json")
        self._environment = bare_environment()
        self._environment |= {"ZHECAI_DATABASE_URL": database_url, "ZHECAI_REDIS_URL": redis_url}
        self._environment["ZHECAI_DATA_DIR"] = str(file.parent)

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def ended(self, process: subprocess.Popen[bytes]) -> GoodsReport:
        out, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, out
        return msgspec.json.decode(out, type=GoodsReport)


def goods(path: Path) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = ((number, f"电脑{number}", LAPTOP, "台", 100 + number) for number in range(ROWS))
        csv.writer(file).writerows([("商品编号", "名称", "品目", "单位", "单价"), *rows])
    return path


async def imported(owner: asyncpg.Connection) -> tuple[int, int]:
    """Products that are there, and entries of the journal that made one."""
    row = await owner.fetchrow(
        "select (select count(*) from products where name like '电脑%'), "
        "(select count(*) from journal where kind = 'product.created' and convert_from(body, 'UTF8') like '%电脑%')"
    )
    return row[0], row[1]


async def test_a_killed_import_goes_on_where_it_was(
    kernel: Kernel, owner: asyncpg.Connection, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    await a_market(kernel)
    importing = Import(goods(tmp_path / "goods.csv"), database_url, redis_url)

    process = importing.start()
    limit_s = time.monotonic() + PATIENCE_S  # noqa: TID251 - a real process takes real time
    while not (before := (await imported(owner))[0]):
        assert process.poll() is None
        assert time.monotonic() < limit_s, "it took too long"  # noqa: TID251
        await asyncio.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    await asyncio.to_thread(process.communicate)
    killed_at, made = await imported(owner)
    assert 0 < before <= killed_at < ROWS  # in the middle
    assert made == killed_at

    report = await asyncio.to_thread(importing.ended, importing.start())

    assert (report.imported, report.unchanged, report.rejected) == (ROWS - killed_at, killed_at, 0)
    assert await imported(owner) == (ROWS, ROWS)
    again = await asyncio.to_thread(importing.ended, importing.start())
    assert (again.imported, again.unchanged) == (0, ROWS)
