"""The service as it is really run: processes, signals, a port, a data directory."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx2 as httpx
import msgspec
import pytest

from kernel.db.database import Database, connections_max
from kernel.engines.embedded import connections_wanted, running
from kernel.settings import Settings
from portal.demo.province import BODIES, PASSWORD
from tests.builders.environment import bare_environment

PATIENCE_S = 120
T = TypeVar("T")

pytestmark = pytest.mark.timeout(600)


def until(found: Callable[[], T | None]) -> T:
    """Ask until there is an answer."""
    limit_s = time.monotonic() + PATIENCE_S  # noqa: TID251 - real processes take real time
    while True:
        if (answer := found()) is not None:
            return answer
        assert time.monotonic() < limit_s, "it took too long"  # noqa: TID251
        time.sleep(0.05)


class Zhecai:
    """A running command."""

    def __init__(self, log: Path, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._log = log

    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log lines of a name."""
        lines = (line for line in self.said().splitlines() if line.startswith("{") and f'"{name}"' in line)
        return [msgspec.json.decode(line) for line in lines]

    def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@contextmanager
def zhecai(log: Path, *arguments: str) -> Iterator[Zhecai]:
    environment = bare_environment()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "portal", *arguments], stdout=out, stderr=out, env=environment
        )
    try:
        yield Zhecai(log, process)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def once(*arguments: str) -> tuple[int, str]:
    """Run a command to its end."""
    environment = bare_environment()
    command = [sys.executable, "-m", "portal", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=PATIENCE_S, check=False)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def answers(url: str) -> int | None:
    """Ask for the time on a new connection; tell the status, ``None`` when nobody answers."""
    try:
        return httpx.get(f"{url}/api/system", timeout=2).status_code
    except httpx.TransportError:
        return None


def gone(pid: int) -> bool | None:
    """True when a process has ended (a zombie has)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return True if state in {"Z", "X"} else None


def test_several_processes_share_a_port_replace_each_other_and_stop_together(tmp_path: Path) -> None:
    config = tmp_path / "zhecai.toml"
    config.write_text("body_bytes_max = 1024\n")
    data = str(tmp_path / "data")
    arguments = ("serve", "--workers", "2", "--port", "0", "--data", data, "--config", str(config))
    with zhecai(tmp_path / "log", *arguments) as service:
        ready = until(lambda: next(iter(service.events("service.ready")), None))
        url, (one, other) = ready["url"], ready["processes"]
        until(lambda: answers(url))
        for still, busy in ((one, other), (other, one)):  # each of them answers while the other cannot
            os.kill(busy, signal.SIGSTOP)
            assert until(lambda: answers(url)) == 200
            os.kill(busy, signal.SIGCONT)
            assert gone(still) is None
        login = {"login": "x" * 2_000, "password": "y"}
        assert httpx.post(f"{url}/api/sessions", json=login).status_code == 413  # the file's limit is theirs as well

        os.kill(one, signal.SIGKILL)
        died = until(lambda: next(iter(service.events("service.process_died")), None))
        assert died["pid"] == one
        os.kill(other, signal.SIGSTOP)
        assert until(lambda: answers(url)) == 200  # that was the new one
        os.kill(other, signal.SIGCONT)

        assert service.stop(signal.SIGTERM) == 0
        assert all(until(lambda pid=pid: gone(pid)) for pid in (other, died["started"]))
        assert answers(url) is None
        assert "Traceback" not in service.said()

    with zhecai(tmp_path / "log2", *arguments) as service:  # the same data, and then the parent is killed
        ready = until(lambda: next(iter(service.events("service.ready")), None))
        until(lambda: answers(ready["url"]))
        service.stop(signal.SIGKILL)
        assert all(until(lambda pid=pid: gone(pid)) for pid in ready["processes"])


def url_of(demo: Zhecai) -> str | None:
    found = re.search(r"Zhecai\s+(http://\S+)", demo.said())
    return found[1] if found and "Ctrl-C" in demo.said() else None


def organisation_ids(url: str) -> set[str]:
    """Log in as the first body of the sample province and list the organisations."""
    with httpx.Client(base_url=url) as client:
        login = {"login": BODIES[0].login, "password": PASSWORD}
        assert client.post("/api/sessions", json=login).status_code == 201
        return {
            item["organisation_id"] for item in client.get("/api/organisations", params={"limit": 200}).json()["items"]
        }


def test_a_demo_starts_reuses_its_data_and_starts_over_when_asked(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    arguments = ("demo", "--no-bots", "--port", "0", "--data", data)
    with zhecai(tmp_path / "log", *arguments) as demo:
        first = organisation_ids(until(lambda: url_of(demo)))
        assert len(first) >= len(BODIES) - 1
        for body in BODIES:
            assert body.login in demo.said()

        assert once("verify", "--data", data)[0] == 0  # beside the running service
        status, said = once("demo", "--fresh", "--no-bots", "--port", "0", "--data", data)
        assert status == 1
        assert "✗" in said
        assert "Traceback" not in said
        assert demo.stop(signal.SIGINT) == 0

    with zhecai(tmp_path / "log2", *arguments) as demo:
        assert organisation_ids(until(lambda: url_of(demo))) == first
        assert demo.stop(signal.SIGTERM) == 0

    with zhecai(tmp_path / "log3", *arguments, "--fresh") as demo:
        anew = organisation_ids(until(lambda: url_of(demo)))
        assert not anew & first
        assert demo.stop(signal.SIGTERM) == 0
        assert "Traceback" not in demo.said()


def test_four_processes_under_load_stay_within_what_the_embedded_server_allows(tmp_path: Path) -> None:
    settings = Settings(workers=4, pool_size=5, data_dir=tmp_path / "data")
    arguments = ("serve", "--workers", "4", "--port", "0", "--data", str(settings.data_dir))
    config = tmp_path / "zhecai.toml"
    config.write_text("pool_size = 5\nworkers = 4\n")
    with zhecai(tmp_path / "log", *arguments, "--config", str(config)) as service:
        url = until(lambda: next(iter(service.events("service.ready")), None))["url"]
        until(lambda: answers(url))
        statuses, used, allowed = asyncio.run(press(url, settings))
        doctor_code, doctor = once("doctor", *arguments[3:], "--config", str(config))
        assert service.stop(signal.SIGTERM) == 0

    assert set(statuses) == {200}
    assert allowed >= connections_wanted(settings) == 5 * connections_max(5) + 10
    assert 4 * 3 <= max(used) <= 4 * connections_max(5)
    assert doctor_code == 0, doctor  # it looks into the service that runs
    assert f"connections: {4 * connections_max(5)} at most, the database allows {allowed - 3}" in doctor


async def press(url: str, settings: Settings) -> tuple[list[int], list[int], int]:
    """Ask for lists on 64 connections at once for a while; tell the answers, and how many connections were open."""
    postgres, _ = running(settings.data_dir)
    assert postgres
    owner = await Database(postgres.url, role=None).connect()
    statuses: list[int] = []
    used: list[int] = []

    async def ask() -> None:
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            for path in ("/api/products", "/api/products/facets", "/api/auctions", "/api/agreements") * 3:
                answer = await client.get(path, headers={"Authorization": "Bearer x"})
                statuses.append(answer.status_code)

    async def watch() -> None:
        while True:
            statement = "select count(*) from pg_stat_activity where application_name = 'zhecai'"
            used.append(await owner.fetchval(statement) - 1)
            await asyncio.sleep(0.05)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(ask() for _ in range(64)))
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    allowed = int(await owner.fetchval("show max_connections"))
    await owner.close()
    return statuses, used, allowed
