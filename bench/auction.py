"""``zhecai bench auction``: durable offers a second against a bare WebSocket echo of the same server."""

import statistics
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from bench.journal import check_offers
from bench.options import Measured, Options, Tell
from bench.result import Bar, at_least, at_most
from bench.talk import Child, child

TITLE: Final = "竞价报价 · auction offers"
RATIO_BAR: Final = 0.5
P99_MS_BAR: Final = 15.0
LEAVES_OUT: Final = (
    "public viewers (see the bench viewers); each bidder does receive the hall's deltas",
    "TLS, the network, several service processes; load and service share the machine's cores",
    "extensions of the close: offers come long before it",
    "rate limits: they count as always, but are set so high that one machine may send everything",
    "much of the transparency log: it waits up to 5 s for a saturated process, and goes slowly beside a busy one",
    "most state rows: a busy process writes that of an auction every 0.25 s; loading replays the journal behind it",
    "two of three frames of the halls: a busy process shows a hall every 0.3 s instead of every 0.1 s",
)


async def run(options: Options, directory: Path, tell: Tell) -> Measured:
    """Measure; each round has the echo, many auctions, one auction, then the same paced at half of the median rate."""
    bidders = options.connections or 100
    many = max(1, bidders // 2)
    halls = [[number for number in range(bidders) if number % many == hall] for hall in range(many)]
    halls.append(list(range(bidders)))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(child("bench.server", directory, "server", str(directory / "data")))
        load = await stack.enter_async_context(child("bench.load", directory, "load"))
        tell(f"filling: {bidders} suppliers, {many} auctions of {len(halls[0])} and one of {bidders}")
        seeded = await server.ask("auctions", bidders=bidders, halls=halls)
        return await _measure(options, server, load, seeded, many, tell)


async def _measure(
    options: Options, server: Child, load: Child, seeded: dict[str, Any], many: int, tell: Tell
) -> Measured:
    url = server.ready["url"].replace("http", "ws", 1)
    tokens, auctions = seeded["tokens"], seeded["auctions"]
    seats = {
        "echo": [{"url": f"{url}/bench/echo"} for _ in tokens],
        "many": [
            {"url": f"{url}/api/auctions/{auctions[number % many]}/hall", "token": token}
            for number, token in enumerate(tokens)
        ],
        "one": [{"url": f"{url}/api/auctions/{auctions[-1]}/hall", "token": token} for token in tokens],
    }
    acked: list[tuple[str, int, int]] = []
    failures: list[str] = []

    async def phase(round_: int, what: str, rate: float | None = None) -> dict[str, Any]:
        name = f"{what}{'p' if rate else ''}{round_}"
        profiled = options.profile and what != "echo" and rate is None
        await load.ask("enter", seats=seats[what], name=name, echo=what == "echo")
        if profiled:
            await server.ask("profile")
        cpu_s = await server.ask("cpu")
        found: dict[str, Any] = await load.ask("bid", seconds=options.seconds, rate=rate)
        busy_s = await server.ask("cpu") - cpu_s
        if profiled:
            tell(await server.ask("profiled"))
        told = found.pop("acked")
        cpu_us = busy_s / max(1, sum(accepted for _, accepted, _ in told)) * 1e6
        if what != "echo":
            acked.extend(told)
        if found["refused"] or found["lost"]:
            failures.append(f"{name}: refused {found['refused']}, lost {found['lost']}")
        pace = f" at {rate:,.0f}/s" if rate else ""
        tell(
            f"round {round_ + 1} {what:>4}{pace}: {found['per_s']:>9,.0f}/s, p50 {found['p50_ms']:.2f} ms, "
            f"p99 {found['p99_ms']:.2f} ms, {cpu_us:.0f} µs of the service each"
        )
        return {**found, "server_cpu_us_each": round(cpu_us, 1), **({"rate": round(rate, 1)} if rate else {})}

    rounds: list[dict[str, Any]] = [
        {what: await phase(round_, what) for what in ("echo", "many", "one")} for round_ in range(options.rounds)
    ]
    half = {what: statistics.median(each[what]["per_s"] for each in rounds) / 2 for what in ("many", "one")}
    for round_, found in enumerate(rounds):
        found["echo_paced"] = await phase(round_, "echo", half["many"])
        found["many_paced"] = await phase(round_, "many", half["many"])
        found["one_paced"] = await phase(round_, "one", half["one"])
    stored = await check_offers(server.ready["database_url"], auctions, acked)

    count = len(tokens)
    load_mix = _load_mix(options, count, many, half)
    checks = {"journal": stored, "failures": failures}
    return Measured(load_mix, LEAVES_OUT, tuple(rounds), checks, _bars(rounds, count, many))


def _bars(rounds: list[dict[str, Any]], count: int, many: int) -> tuple[Bar, ...]:
    """Compare the medians of all rounds with their baselines."""

    def of(what: str, figure: str) -> list[float]:
        return [each[what][figure] for each in rounds]

    return (
        at_least(
            f"offers/s, {count} connections, {many} auctions",
            of("many", "per_s"),
            of("echo", "per_s"),
            RATIO_BAR,
            "1/s",
        ),
        at_least(
            f"offers/s, {count} connections, one auction", of("one", "per_s"), of("echo", "per_s"), RATIO_BAR, "1/s"
        ),
        at_most(
            f"p99 at half load, {many} auctions",
            of("many_paced", "p99_ms"),
            of("echo_paced", "p99_ms"),
            P99_MS_BAR,
            "ms",
        ),
        at_most(
            "p99 at half load, one auction", of("one_paced", "p99_ms"), of("echo_paced", "p99_ms"), P99_MS_BAR, "ms"
        ),
    )


def _load_mix(options: Options, count: int, many: int, half: dict[str, float]) -> dict[str, Any]:
    """Say in words and numbers what the load was."""
    return {
        "words": "Each connection is a logged-in supplier in its auction's hall and gets its deltas. Closed loop: the "
        "next offer, one fen lower, leaves when the answer came; every offer is durable (fsync) before it is "
        "answered. Paced: offers are due at a fixed rate in turn over all connections, latency from the due time.",
        "baseline": "the same client on a plain Starlette WebSocket route of the same process that decodes an offer "
        "and encodes an answer",
        "connections": count,
        "auctions": [many, 1],
        "bidders_an_auction": [len([n for n in range(count) if n % many == 0]), count],
        "rounds": options.rounds,
        "seconds_a_phase": options.seconds,
        "half_load_per_s": {what: round(rate, 1) for what, rate in half.items()},
    }
