import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio

from kernel.clock import SystemClock
from kernel.engines.embedded import EmbeddedEngines, running
from kernel.engines.errors import EngineError, Fault
from tests.builders.engines import embedded
from tests.builders.logs import captured


@pytest.fixture
def data_dir(home: Path) -> Path:
    return home.parent


def engines_of(data_dir: Path, **changes: object) -> EmbeddedEngines:
    return EmbeddedEngines(embedded(data_dir, **changes), SystemClock())


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not happened():  # noqa: ASYNC110 - a process that dies sets no event
            await asyncio.sleep(0.01)


async def test_both_are_up_inside_and_gone_outside(data_dir: Path) -> None:
    with captured() as logs:
        async with engines_of(data_dir) as engines:
            connection = await asyncpg.connect(engines.database_url)
            assert await connection.fetchval("SELECT 1") == 1
            await connection.close()
            async with redis.asyncio.from_url(engines.redis_url) as client:
                assert await client.ping()
            postgres, valkey = running(data_dir)
            assert postgres is not None
            assert valkey is not None
            assert (postgres.owner_pid, postgres.url) == (os.getpid(), engines.database_url)
            assert (valkey.owner_pid, valkey.url) == (os.getpid(), engines.redis_url)
    assert running(data_dir) == (None, None)
    assert engines.postgres is not None
    assert engines.valkey is not None
    assert not engines.postgres.alive()
    assert not engines.valkey.alive()
    started = [line["engine"] for line in logs if line["event"] == "engine.started"]
    assert sorted(started) == ["postgres", "valkey"]


async def test_what_the_settings_name_is_not_started(data_dir: Path) -> None:
    named = {"database_url": "postgresql://h/d", "redis_url": "redis://h"}
    async with engines_of(data_dir, **named) as engines:
        assert (engines.database_url, engines.redis_url) == ("postgresql://h/d", "redis://h")
        assert engines.postgres is None
        assert engines.valkey is None


async def test_when_the_second_cannot_start_the_first_is_stopped_again(data_dir: Path) -> None:
    async with engines_of(data_dir, database_url="postgresql://h/d"):
        with pytest.raises(EngineError) as refused:
            async with engines_of(data_dir):
                pass
    assert refused.value.fault is Fault.IN_USE
    assert running(data_dir) == (None, None)


async def test_an_engine_that_dies_is_started_again_at_the_same_address(data_dir: Path) -> None:
    with captured() as logs:
        async with engines_of(data_dir) as engines:
            assert engines.postgres is not None
            assert engines.valkey is not None
            before = (engines.postgres.pid, engines.valkey.pid, engines.postgres.url, engines.valkey.url)
            for pid in before[:2]:
                os.kill(pid, signal.SIGKILL)
            await until(lambda: sum(line["event"] == "engine.restarted" for line in logs) == 2)
            after = (engines.postgres.pid, engines.valkey.pid, engines.postgres.url, engines.valkey.url)
            assert before[2:] == after[2:]
            assert not set(before[:2]) & set(after[:2])
            connection = await asyncpg.connect(engines.database_url)
            assert await connection.fetchval("SELECT 1") == 1
            await connection.close()
            async with redis.asyncio.from_url(engines.redis_url) as client:
                assert await client.ping()
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["engine.died", "engine.died"]


async def test_an_engine_that_cannot_start_again_is_tried_until_it_can(data_dir: Path) -> None:
    control = data_dir / "postgres" / "cluster" / "global" / "pg_control"
    with captured() as logs:
        async with engines_of(data_dir, redis_url="redis://not-needed") as engines:
            assert engines.postgres is not None
            control.rename(control.with_name("hidden"))
            os.kill(engines.postgres.pid, signal.SIGKILL)
            await until(lambda: any(line["event"] == "engine.not_restarted" for line in logs))
            control.with_name("hidden").rename(control)
            await until(lambda: logs[-1]["event"] == "engine.restarted")
    refused = next(line for line in logs if line["event"] == "engine.not_restarted")
    assert refused["fault"] is Fault.DAMAGED


async def test_a_start_that_is_cancelled_leaves_nothing_behind(data_dir: Path) -> None:
    engines = engines_of(data_dir)
    start = asyncio.create_task(engines.__aenter__())
    await until(lambda: engines.postgres is not None and engines.postgres.pid > 0)
    assert engines.postgres is not None
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert not engines.postgres.alive()
    assert running(data_dir) == (None, None)
