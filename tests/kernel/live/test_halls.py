"""Halls: nothing lost, whatever hints, connections and processes do."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from kernel.bus import CHANNEL, Bus
from kernel.engines.locate import redis_program
from kernel.engines.valkey import ValkeyServer
from kernel.ids import uuid7
from kernel.journal.streams import Recorded
from kernel.live import halls as halls_module
from kernel.live.audience import HOST, PUBLIC, Audience, Standing
from kernel.live.hall import BUSY_FACTOR, FRAME_SEATS, SEATS_A_TURN
from kernel.runtime import Kernel, open_kernel
from kernel.settings import Settings
from portal.app import load_actor
from tests.builders.database_proxy import DatabaseProxy
from tests.builders.live import Delta, Snapshot, StockView, Viewer, a_hall, served, viewing
from tests.builders.stock import DDL, ID, NOON, STOCK, fill, take
from tests.conftest import KernelMaker


@pytest.fixture
async def stocked(make_kernel: KernelMaker, owner: asyncpg.Connection) -> Kernel:
    await owner.execute(DDL)
    kernel = await make_kernel(flush_min_s=0.0)
    await kernel.committer.submit(fill(1_000))
    return kernel


@pytest.fixture
async def port(stocked: Kernel) -> AsyncIterator[int]:
    async with served(stocked, a_hall(stocked)) as found:
        yield found


async def until(happened: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not happened():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


async def test_whoever_comes_sees_where_things_stand_and_then_each_change(stocked: Kernel, port: int) -> None:
    await stocked.committer.submit(take("a"))
    async with viewing(port) as viewer:
        assert await viewer.read() == Snapshot(2, 999, ("a",), "public")
        await stocked.committer.submit(take("b"))
        assert await viewer.read() == Delta(2, 3, 998, ("b",))
        await stocked.live_committer.submit(take("c"))
        assert await viewer.read() == Delta(3, 4, 997, ("c",))


async def test_what_comes_while_many_are_being_shown_something_reaches_all_of_them(stocked: Kernel, port: int) -> None:
    """A hall turns to others after ``SEATS_A_TURN`` seats: some are shown the next change by the next flush."""
    async with AsyncExitStack() as stack:
        viewers = [await stack.enter_async_context(viewing(port)) for _ in range(2 * SEATS_A_TURN + 1)]
        for viewer in viewers:
            await viewer.read()
        for by in "abcdefgh":
            await stocked.committer.submit(take(by))

        async def heard_by(viewer: Viewer) -> tuple[str, ...]:
            heard: tuple[str, ...] = ()
            version = 1
            while version < 9:
                frame = await viewer.read()
                assert isinstance(frame, Delta)
                assert frame.after == version
                version, heard = frame.version, heard + frame.buyers
            return heard

        async with asyncio.timeout(10):
            assert {await heard_by(viewer) for viewer in viewers} == {tuple("abcdefgh")}


async def test_frames_that_differ_are_made_in_many_turns(
    stocked: Kernel, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred bidders are each shown something of their own: meanwhile somebody waits for an answer."""
    loop = asyncio.get_running_loop()
    made = [0]  # in each turn of the loop

    def turn() -> None:
        made.append(0)
        ticking[0] = loop.call_soon(turn)

    async with AsyncExitStack() as stack:
        viewers = [await stack.enter_async_context(viewing(port)) for _ in range(SEATS_A_TURN)]
        for viewer in viewers:
            await viewer.read()
        hall = await stocked.halls.hall(STOCK.ref(ID), StockView)
        for seat in hall.seats:
            seat.audience = Audience(Standing.BIDDER, uuid7(NOON))
        delta = hall.view.delta

        def counted(audience: Audience, after: int) -> Any:
            made[-1] += 1
            return delta(audience, after)

        monkeypatch.setattr(hall.view, "delta", counted)
        ticking = [loop.call_soon(turn)]
        await stocked.committer.submit(take("a"))
        for viewer in viewers:
            assert await viewer.read() == Delta(1, 2, 999, ("a",))
        ticking[0].cancel()

    assert sum(made) == len(viewers)
    assert max(made) <= SEATS_A_TURN // (1 + FRAME_SEATS) + 1


