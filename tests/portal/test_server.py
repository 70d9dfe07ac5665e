"""The service in this process: it starts, serves, and stops when it is told to."""

import asyncio
import gc
import os
import re
import signal
import socket
from pathlib import Path
from typing import Any

import httpx2 as httpx
import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from kernel.clock import SystemClock
from kernel.db.database import connections_max
from kernel.engines.errors import EngineError, Fault
from kernel.runtime import Kernel
from kernel.settings import Settings, Source
from kernel.transparency.keys import load_key
from kernel.trust.store import TrustStore
from portal import server
from portal.commands import worker
from portal.server import kernel_up, listen, serve, serve_on, url_of
from tests.builders.live import a_hall
from tests.builders.registries import register
from tests.builders.stock import DDL, ID, fill
from tests.builders.transparency import log_key
from tests.conftest import KernelMaker


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    return Settings(database_url=database_url, redis_url=redis_url, port=0, data_dir=tmp_path)


async def test_it_serves_until_it_is_told_to_stop(settings: Settings) -> None:
    ready: asyncio.Queue[tuple[Kernel, str]] = asyncio.Queue()
    before = gc.get_threshold()
    serving = asyncio.create_task(serve(settings, ready=lambda kernel, url: ready.put_nowait((kernel, url))))
    kernel, url = await asyncio.wait_for(ready.get(), 20)
    async with httpx.AsyncClient(base_url=url) as client:
        assert (await client.get("/readyz")).json() == {"ready": True, "faults": {}}
        answer = await client.get("/api/system")
        assert "server" not in answer.headers
    assert kernel.skew.known.error_s  # it was measured before anybody was let in

    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(serving, 10)

    assert gc.get_threshold() == before
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{url}/healthz")


async def test_a_data_directory_from_before_the_vault_still_starts(settings: Settings) -> None:
    """Its keys are sealed, the log goes on under the key that it began with, and its authority still issues."""
    began = load_key(settings.data_dir / "keys" / "log.pem")
    plain = settings.data_dir / "ca" / "passphrase"
    await TrustStore(msgspec.structs.replace(settings, ca_passphrase_file=plain), SystemClock()).create_trial()
    ready: asyncio.Queue[tuple[Kernel, str]] = asyncio.Queue()
    serving = asyncio.create_task(serve(settings, ready=lambda kernel, url: ready.put_nowait((kernel, url))))
    kernel, _ = await asyncio.wait_for(ready.get(), 20)

    await register(kernel, 1)
    await kernel.transparency.step()

    assert await kernel.trust.authority() is not None
    assert (await log_key(kernel)).public == began.public_key().public_bytes_raw()
    assert not plain.exists()
    assert list((settings.data_dir / "keys").iterdir()) == []
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(serving, 10)


async def test_it_does_not_start_where_the_database_allows_too_few_connections(settings: Settings, owner: Any) -> None:
    name = await owner.fetchval("select current_database()")
    needed = connections_max(settings.pool_size)
    await owner.execute(f"alter database {name} connection limit {2 * needed - 1}")

    with pytest.raises(EngineError) as refused:
        await serve(msgspec.structs.replace(settings, workers=2))

    assert refused.value.fault is Fault.CROWDED
    for sentence in refused.value.detail:
        assert {str(2 * needed - 1), str(2 * needed)} <= set(re.findall(r"[0-9]+", sentence))
    await owner.execute(f"alter database {name} connection limit {2 * needed}")
    async with server.engines_up(msgspec.structs.replace(settings, workers=2)) as addresses:
        assert addresses[0] == settings.database_url


async def test_stopping_tells_viewers_that_it_restarts(make_kernel: KernelMaker, owner: Any) -> None:
    await owner.execute(DDL)
    kernel = await make_kernel(SystemClock())
    await kernel.committer.submit(fill(1))
    listener = listen(Settings(port=0))
    async with server.service_up(kernel, listener, a_hall(kernel)) as url:
        socket_ = await connect(f"{url.replace('http', 'ws')}/hall/{ID}")
        await socket_.recv()
    with pytest.raises(ConnectionClosedError):
        await socket_.recv()
    listener.close()

    assert socket_.close_code == 1012


async def test_one_process_of_several_stops_when_its_parent_is_gone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_RESPAWN_S", 0.05)
    parent = os.getppid()
    listener = listen(settings)
    port = listener.getsockname()[1]
    serving = asyncio.create_task(serve_on(settings, os.dup(listener.fileno())))
    async with httpx.AsyncClient() as client, asyncio.timeout(20):
        assert (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
        assert not serving.done()
        monkeypatch.setattr(os, "getppid", lambda: parent + 1)
        await serving
    listener.close()


async def test_a_worker_alone_stops_when_it_is_told_to(settings: Settings) -> None:
    working = asyncio.create_task(worker._work(settings))
    await asyncio.sleep(0.3)
    assert not working.done()
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(working, 10)


async def test_a_command_gets_a_kernel_on_the_data_that_the_settings_name(settings: Settings) -> None:
    async with kernel_up(settings) as kernel:
        assert kernel.db.dsn == settings.database_url


def test_a_port_that_is_taken_is_explained_before_anything_is_started() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(EngineError) as caught:
        listen(Settings(port=taken.getsockname()[1]))

    assert caught.value.fault is Fault.PORT_TAKEN


@pytest.mark.parametrize(
    ("bind", "public_url", "pattern"),
    [
        ("127.0.0.1", None, "http://127.0.0.1:{port}"),
        ("0.0.0.0", None, "https://127.0.0.1:{port}"),  # noqa: S104 - what this is about
        ("::1", None, "http://[::1]:{port}"),
        ("127.0.0.1", "https://market.example", "https://market.example"),
    ],
)
def test_its_address_is_one_that_a_browser_can_use(bind: str, public_url: str | None, pattern: str) -> None:
    settings = Settings(bind=bind, port=0, public_url=public_url)
    try:
        listener = listen(settings)
    except EngineError:
        pytest.skip("this machine has no such address")
    with listener:
        assert url_of(settings, listener) == pattern.format(port=listener.getsockname()[1])


@pytest.mark.parametrize(
    ("value", "text"),
    [(("10.0.0.0/8", "::1"), "10.0.0.0/8,::1"), (True, "true"), (5, "5"), (Path("var"), "var"), (Source.FILE, "file")],
)
def test_a_setting_is_handed_to_the_other_processes_as_its_variable_takes_it(value: object, text: str) -> None:
    assert server._written(value) == text
