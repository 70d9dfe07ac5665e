"""The door of a hall, and how it ends."""

import asyncio
import contextlib
import socket as sockets
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from kernel.access.actors import Actor, Role
from kernel.access.sessions import CACHE_S
from kernel.clock import ManualClock
from kernel.db.database import Database
from kernel.live.serve import PROBLEM, SESSION_ENDED
from kernel.metrics import VIEWERS, VIEWERS_CUT
from kernel.runtime import Kernel, open_kernel
from kernel.settings import Settings
from portal.app import create_app
from tests.builders.database_proxy import DatabaseProxy
from tests.builders.live import Answered, Delta, Echo, Snapshot, Viewer, a_hall, served, viewing
from tests.builders.logs import captured
from tests.builders.stock import DDL, ID, STOCK, fill, journal, take
from tests.conftest import NOON, KernelMaker

NIL = UUID(int=0)
HOST_ID = UUID(int=1)


async def anybody(_: Database, user_id: UUID) -> Actor | None:
    return Actor(user_id, "somebody", "某人", None, "", "", (Role.SUPPLIER,))


@pytest.fixture
async def stocked(make_kernel: KernelMaker, owner: asyncpg.Connection) -> Kernel:
    await owner.execute(DDL)
    kernel = await make_kernel(actors=anybody, flush_min_s=0.0, viewer_buffer_bytes_max=4096)
    await kernel.committer.submit(fill(1_000))
    return kernel


@pytest.fixture
async def port(stocked: Kernel) -> AsyncIterator[int]:
    async with served(stocked, a_hall(stocked, recheck_s=0.05)) as found:
        yield found


async def log_in(kernel: Kernel) -> dict[str, str]:
    token, _ = await kernel.sessions.open(HOST_ID, origin="test", user_agent="test")
    return {"Authorization": f"Bearer {token}"}


async def problem_of(viewer: Viewer) -> dict[str, Any]:
    """Read the problem that a viewer is turned away with."""
    document: dict[str, Any] = msgspec.json.decode(await viewer.socket.recv(decode=False))
    await viewer.socket.wait_closed()
    assert (viewer.socket.close_code, viewer.socket.close_reason) == (PROBLEM, document["type"].rpartition("/")[2])
    return document


async def test_a_refusal_at_the_door_is_one_problem_in_the_language_asked_for(port: int) -> None:
    async with viewing(port, NIL) as viewer:
        chinese = await problem_of(viewer)
    async with viewing(port, NIL, additional_headers={"Accept-Language": "en-GB"}) as viewer:
        english = await problem_of(viewer)

    assert chinese["frame"] == "problem"
    assert (chinese["status"], chinese["detail"]) == (404, "没有")
    assert (english["type"], english["title"], english["detail"]) == (
        "/problems/not-found",
        "Not found",
        "nothing there",
    )


async def test_a_page_of_another_site_cannot_use_a_visitors_cookie_to_listen(stocked: Kernel, port: int) -> None:
    bearer = (await log_in(stocked))["Authorization"].removeprefix("Bearer ")
    cookie = {"Cookie": f"zhecai_session={bearer}"}
    async with viewing(port, additional_headers=cookie, origin="https://evil.example") as viewer:
        assert (await problem_of(viewer))["reason"] == "cross-site"
    async with viewing(port, additional_headers=cookie, origin=f"http://127.0.0.1:{port}") as viewer:
        assert (await viewer.read()).audience == "host"
    async with viewing(port, origin="https://elsewhere.example") as viewer:
        assert (await viewer.read()).audience == "public"


async def test_a_process_whose_clock_is_wrong_shows_nothing_live(
    make_kernel: KernelMaker, owner: asyncpg.Connection
) -> None:
    await owner.execute(DDL)
    wrong = await make_kernel()  # its clock stands still, at another time than the database's
    await wrong.committer.submit(fill(1))
    async with served(wrong, a_hall(wrong)) as port:
        await wrong.skew.measure()
        async with viewing(port) as viewer:
            document = await problem_of(viewer)
    assert (document["status"], document["reason"]) == (503, "clock-skew")


async def test_what_a_viewer_asks_for_is_answered_when_it_is_durable(stocked: Kernel, port: int) -> None:
    async with viewing(port) as viewer:
        await viewer.read()
        await viewer.send("take a")
        frames = [await viewer.read(), await viewer.read()]

    assert Answered(999, None) in frames
    assert Delta(1, 2, 999, ("a",)) in frames
    assert await journal(stocked) == ["stock.filled", "stock.taken"]


async def test_a_message_sent_at_once_is_answered_after_the_first_view(port: int) -> None:
    async with viewing(port) as viewer:
        await viewer.send("hello")
        frames = [await viewer.read(), await viewer.read()]
        await viewer.send("still here")

        assert {type(frame) for frame in frames} == {Snapshot, Echo}
        assert isinstance(frames[0], Snapshot)
        assert await viewer.read() == Echo("still here")


async def test_a_refusal_and_a_full_queue_come_as_answers(stocked: Kernel, port: int) -> None:
    await stocked.committer.submit(fill(0))
    async with viewing(port) as viewer:
        await viewer.read()
        await viewer.send("take a")
        assert await viewer.read() == Answered(None, "refused")
        await stocked.live_committer.close()
        await viewer.send("take a")
        assert await viewer.read() == Answered(None, "unavailable")
        stocked.live_committer._closing = False
        await stocked.live_committer.open()