@pytest.mark.parametrize(("busy", "factor"), [(False, 1.0), (True, BUSY_FACTOR)])
async def test_a_hall_of_a_busy_process_shows_itself_less_often(
    make_kernel: KernelMaker, owner: asyncpg.Connection, *, busy: bool, factor: float
) -> None:
    await owner.execute(DDL)
    kernel = await make_kernel(flush_min_s=60.0)
    kernel.halls._busy = lambda: busy  # type: ignore[misc]
    await kernel.committer.submit(fill(1_000))
    async with served(kernel, a_hall(kernel)) as port, viewing(port) as viewer:
        await viewer.read()
        await kernel.committer.submit(take("a"))
        await viewer.read()  # the first at once
        await kernel.committer.submit(take("b"))
        hall = await kernel.halls.hall(STOCK.ref(ID), StockView)
        await until(lambda: hall._timer)
        assert isinstance(hall._timer, asyncio.TimerHandle)
        assert hall._timer.when() - hall._flushed_s == pytest.approx(60.0 * factor)


@pytest.mark.parametrize(
    ("after", "first"),
    [
        ("0", Snapshot),
        ("1", Delta(1, 4, 997, ("a", "b", "c"))),
        ("3", Delta(3, 4, 997, ("c",))),
        ("4", Delta(4, 4, 997, ())),
        ("5", Snapshot),
        ("-1", Snapshot),
        ("x", Snapshot),
        ("9" * 40, Snapshot),
    ],
)
async def test_whoever_comes_back_gets_what_is_new_and_a_stranger_number_everything(
    stocked: Kernel, port: int, after: str, first: Delta | type[Snapshot]
) -> None:
    for by in "abc":
        await stocked.committer.submit(take(by))

    async with viewing(port, query=f"?after={after}") as viewer:
        frame = await viewer.read()

    assert frame == first if isinstance(first, Delta) else isinstance(frame, Snapshot)


async def test_what_an_audience_may_not_know_does_not_even_show_as_a_frame(stocked: Kernel) -> None:
    hall = await stocked.halls.hall(STOCK.ref(ID), StockView)
    await stocked.committer.submit(take("secret"))

    assert hall.view.delta(PUBLIC, 1) is None
    assert hall.view.delta(HOST, 1) is not None
    async with served(stocked, a_hall(stocked)) as port, viewing(port) as viewer:
        await viewer.read()
        await stocked.committer.submit(take("secret"))
        await stocked.committer.submit(take("known"))
        frames = await viewer.read_until(lambda frame: frame.version == 4)

    assert [frame.buyers for frame in frames] == [("known",)]
    assert frames[-1].after == 2


async def test_a_burst_is_a_few_frames_and_the_first_comes_at_once(
    make_kernel: KernelMaker, owner: asyncpg.Connection
) -> None:
    await owner.execute(DDL)
    between_s = 2.0
    kernel = await make_kernel(flush_min_s=between_s)
    await kernel.committer.submit(fill(1_000))
    loop = asyncio.get_running_loop()
    async with served(kernel, a_hall(kernel)) as port, viewing(port) as viewer:
        await viewer.read()
        started_s = loop.time()
        await kernel.committer.submit(take("first"))
        await viewer.read()
        assert loop.time() - started_s < between_s
        await asyncio.gather(*(kernel.committer.submit(take(f"b{n}")) for n in range(300)))

        frames = await viewer.read_until(lambda frame: frame.version == 302)
        took_s = loop.time() - started_s

    assert len(frames) <= 1 + took_s / between_s  # one a space of time, however long the burst itself took
    assert [by for frame in frames for by in frame.buyers] == [f"b{n}" for n in range(300)]


