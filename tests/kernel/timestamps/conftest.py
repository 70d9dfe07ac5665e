"""An authority with a register on disk, at a time that the test turns."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx2
import pytest

from kernel.clock import ManualClock
from kernel.timestamps.app import create_authority_app
from kernel.timestamps.client import StampClient
from kernel.timestamps.register import Register
from kernel.timestamps.rightness import Rightness
from tests.builders.stamps import NOON, AStampingHouse

URL = "http://tsa.test/"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def house() -> AStampingHouse:
    return AStampingHouse()


@pytest.fixture
def rightness(clock: ManualClock) -> Rightness:
    return Rightness(clock)


@pytest.fixture
async def register(tmp_path: Path, house: AStampingHouse, rightness: Rightness) -> AsyncIterator[Register]:
    register = Register(tmp_path / "tsa" / "issued.jsonl", house.authority, rightness.now)
    register.open()
    working = asyncio.create_task(register.work())
    yield register
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    register.close()


@pytest.fixture
async def http(register: Register, rightness: Rightness, clock: ManualClock) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that reaches the authority of this test at ``URL``, and nothing else."""
    transport = httpx2.ASGITransport(app=create_authority_app(register, rightness, clock))
    async with httpx2.AsyncClient(mounts={"all://": None, "http://tsa.test": transport}) as client:
        yield client


MakeClient = Callable[..., StampClient]


@pytest.fixture
def make_client(house: AStampingHouse, http: httpx2.AsyncClient, clock: ManualClock) -> MakeClient:
    def make(*urls: str, trust: AStampingHouse | None = None) -> StampClient:
        return StampClient(urls or (URL,), (trust or house).trust, http, clock, timeout_s=2.0)

    return make