async def test_an_ended_session_is_shown_out_and_others_stay(stocked: Kernel, port: int) -> None:
    headers = await log_in(stocked)
    async with viewing(port, additional_headers=headers) as host, viewing(port) as public:
        assert (await host.read()).audience == "host"
        await public.read()
        await asyncio.sleep(0.2)  # it was looked at more than once and is still good
        await stocked.sessions.close(headers["Authorization"].removeprefix("Bearer "))
        with pytest.raises(ConnectionClosedError):
            await host.read()
        assert host.socket.close_code == SESSION_ENDED
        await stocked.committer.submit(take("a"))
        assert isinstance(await public.read(), Delta)


async def test_a_session_that_nobody_can_look_up_just_now_is_not_ended(stocked: Kernel, redis_url: str) -> None:
    headers = await log_in(stocked)
    clock = ManualClock(NOON)
    async with (
        DatabaseProxy(stocked.db.dsn) as proxy,
        open_kernel(
            Settings(flush_min_s=0.0), clock, database_url=proxy.url, redis_url=redis_url, load_actor=anybody
        ) as kernel,
        served(kernel, a_hall(kernel, recheck_s=0.05)) as port,
        viewing(port, additional_headers=headers) as host,
    ):
        await host.read()
        proxy.go_down()
        clock.advance(timedelta(seconds=CACHE_S + 1))
        with captured() as logs:
            await asyncio.sleep(0.3)
        assert any(line["event"] == "live.database_away" for line in logs)
        proxy.down = False
        await stocked.committer.submit(take("a"))

        assert isinstance(await host.read(), Delta)


async def test_a_viewer_that_reads_too_slowly_is_cut_off_with_a_hint_and_never_slows_the_others(
    stocked: Kernel, port: int
) -> None:
    cut_before = VIEWERS_CUT._value.get()
    narrow = sockets.socket()
    narrow.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    narrow.settimeout(0)
    await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", port))
    async with viewing(port) as quick, viewing(port, sock=narrow, max_queue=1) as slow:
        await quick.read()
        hall = stocked.halls._halls[STOCK.ref(ID)]
        shown = 0
        while len(hall.seats) == 2 and shown < 500:
            await stocked.committer.submit(take("long name " * 10_000))
            assert isinstance(await quick.read(), Delta)
            shown += 1
        assert len(hall.seats) == 1
        assert VIEWERS_CUT._value.get() == cut_before + 1

        last: Any = None
        with contextlib.suppress(ConnectionClosedError):
            while True:
                last = await slow.read()
        assert slow.socket.close_code == 1013
        assert slow.socket.close_reason == f"too slow, resume with after={last.version}"

        await stocked.committer.submit(take("z"))
        assert (await quick.read()).buyers == ("z",)
        async with viewing(port, query=f"?after={last.version}") as back:
            first = await back.read()
            assert (first.after, first.buyers[-1]) == (last.version, "z")


async def test_who_sends_a_hall_too_many_messages_is_told_so_and_cut_off(
    make_kernel: KernelMaker, owner: asyncpg.Connection
) -> None:
    await owner.execute(DDL)
    kernel = await make_kernel(actors=anybody, account_frames_per_min=3, address_frames_per_min=5)
    await kernel.committer.submit(fill(1_000))
    async with served(kernel, a_hall(kernel)) as port:
        async with viewing(port, additional_headers=await log_in(kernel)) as viewer:
            await viewer.read()
            for _ in range(3):
                await viewer.send("hello")
                assert isinstance(await viewer.read(), Echo)
            await viewer.send("hello")
            document = await problem_of(viewer)
        async with viewing(port) as nobody:  # from the same address, which has one left
            await nobody.read()
            await nobody.send("hello")
            assert isinstance(await nobody.read(), Echo)
            await nobody.send("hello")
            assert (await problem_of(nobody))["budget"] == "address-frame"

    assert (document["status"], document["budget"], document["retry_after_s"]) == (429, "account-frame", 20)


async def test_who_comes_to_the_door_too_often_is_turned_away(
    make_kernel: KernelMaker, owner: asyncpg.Connection
) -> None:
    await owner.execute(DDL)
    kernel = await make_kernel(actors=anybody, account_reads_per_min=1, address_reads_per_min=3)
    await kernel.committer.submit(fill(1_000))
    headers = await log_in(kernel)
    async with served(kernel, a_hall(kernel)) as port:
        async with viewing(port, additional_headers=headers) as viewer:
            assert isinstance(await viewer.read(), Snapshot)
        async with viewing(port, additional_headers=headers) as viewer:
            assert (await problem_of(viewer))["budget"] == "account-read"
        async with viewing(port) as viewer:
            assert isinstance(await viewer.read(), Snapshot)
        async with viewing(port) as viewer:
            assert (await problem_of(viewer))["budget"] == "address-read"


async def test_viewers_are_counted_while_they_are_there(stocked: Kernel, port: int) -> None:
    before = VIEWERS._value.get()
    async with viewing(port) as viewer:
        await viewer.read()
        assert VIEWERS._value.get() == before + 1
        assert len(stocked.halls._halls[STOCK.ref(ID)].seats) == 1
    async with asyncio.timeout(20):
        while VIEWERS._value.get() != before:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    assert not stocked.halls._halls[STOCK.ref(ID)].seats


async def test_there_is_no_hall_elsewhere(stocked: Kernel) -> None:
    async with served(stocked, create_app(stocked)) as port:
        with pytest.raises(InvalidStatus) as caught:
            async with viewing(port):
                pass
    assert caught.value.response.status_code == 403