async def test_every_viewer_of_two_processes_sees_every_change_once(
    stocked: Kernel, port: int, make_kernel: KernelMaker
) -> None:
    other = await make_kernel(flush_min_s=0.0)
    async with served(other, a_hall(other)) as other_port, viewing(port) as here, viewing(other_port) as there:
        await here.read()
        await there.read()
        committers = [stocked.committer, stocked.live_committer, other.committer, other.live_committer]
        await asyncio.gather(*(committers[n % 4].submit(take(f"b{n}")) for n in range(100)))
        seen = [await viewer.read_until(lambda frame: frame.version == 101) for viewer in (here, there)]

    for frames in seen:
        assert sorted(by for frame in frames for by in frame.buyers) == sorted(f"b{n}" for n in range(100))
        assert [frame.after for frame in frames[1:]] == [frame.version for frame in frames[:-1]]


async def test_hints_travel_faster_than_the_poll(
    stocked: Kernel, make_kernel: KernelMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(halls_module, "POLL_S", 60.0)
    other = await make_kernel(flush_min_s=0.0)
    hall = await other.halls.hall(STOCK.ref(ID), StockView)
    async with asyncio.timeout(20):
        await other.bus._connected.wait()

    await stocked.committer.submit(take("a"))

    await until(lambda: hall.view.version == 2)


async def test_without_redis_halls_still_catch_up(stocked: Kernel, tmp_path: Any) -> None:
    server = ValkeyServer(redis_program(), tmp_path / "valkey")
    server.start()
    settings = Settings(flush_min_s=0.0)
    how = {"database_url": stocked.db.dsn, "redis_url": server.url, "load_actor": load_actor}
    async with open_kernel(settings, stocked.clock, **how) as kernel:  # type: ignore[arg-type]
        async with served(kernel, a_hall(kernel)) as port, viewing(port) as viewer:
            await viewer.read()
            server.stop()
            await stocked.committer.submit(take("elsewhere"))
            assert await viewer.read() == Delta(1, 2, 999, ("elsewhere",))
            await kernel.committer.submit(take("here"))
            assert await viewer.read() == Delta(2, 3, 998, ("here",))
        started_s = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - started_s < 20  # stopping does not wait for it either


async def test_halls_catch_up_when_the_database_comes_back(stocked: Kernel, redis_url: str) -> None:
    async with DatabaseProxy(stocked.db.dsn) as proxy:
        settings = Settings(flush_min_s=0.0)
        how = {"database_url": proxy.url, "redis_url": redis_url, "load_actor": load_actor}
        async with (
            open_kernel(settings, stocked.clock, **how) as kernel,  # type: ignore[arg-type]
            served(kernel, a_hall(kernel)) as port,
            viewing(port) as viewer,
        ):
            await viewer.read()
            proxy.go_down()
            await stocked.committer.submit(take("a"))
            await asyncio.sleep(1.2)
            proxy.down = False
            assert await viewer.read() == Delta(1, 2, 999, ("a",))


async def test_at_the_door_a_database_that_is_away_is_a_problem_and_the_hall_is_whole_when_it_is_back(
    stocked: Kernel, redis_url: str
) -> None:
    async with DatabaseProxy(stocked.db.dsn) as proxy:
        how = {"database_url": proxy.url, "redis_url": redis_url, "load_actor": load_actor}
        async with (
            open_kernel(Settings(), stocked.clock, **how) as kernel,  # type: ignore[arg-type]
            served(kernel, a_hall(kernel)) as port,
        ):
            proxy.go_down()
            async with viewing(port) as viewer:
                assert b'"type":"/problems/unavailable"' in await viewer.socket.recv(decode=False)
                await viewer.socket.wait_closed()
                assert viewer.socket.close_code == 4000
            proxy.down = False
            async with viewing(port) as viewer:
                assert await viewer.read() == Snapshot(1, 1_000, (), "public")


async def test_a_hint_of_less_than_is_known_and_one_that_cannot_be_read_do_no_harm(
    stocked: Kernel, redis_url: str
) -> None:
    hall = await stocked.halls.hall(STOCK.ref(ID), StockView)
    await until(stocked.bus._connected.is_set)
    async with Redis.from_url(redis_url) as redis:
        for hint in (b"nonsense", b"{}", b'{"sender":"x","streams":{"stock/none":9,"stock/%s":1}}' % str(ID).encode()):
            await redis.publish(CHANNEL, hint)
    await stocked.committer.submit(take("a"))

    assert hall.view.version == 2


async def test_of_two_hints_for_a_stream_the_higher_one_is_told(redis_url: str) -> None:
    heard: list[dict[str, int]] = []
    one, other = Bus(Redis.from_url(redis_url)), Bus(Redis.from_url(redis_url))
    other.listeners.append(lambda streams: heard.append(dict(streams)))
    await one.open()
    await other.open()
    await until(other._connected.is_set)

    one.hint("stock/1", 6)
    one.hint("stock/1", 5)
    await until(lambda: heard)
    await one.close()
    await other.close()

    assert heard == [{"stock/1": 6}]


async def test_an_empty_hall_is_forgotten_after_its_time_and_one_with_a_viewer_is_not(
    stocked: Kernel, port: int
) -> None:
    watched = uuid7(NOON)
    await stocked.committer.submit(fill(1, watched))
    empty = await stocked.halls.hall(STOCK.ref(ID), StockView)
    async with viewing(port, watched) as viewer:
        await viewer.read()
        kept = await stocked.halls.hall(STOCK.ref(watched), StockView)
        now_s = asyncio.get_running_loop().time()
        stocked.halls._sweep(now_s)
        stocked.halls._sweep(now_s + halls_module.EMPTY_KEPT_S)
        assert await stocked.halls.hall(STOCK.ref(ID), StockView) is empty  # asked for again: its time starts anew
        stocked.halls._sweep(now_s + halls_module.EMPTY_KEPT_S)
        stocked.halls._sweep(now_s + 2 * halls_module.EMPTY_KEPT_S + 1)

        assert await stocked.halls.hall(STOCK.ref(watched), StockView) is kept
        assert await stocked.halls.hall(STOCK.ref(ID), StockView) is not empty


async def test_a_view_that_stumbles_does_not_stop_the_halls_of_others(
    stocked: Kernel, make_kernel: KernelMaker
) -> None:
    class Clumsy(StockView):
        def apply(self, run: Sequence[Recorded[Any]]) -> None:
            if run[-1].version > 1:
                raise ZeroDivisionError
            super().apply(run)

    other, fine = await make_kernel(), uuid7(NOON)
    await stocked.committer.submit(fill(10, fine))
    await other.halls.hall(STOCK.ref(ID), Clumsy)
    hall = await other.halls.hall(STOCK.ref(fine), StockView)
    await until(other.bus._connected.is_set)

    await stocked.committer.submit(take("a"))
    await stocked.committer.submit(take("a", fine))
    await until(lambda: hall.view.version == 2)
    assert await other.committer.submit(take("b")) == 998
    await stocked.committer.submit(take("b", fine))

    await until(lambda: hall.view.version == 3)


async def test_many_who_come_at_once_share_one_hall(stocked: Kernel) -> None:
    found = await asyncio.gather(*(stocked.halls.hall(STOCK.ref(ID), StockView) for _ in range(20)))

    assert len(set(map(id, found))) == 1


async def test_a_hall_with_a_long_past_is_read_in_pages(stocked: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(halls_module, "_PAGE", 7)
    await asyncio.gather(*(stocked.committer.submit(take(f"b{n}")) for n in range(27)))

    hall = await stocked.halls.hall(STOCK.ref(ID), StockView)

    assert hall.view.version == 28
