"""A site with an authority for certificates, a seal and a time stamp authority, and an awarded auction."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from kernel.clock import ManualClock
from kernel.runtime import Kernel
from kernel.timestamps.app import create_authority_app
from kernel.timestamps.client import StampClient
from kernel.timestamps.register import Register
from kernel.timestamps.rightness import Rightness
from kernel.vault.identities import Service, identities_of
from tests.builders.market_signings import Table, a_table
from tests.builders.stamps import AStampingHouse
from tests.conftest import NOON, KernelMaker

URL = "http://tsa.test/"


@pytest.fixture
def house() -> AStampingHouse:
    return AStampingHouse()


@pytest.fixture
async def kernel(make_kernel: KernelMaker, tmp_path: Path, house: AStampingHouse) -> AsyncIterator[Kernel]:
    clock, trust = ManualClock(NOON), tmp_path / "time.pem"
    trust.write_bytes(house.root.certificate.public_bytes(Encoding.PEM))
    made = await make_kernel(clock, data_dir=tmp_path, tsa_url=(URL,), tsa_trust=trust)
    await made.trust.create_trial()
    identities_of(made.settings).make_trial(
        NOON - timedelta(days=1), name="测试", hosts=("localhost",), services=(Service.SEAL,)
    )
    rightness = Rightness(clock)
    register = Register(tmp_path / "tsa" / "issued.jsonl", house.authority, rightness.now)
    register.open()
    working = asyncio.create_task(register.work())
    transport = httpx2.ASGITransport(app=create_authority_app(register, rightness, clock))
    async with httpx2.AsyncClient(mounts={"all://": None, "http://tsa.test": transport}) as http:
        yield dataclasses.replace(made, stamps=StampClient([URL], house.trust, http, clock, timeout_s=2.0))
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    register.close()


@pytest.fixture
async def table(kernel: Kernel) -> AsyncIterator[Table]:
    found = await a_table(kernel)
    yield found
    for person in found.people.values():
        await person.client.aclose()
