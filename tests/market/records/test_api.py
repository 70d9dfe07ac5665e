"""The record of a closed auction as a file: what is in it, who sealed it, and who may not have it yet."""

import asyncio
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx2
import pytest

from crypto.certificates.certificate import read_certificates
from crypto.certificates.validation import Trust
from crypto.documents.checking import Believed, check
from crypto.errors import NotVerifiedError
from kernel.clock import ManualClock
from kernel.runtime import Kernel
from kernel.vault.identities import Identities, Service, identities_of
from market.records import service as records
from portal.app import create_app
from tests.builders.market_auctions import World, a_world
from tests.conftest import NOON, KernelMaker

PDFTOTEXT: Final = shutil.which("pdftotext")


@pytest.fixture
async def kernel(make_kernel: KernelMaker, tmp_path: Path) -> Kernel:
    return await make_kernel(data_dir=tmp_path)


@pytest.fixture
def identities(kernel: Kernel) -> Identities:
    found = identities_of(kernel.settings)
    found.make_trial(kernel.clock.now() - timedelta(days=1), name="测试", hosts=("localhost",))
    return found


@pytest.fixture
async def world(kernel: Kernel) -> World:
    return await a_world(kernel)


Get = Callable[[object], Awaitable[httpx2.Response]]


@pytest.fixture
def get(kernel: Kernel) -> Get:
    async def get_pdf(auction_id: object) -> httpx2.Response:
        transport = httpx2.ASGITransport(app=create_app(kernel))
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get(f"/api/auctions/{auction_id}/record.pdf")

    return get_pdf


def text_of(pdf: bytes) -> str:
    assert PDFTOTEXT is not None
    """All the text without its spaces: between Chinese and Latin letters a small one is set."""
    said = subprocess.run([PDFTOTEXT, "-", "-"], input=pdf, capture_output=True, check=True, timeout=30).stdout
    return "".join(said.decode().split())


@pytest.mark.skipif(PDFTOTEXT is None, reason="needs the program pdftotext (Debian: apt install poppler-utils)")
async def test_everybody_may_have_the_record_of_a_closed_auction(world: World, get: Get) -> None:
    auction_id = await world.closed(title="办公电脑 *30* 台 #let x = 1")
    answer = await get(auction_id)
    text = text_of(answer.content)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/pdf")
    assert "filename*=UTF-8''%E7%AB%9E%E4%BB%B7" in answer.headers["Content-Disposition"]
    assert "办公电脑*30*台#letx=1" in text, "text is not markup"
    for words in ("竞价记录", "测试单位1", "供应商2", "8,000.00", "已截止，待定标", "（定标后公布）"):
        assert words in text
    assert "测试单位3" not in text, "a bidder is a number until the award"


async def test_the_record_is_sealed_by_the_platform(world: World, get: Get, identities: Identities) -> None:
    answer = await get(await world.closed())
    seal = identities.load(Service.SEAL)
    assert seal is not None
    trust = Trust(tuple(read_certificates(identities.trial_root.read_bytes())))
    believed = Believed(Trust(trust.roots, seal.chain))
    (found,) = await asyncio.to_thread(check, answer.content, believed, at=world.kernel.clock.now())

    assert found.signer == seal.certificate
    assert found.claimed_at == world.kernel.clock.now()
    place = answer.content.index(b"stream") + 20
    altered = answer.content[:place] + bytes((answer.content[place] ^ 1,)) + answer.content[place + 1 :]
    with pytest.raises(NotVerifiedError, match="altered"):
        await asyncio.to_thread(check, altered, believed, at=world.kernel.clock.now())


async def test_a_running_auction_has_no_record_yet(world: World, get: Get) -> None:
    answer = await get(await world.live())
    assert (answer.status_code, answer.json()["reason"]) == (409, "not-closed")


async def test_a_draft_is_not_there_for_others(world: World, get: Get) -> None:
    assert (await get(await world.draft())).status_code == 404


async def test_an_address_may_have_so_many_and_no_more(world: World, get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "DOCUMENTS_MAX", 1)
    auction_id = await world.closed()
    assert (await get(auction_id)).status_code == 200
    assert (await get(auction_id)).status_code == 429


async def test_when_nobody_stamps_there_is_no_record(make_kernel: KernelMaker, tmp_path: Path) -> None:
    identities = identities_of((await make_kernel(data_dir=tmp_path)).settings)
    identities.make_trial(NOON, name="测试", hosts=("localhost",))
    clock = ManualClock(NOON)
    kernel = await make_kernel(
        clock, data_dir=tmp_path, tsa_url=("http://127.0.0.1:9/",), tsa_trust=identities.trial_root, tsa_timeout_s=0.5
    )
    world = await a_world(kernel, suppliers=5)
    auction_id = await world.closed()
    transport = httpx2.ASGITransport(app=create_app(kernel))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get(f"/api/auctions/{auction_id}/record.pdf")
    assert (answer.status_code, answer.json()["reason"]) == (503, "no-time-stamp")
