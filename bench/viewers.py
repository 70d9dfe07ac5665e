"""``zhecai bench viewers``: thousands watch one auction; against a bare ``websockets.broadcast``."""

import asyncio
import statistics
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.journal import check_offers
from bench.options import Measured, Options, Tell
from bench.result import at_least, at_most
from bench.talk import Child, child

TITLE: Final = "观看竞价 · auction viewers"
LAST_VIEWER_MS_BAR: Final = 80.0
RATIO_BAR: Final = 0.6
_VIEWERS: Final = 2_000
_BIDDERS: Final = 8
_OFFERS_PER_S: Final = 5.0
_CROWDS: Final = 2
_MESSAGE_LEN: Final = 500
LEAVES_OUT: Final = (
    "TLS, the network, several service processes; viewers and service share the machine's cores",
    "rate limits: they count as always, but are set so high that one machine may send everything",
    "slow viewers, and viewers that come and go",
    "at saturation the pause between two frames of a hall (flush_min_s, 50 ms as shipped) is 0: it would bound them",
)


async def run(options: Options, directory: Path, tell: Tell) -> Measured:
    """Measure; each round has the bare broadcast and the hall, at the pace and then at saturation."""
    count = options.connections or _VIEWERS
    async with AsyncExitStack() as stack:

        async def start(module: str, name: str, *arguments: str) -> Child:
            return await stack.enter_async_context(child(module, directory, name, *arguments))

        bare = await start("bench.broadcast", "broadcast")
        paced = await start("bench.server", "paced", str(directory / "paced"))
        swift = await start("bench.server", "swift", str(directory / "swift"), "0")
        bidders = await start("bench.load", "bidders")
        crowds = [await start("bench.load", f"crowd{number}") for number in range(_CROWDS)]
        tell(f"filling: two services with an auction of {_BIDDERS} each; {count} viewers in {_CROWDS} processes")
        bench = _Bench(options, count, bare, bidders, crowds, tell)
        halls = [await _Hall.made(server) for server in (paced, swift)]
        return await bench.measure(*halls)


class _Hall:
    """The hall of one auction on a server under test."""

    def __init__(self, server: Child, url: str, seeded: dict[str, Any]) -> None:
        self.server: Final = server
        self.url: Final = url
        self.auction: Final[str] = seeded["auctions"][0]
        self.seats: Final = [{"url": url, "token": token} for token in seeded["tokens"]]
        self.acked: Final[list[tuple[str, int, int]]] = []

    @classmethod
    async def made(cls, server: Child) -> "_Hall":
        seeded = await server.ask("auctions", bidders=_BIDDERS, halls=[list(range(_BIDDERS))])
        url = server.ready["url"].replace("http", "ws", 1)
        return cls(server, f"{url}/api/auctions/{seeded['auctions'][0]}/hall", seeded)

    async def check(self) -> dict[str, Any]:
        return await check_offers(self.server.ready["database_url"], [self.auction], self.acked)


