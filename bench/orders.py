"""``zhecai bench orders``: durable orders a second against a bare JSON POST echo of the same server."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from bench.journal import check_orders
from bench.options import Measured, Options, Tell
from bench.result import at_least
from bench.talk import Child, child

TITLE: Final = "直接订购 · direct orders"
RATIO_BAR: Final = 0.3
_OFFERS: Final = 8
_POSTERS: Final = 48
LEAVES_OUT: Final = (
    "reading the catalogue and previewing a cart before the order",
    "rate limits: they count as always, but are set so high that one machine may send everything",
    "carts of several lines and several suppliers: each order here has one line",
    "TLS, the network, several service processes; load and service share the machine's cores",
)


async def run(options: Options, directory: Path, tell: Tell) -> Measured:
    """Measure; each round has the echo, then the orders, with the same bodies and headers."""
    posters = options.connections or _POSTERS
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(child("bench.server", directory, "server", str(directory / "data")))
        load = await stack.enter_async_context(child("bench.load", directory, "load"))
        tell(f"filling: {posters} purchasers with a budget line each, {_OFFERS} offers")
        shop = await server.ask("shop", purchasers=posters, offers_count=_OFFERS)
        return await _measure(options, server, load, shop["seats"], tell)


async def _measure(options: Options, server: Child, load: Child, seats: list[dict[str, str]], tell: Tell) -> Measured:
    address = urlsplit(server.ready["url"])
    paths = {"echo": "/bench/echo", "orders": "/api/orders"}
    acked: list[tuple[str, int, int]] = []
    failures: list[str] = []
    rounds: list[dict[str, Any]] = []
    for round_ in range(options.rounds):
        found: dict[str, Any] = {}
        for what, path in paths.items():
            profiled = options.profile and what == "orders"
            if profiled:
                await server.ask("profile")
            cpu_s = await server.ask("cpu")
            phase = await load.ask(
                "posts",
                host=address.hostname,
                port=address.port,
                seats=[{**seat, "path": path} for seat in seats],
                name=f"bench-{what}{round_}",
                seconds=options.seconds,
            )
            busy_s = await server.ask("cpu") - cpu_s
            if profiled:
                tell(await server.ask("profiled"))
            told = phase.pop("acked")
            if what == "orders":
                acked.extend(told)
            if phase["failures"]:
                failures.append(f"{what}{round_}: {phase['statuses']} {phase['failures']}")
            found[what] = {**phase, "server_cpu_s": round(busy_s, 2)}
            tell(
                f"round {round_ + 1} {what:>6}: {phase['per_s']:>8,.0f}/s, p50 {phase['p50_ms']:.2f} ms, "
                f"p99 {phase['p99_ms']:.2f} ms"
            )
        rounds.append(found)
    stored = await check_orders(server.ready["database_url"], "bench-orders", acked)
    bars = (
        at_least(
            f"orders/s, {len(seats)} connections",
            [each["orders"]["per_s"] for each in rounds],
            [each["echo"]["per_s"] for each in rounds],
            RATIO_BAR,
            "1/s",
        ),
    )
    load_mix = {
        "words": "Each connection is a logged-in purchaser with a budget line of its own that posts an order of one "
        "line, a new idempotency key each time, and posts the next when the answer came. An order, its quota, its "
        "budget and its yearly sum are one transaction, durable (fsync) before the answer.",
        "baseline": "the same client with the same headers and bodies on a plain Starlette route of the same process, "
        "behind the same edge, that decodes the JSON and encodes it again",
        "connections": len(seats),
        "offers": _OFFERS,
        "body_bytes": len(seats[0]["body"].encode()),
        "rounds": options.rounds,
        "seconds_a_phase": options.seconds,
    }
    return Measured(load_mix, LEAVES_OUT, tuple(rounds), {"journal": stored, "failures": failures}, bars)
