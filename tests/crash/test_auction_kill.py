"""
Kill -9 in the middle of an auction: of the service, and of PostgreSQL under it, ten times each.

Twenty suppliers bid without a pause. Whoever loses the hall comes back with the last version seen and sends what was
not answered again, with the same key. Afterwards every acknowledged offer must be in the journal, and none twice.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
import websockets

from bench.seeds import Seeds
from kernel.engines.embedded import running
from kernel.journal.verify import Difference, verify_kind
from kernel.log import configure_logging
from market.auctions.queries import AUCTION
from portal.server import kernel_up
from tests.builders.engines import embedded

ROOT = Path(__file__).parents[2]
BIDDERS = 20
KILLS = 10
OFFERS_BETWEEN_KILLS = 3 * BIDDERS
UP_S = 60.0
pytestmark = pytest.mark.timeout(300)


class Bidder:
    """One supplier that bids without a pause, whatever happens to the service."""

    def __init__(self, number: int, url: str, token: str) -> None:
        self.number = number
        self.url = url
        self.headers = {"Authorization": f"Bearer {token}"}
        self.sent = 0
        self.version = 0
        self.price_fen = 0
        self.unanswered: dict[str, Any] | None = None
        self.acknowledged: dict[str, int] = {}
        self.refused: Counter[str] = Counter()
        self.entered = 0

    async def bid(self) -> None:
        """Bid until cancelled."""
        while True:
            with contextlib.suppress(OSError, TimeoutError, websockets.WebSocketException):
                await self._in_the_hall()
            await asyncio.sleep(0.1)

    async def _in_the_hall(self) -> None:
        url = f"{self.url}?after={self.version}" if self.version else self.url
        async with websockets.connect(
            url, additional_headers=self.headers, compression=None, open_timeout=20, ping_interval=None
        ) as hall:
            frame = msgspec.json.decode(await hall.recv())
            if frame.get("type") not in {"snapshot", "delta"}:
                return
            self._see(frame)
            self.entered += 1
            while True:
                await hall.send(msgspec.json.encode(self._next()).decode())
                await self._answer(hall)

    def _next(self) -> dict[str, Any]:
        if self.unanswered is not None:
            return {**self.unanswered, "resent": True}
        self.unanswered = {"type": "offer", "key": f"b{self.number}-{self.sent}", "price_fen": self.price_fen}
        self.sent += 1
        return self.unanswered

    async def _answer(self, hall: websockets.ClientConnection) -> None:
        while True:
            frame = msgspec.json.decode(await hall.recv())
            if frame["type"] == "delta":
                self._see(frame)
                continue
            assert self.unanswered is not None
            if frame["type"] == "accepted":
                self.acknowledged[frame["key"]] = frame["version"]
                self.price_fen = frame["price_fen"] - 1
                self.unanswered = None
            else:
                self.refused[frame["reason"]] += 1
                assert frame.get("retry"), frame  # only what may be sent again as it is
                await asyncio.sleep(0.05)
            return

    def _see(self, frame: dict[str, Any]) -> None:
        self.version = max(self.version, frame["version"])
        you = frame.get("you")
        if you and self.unanswered is None:
            self.price_fen = you["highest_allowed_fen"]


class Service:
    """The service as an operator runs it, in a process that can be killed."""

    def __init__(self, data_dir: Path, port: int) -> None:
        self.data_dir = data_dir
        self.port = port
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.data_dir / "service.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "portal", "serve", "--data", str(self.data_dir), "--port", str(self.port)),
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env={**os.environ, "ZHECAI_LOG_LEVEL": "warning"},
            )
        async with asyncio.timeout(UP_S):
            while not await self._answers():
                assert self.process.returncode is None, (self.data_dir / "service.log").read_text()[-3000:]
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()

    def database_url(self) -> str:
        postgres, _ = running(self.data_dir)
        assert postgres is not None, "no PostgreSQL runs here"
        return postgres.url

    async def kill_postgres(self) -> None:
        """Kill the postmaster (its children follow when they notice) and wait until another one runs."""
        killed = self._postmaster()
        os.kill(killed, signal.SIGKILL)
        async with asyncio.timeout(UP_S):
            while self._postmaster() in {0, killed}:  # noqa: ASYNC110 - another process sets no event
                await asyncio.sleep(0.02)

    def _postmaster(self) -> int:
        postgres, _ = running(self.data_dir)
        return postgres.engine_pid if postgres is not None else 0

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(b"GET /readyz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
            line = await reader.readline()
            writer.close()
        except OSError:
            return False
        return b" 200 " in line


class Trade:
    """The auction, its bidders and the service."""

    def __init__(self, service: Service, auction_id: str, bidders: list[Bidder]) -> None:
        self.service = service
        self.stream = f"auction/{auction_id}"
        self.bidders = bidders

    @property
    def acknowledged(self) -> dict[str, int]:
        return {key: version for bidder in self.bidders for key, version in bidder.acknowledged.items()}

    async def goes_on(self) -> None:
        """Wait until every bidder has had another offer accepted, and all of them some more."""
        before = {bidder.number: len(bidder.acknowledged) for bidder in self.bidders}
        goal = sum(before.values()) + OFFERS_BETWEEN_KILLS
        async with asyncio.timeout(UP_S):
            while len(self.acknowledged) < goal or any(  # noqa: ASYNC110 - twenty bidders set no common event
                len(bidder.acknowledged) == before[bidder.number] for bidder in self.bidders
            ):
                await asyncio.sleep(0.01)

    async def check(self, acknowledged: dict[str, int]) -> int:
        """Compare the journal with what was acknowledged before; return how many offers it holds."""
        connection = await asyncpg.connect(self.service.database_url())
        try:
            rows = await connection.fetch(
                "select convert_from(body, 'UTF8')::jsonb ->> 'key' as key, version from journal "
                "where stream = $1 and kind = 'auction.offered'",
                self.stream,
            )
        finally:
            await connection.close()
        stored = {row["key"]: row["version"] for row in rows}
        assert len(stored) == len(rows), "an offer is in the journal twice"
        lost = {key: version for key, version in acknowledged.items() if stored.get(key) != version}
        assert not lost, f"acknowledged and not there: {lost}"
        return len(rows)


@pytest.fixture
async def trade(tmp_path: Path) -> AsyncIterator[Trade]:
    configure_logging("warning", "json")
    async with kernel_up(embedded(tmp_path)) as kernel:
        seeded = await Seeds(kernel).auctions(bidders=BIDDERS, halls=[list(range(BIDDERS))])
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    auction_id = seeded["auctions"][0]
    url = f"ws://127.0.0.1:{port}/api/auctions/{auction_id}/hall"
    bidders = [Bidder(number, url, token) for number, token in enumerate(seeded["tokens"])]
    service = Service(tmp_path, port)
    await service.start()
    bidding = [asyncio.create_task(bidder.bid()) for bidder in bidders]
    try:
        yield Trade(service, auction_id, bidders)
    finally:
        for task in bidding:
            task.cancel()
        ended = await asyncio.gather(*bidding, return_exceptions=True)
        await service.stop()
    wrong = [error for error in ended if not isinstance(error, asyncio.CancelledError)]
    assert not wrong, wrong


async def verified(data_dir: Path) -> list[Difference]:
    """Rebuild the auction from its journal and compare, on engines that are started for it."""
    async with kernel_up(embedded(data_dir)) as kernel, kernel.db.pool.acquire() as connection:
        return [found async for found in verify_kind(connection, AUCTION) if isinstance(found, Difference)]


async def test_killing_the_service_loses_no_acknowledged_offer(trade: Trade, tmp_path: Path, capfd: Any) -> None:
    await trade.goes_on()
    for _ in range(KILLS):
        await trade.service.kill()
        acknowledged = trade.acknowledged
        await trade.service.start()
        await trade.check(acknowledged)
        await trade.goes_on()
    acknowledged = trade.acknowledged
    stored = await trade.check(acknowledged)
    await trade.service.stop()

    assert min(bidder.entered for bidder in trade.bidders) > KILLS
    assert await verified(tmp_path) == []
    with capfd.disabled():
        print(  # noqa: T201 - the count is what was asked for
            f"\nservice killed {KILLS} times: {len(acknowledged)} offers acknowledged, {stored} in the journal"
        )


async def test_killing_postgres_loses_no_acknowledged_offer(trade: Trade, tmp_path: Path, capfd: Any) -> None:
    await trade.goes_on()
    for _ in range(KILLS):
        await trade.service.kill_postgres()
        await trade.goes_on()
        await trade.check(trade.acknowledged)
    acknowledged = trade.acknowledged
    stored = await trade.check(acknowledged)
    again = sum(bidder.refused.total() for bidder in trade.bidders)
    await trade.service.stop()

    assert await verified(tmp_path) == []
    with capfd.disabled():
        print(  # noqa: T201 - the count is what was asked for
            f"\nPostgreSQL killed {KILLS} times: {len(acknowledged)} offers acknowledged, {stored} in the journal, "
            f"{again} answered 'again'"
        )