class _Bench:
    """One run."""

    def __init__(
        self, options: Options, count: int, bare: Child, bidders: Child, crowds: list[Child], tell: Tell
    ) -> None:
        self._options: Final = options
        self._count: Final = count
        self._bare: Final = bare
        self._bidders: Final = bidders
        self._crowds: Final = crowds
        self._tell: Final = tell
        self._message = "x" * _MESSAGE_LEN
        self._failures: list[str] = []

    async def measure(self, paced: _Hall, swift: _Hall) -> Measured:
        rounds: list[dict[str, Any]] = []
        for number in range(self._options.rounds):
            found = {"hall": await self._hall_at_pace(paced, number)}
            found["bare"] = await self._bare_at_pace()
            found["bare_saturated"] = await self._bare_saturated()
            found["hall_saturated"] = await self._hall_saturated(swift, number)
            rounds.append(found)
            self._tell(
                f"round {number + 1}: last viewer {found['hall']['last_ms_p50']:.1f} ms after the answer (bare "
                f"{found['bare']['last_ms_p50']:.1f}); {found['hall_saturated']['per_s']:,.0f} deliveries/s (bare "
                f"{found['bare_saturated']['per_s']:,.0f})"
            )

        def of(what: str, figure: str) -> list[float]:
            return [each[what][figure] for each in rounds]

        bars = (
            at_most(
                f"commit to the last of {self._count} viewers, median of offers",
                of("hall", "last_ms_p50"),
                of("bare", "last_ms_p50"),
                LAST_VIEWER_MS_BAR,
                "ms",
            ),
            at_least(
                f"deliveries/s at saturation, {self._count} viewers",
                of("hall_saturated", "per_s"),
                of("bare_saturated", "per_s"),
                RATIO_BAR,
                "1/s",
            ),
        )
        checks = {
            "journal_paced": await paced.check(),
            "journal_saturated": await swift.check(),
            "failures": self._failures,
        }
        return Measured(self._load(), LEAVES_OUT, tuple(rounds), checks, bars)

    def _load(self) -> dict[str, Any]:
        return {
            "words": f"Public viewers of one auction in {_CROWDS} processes, clients in C. At the pace: accepted "
            "offers at a fixed rate by its bidders in turn; from the answer that follows the commit, at the bidder, "
            "to the arrival at the last viewer (and from when the offer was due). At saturation: the bidders offer "
            "in closed loop and every commit is shown at once.",
            "baseline": "a bare server of the websockets library that calls broadcast() with a message as long as "
            "the hall's delta, to the same viewers; measured from the call",
            "viewers": self._count,
            "bidders": _BIDDERS,
            "offers_per_s": _OFFERS_PER_S,
            "message_bytes": len(self._message.encode()),
            "rounds": self._options.rounds,
            "seconds_a_phase": self._options.seconds,
        }

    async def _enter(self, url: str) -> None:
        each = self._count // len(self._crowds)
        for crowd in self._crowds:
            await crowd.ask("watch", url=url, count=each)

    async def _leave(self, what: str) -> None:
        for crowd in self._crowds:
            if cut := await crowd.ask("leave"):
                self._failures.append(f"{what}: {cut} viewers were cut off")

    async def _seen(self) -> dict[str, tuple[int, float]]:
        """Put together what all crowds saw: of each message, how many had it and when the last one did."""
        seen: dict[str, tuple[int, float]] = {}
        for crowd in self._crowds:
            for payload, count, last_s in await crowd.ask("seen"):
                others, latest_s = seen.get(payload, (0, 0.0))
                seen[payload] = (others + count, max(latest_s, last_s))
        return seen

    async def _hall_at_pace(self, hall: _Hall, number: int) -> dict[str, Any]:
        await self._enter(hall.url)
        await self._bidders.ask("enter", seats=hall.seats, name=f"v{number}")
        seconds = max(self._options.seconds, 1.0)
        offered = await self._bidders.ask("bid", seconds=seconds, warmup_s=0.2, rate=_OFFERS_PER_S, trace=True)
        await asyncio.sleep(0.3)
        hall.acked.extend(offered["acked"])
        shown: dict[int, tuple[int, float]] = {}
        for payload, (count, last_s) in (await self._seen()).items():
            frame = msgspec.json.decode(payload)
            self._message = payload
            for line in frame["offers"]:
                shown[line["version"]] = (count, last_s)
        await self._leave("hall")
        answered_ms: list[float] = []
        due_ms: list[float] = []
        for version, due_s, answer_s in offered["trace"]:
            count, last_s = shown.get(version, (0, 0.0))
            if count != self._count:
                self._failures.append(f"offer {version} was shown to {count} of {self._count} viewers")
                continue
            answered_ms.append((last_s - answer_s) * 1e3)
            due_ms.append((last_s - due_s) * 1e3)
        return {**_spread("last_ms", answered_ms), **_spread("due_to_last_ms", due_ms), "offers": len(answered_ms)}

    async def _bare_at_pace(self) -> dict[str, Any]:
        await self._enter(self._bare.ready["url"])
        count = max(5, int(self._options.seconds * _OFFERS_PER_S))
        sent = await self._bare.ask("pace", message=self._message, rate=_OFFERS_PER_S, count=count)
        await asyncio.sleep(0.3)
        seen = await self._seen()
        await self._leave("bare")
        return _spread("last_ms", [(seen[message][1] - sent_s) * 1e3 for message, sent_s in sent if message in seen])

    async def _counted(self, seconds: float) -> dict[str, Any]:
        counts = await asyncio.gather(*(crowd.ask("count", seconds=seconds) for crowd in self._crowds))
        return {
            "per_s": round(sum(each["per_s"] for each in counts), 1),
            "frames": sum(each["frames"] for each in counts),
            "client_cpu": [each["client_cpu"] for each in counts],
        }

    async def _bare_saturated(self) -> dict[str, Any]:
        await self._enter(self._bare.ready["url"])
        seconds = self._options.seconds
        sending = asyncio.create_task(self._bare.ask("saturate", message=self._message, seconds=seconds + 1.0))
        await asyncio.sleep(0.5)
        found = await self._counted(seconds)
        told = await sending
        await asyncio.sleep(0.5)
        await self._leave("bare at saturation")
        return {**found, "server_cpu": told["cpu"]}

    async def _hall_saturated(self, hall: _Hall, number: int) -> dict[str, Any]:
        await self._enter(hall.url)
        seconds = self._options.seconds
        await self._bidders.ask("enter", seats=hall.seats, name=f"s{number}")
        if self._options.profile:
            await hall.server.ask("profile")
        cpu_s = await hall.server.ask("cpu")
        offering = asyncio.create_task(self._bidders.ask("bid", seconds=seconds + 0.5, warmup_s=0.5))
        await asyncio.sleep(0.5)
        found = await self._counted(seconds)
        offered = await offering
        cpu = round((await hall.server.ask("cpu") - cpu_s) / (seconds + 1.0), 2)
        if self._options.profile:
            self._tell(await hall.server.ask("profiled"))
        await asyncio.sleep(0.5)
        hall.acked.extend(offered["acked"])
        if offered["refused"] or offered["lost"]:
            self._failures.append(f"refused {offered['refused']}, lost {offered['lost']}")
        await self._leave("hall at saturation")
        return {**found, "server_cpu": cpu, "offers_per_s": offered["per_s"]}


def _spread(name: str, values_ms: list[float]) -> dict[str, Any]:
    if not values_ms:
        return {f"{name}_p50": 1e9, f"{name}_max": 1e9}
    return {f"{name}_p50": round(statistics.median(values_ms), 2), f"{name}_max": round(max(values_ms), 2)}
