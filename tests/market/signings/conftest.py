"""A site with an authority for certificates, a seal and a time stamp authority, and an awarded auction."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kernel.clock import ManualClock
from kernel.runtime import Kernel
from tests.builders.market_signings import Table, a_table, stamping, tsa_settings
from tests.builders.stamps import AStampingHouse
from tests.conftest import NOON, KernelMaker


@pytest.fixture
def house() -> AStampingHouse:
    return AStampingHouse()


@pytest.fixture
async def kernel(make_kernel: KernelMaker, tmp_path: Path, house: AStampingHouse) -> AsyncIterator[Kernel]:
    made = await make_kernel(ManualClock(NOON), data_dir=tmp_path, **tsa_settings(house, tmp_path, NOON))
    async with stamping(made, house) as kernel:
        yield kernel


@pytest.fixture
async def table(kernel: Kernel) -> AsyncIterator[Table]:
    found = await a_table(kernel)
    yield found
    for person in found.people.values():
        await person.client.aclose()
