"""A site that issues certificates, and browsers on it."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from crypto.certificates import keyfiles
from kernel.runtime import Kernel
from portal.app import create_app
from tests.builders.enrolled import SITE, Person, a_person
from tests.conftest import KernelMaker


@pytest.fixture
async def trusting(make_kernel: KernelMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """A site with an authority of its own, and the outside ones of ``tmp_path/trust``."""
    monkeypatch.setattr(keyfiles, "ITERATIONS", 1000)
    (tmp_path / "trust").mkdir()
    kernel = await make_kernel(data_dir=tmp_path, trust_dir=tmp_path / "trust")
    assert await kernel.trust.create_trial()
    return kernel


@pytest.fixture
async def browsers(trusting: Kernel) -> AsyncIterator[list[httpx2.AsyncClient]]:
    """Two browsers."""
    transport = httpx2.ASGITransport(app=create_app(trusting))
    async with (
        httpx2.AsyncClient(transport=transport, base_url=SITE) as one,
        httpx2.AsyncClient(transport=transport, base_url=SITE) as other,
    ):
        yield [one, other]


@pytest.fixture
async def person(trusting: Kernel, browsers: list[httpx2.AsyncClient]) -> Person:
    """Somebody who is logged in with a password."""
    return await a_person(trusting, browsers[0])
