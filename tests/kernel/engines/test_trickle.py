"""What a server's files grow by is written soon."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from kernel.clock import SystemClock
from kernel.engines import trickle as trickle_module
from kernel.engines.embedded import EmbeddedEngines
from kernel.engines.postgres import PostgresServer
from kernel.engines.trickle import FILE_BYTES_MIN, Trickle
from tests.builders.engines import bindir, embedded

GROW = "insert into grown select repeat('x', 1000) from generate_series(1, 3000)"


async def test_files_that_have_grown_are_written_and_no_others(home: Path) -> None:
    with PostgresServer(bindir(), home, fsync=False) as server:
        trickle = Trickle(server.cluster)
        connection = await asyncpg.connect(server.url)
        await connection.execute("create table grown (text text)")
        await connection.execute("create table other as select repeat('y', 1000) from generate_series(1, 3000)")
        await connection.execute(GROW)
        grown = server.cluster / await connection.fetchval("select pg_relation_filepath('grown')")
        trickle.look()
        trickle.turn()

        assert trickle.turn() == []
        await connection.execute(GROW)
        assert trickle.turn() == [grown]
        assert trickle.turn() == []
        await connection.execute("drop table grown")
        assert grown not in trickle.turn()
        await connection.close()


def test_writing_begins_and_small_files_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began: list[str] = []

    def begin(file: int) -> None:
        began.append(str(Path(f"/proc/self/fd/{file}").readlink()))

    monkeypatch.setattr(trickle_module, "_begin_to_write", lambda: begin)
    base = tmp_path / "base" / "1"
    base.mkdir(parents=True)
    (base / "large").write_bytes(bytes(FILE_BYTES_MIN))
    (base / "small").write_bytes(bytes(FILE_BYTES_MIN - 1))
    trickle = Trickle(tmp_path)
    trickle.look()
    trickle.turn()

    assert began == [str(base / "large")]
    (base / "large").unlink()
    assert trickle.turn() == []


def test_where_the_system_cannot_do_it_nothing_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trickle_module, "_begin_to_write", lambda: None)
    trickle = Trickle(tmp_path)
    trickle.start()
    trickle.stop()

    assert "trickle" not in [thread.name for thread in trickle_module.threading.enumerate()]


async def test_embedded_engines_have_one_while_they_run(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grown: set[Path] = set()
    written = asyncio.Event()
    loop = asyncio.get_running_loop()
    turn: Callable[[Trickle], list[Path]] = Trickle.turn

    def noted(self: Trickle) -> list[Path]:
        found = turn(self)
        if any(path in grown for path in found):
            loop.call_soon_threadsafe(written.set)
        return found

    monkeypatch.setattr(Trickle, "turn", noted)
    monkeypatch.setattr(trickle_module, "EVERY_S", 0.01)
    monkeypatch.setattr(trickle_module, "_LOOK_EVERY", 1)
    settings = embedded(home.parent, redis_url="redis://not-needed")
    async with EmbeddedEngines(settings, SystemClock()) as engines, asyncio.timeout(20):
        connection = await asyncpg.connect(engines.database_url)
        await connection.execute("create table grown (text text)")
        assert engines.postgres
        grown.add(engines.postgres.cluster / await connection.fetchval("select pg_relation_filepath('grown')"))
        await connection.execute(GROW)
        await written.wait()
        await connection.close()
