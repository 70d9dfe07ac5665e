import asyncio
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from kernel.access import sessions as sessions_module
from kernel.access.actors import PUBLIC_ACTOR, Actor, Role, system_actor
from kernel.access.assurance import Assurance
from kernel.access.sessions import CACHE_S, PENDING
from kernel.clock import ManualClock
from kernel.db.database import Database
from kernel.runtime import Kernel
from tests.conftest import NOON, KernelMaker

USER = UUID(int=1)
SUSPENDED = UUID(int=2)
MOMENT = timedelta(microseconds=1)


async def somebody(_: Database, user_id: UUID) -> Actor | None:
    if user_id == SUSPENDED:
        return None
    return Actor(user_id, "somebody", "某人", None, "", "", (Role.SUPPLIER,))


@pytest.fixture
async def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
async def kernel(make_kernel: KernelMaker, clock: ManualClock) -> Kernel:
    return await make_kernel(clock, actors=somebody, session_idle_s=600, session_absolute_s=3_600)


async def opened(kernel: Kernel, user_id: UUID = USER) -> str:
    token, expires_at = await kernel.sessions.open(user_id, origin="192.0.2.1", user_agent="x" * 1_000)
    assert expires_at == kernel.clock.now() + timedelta(hours=1)
    return token


async def test_a_token_is_its_holders_and_no_other_word_is(kernel: Kernel) -> None:
    token = await opened(kernel)

    actor = await kernel.sessions.actor_of(token)
    assert actor
    assert (actor.user_id, actor.journal) == (USER, f"user/{USER}")
    for other in ("", token[:-1], token + "x", token.swapcase(), "\0"):
        assert await kernel.sessions.actor_of(other) is None


async def test_the_database_never_holds_a_token(kernel: Kernel, owner: asyncpg.Connection) -> None:
    token = await opened(kernel)

    assert token not in str(await owner.fetch("select s, encode(token_hash, 'escape') from sessions s"))
    assert await owner.fetchval("select length(user_agent) from sessions") == 200


async def test_an_idle_session_ends_on_the_stroke_and_one_in_use_does_not(kernel: Kernel, clock: ManualClock) -> None:
    idle, used = await opened(kernel), await opened(kernel)
    for _ in range(9):
        clock.advance(timedelta(seconds=66))
        assert await kernel.sessions.actor_of(used)
    clock.advance(timedelta(seconds=6) - MOMENT)
    assert await kernel.sessions.actor_of(idle)  # which is use
    clock.advance(timedelta(seconds=600))
    assert await kernel.sessions.actor_of(idle) is None
    assert await kernel.sessions.actor_of(used) is None


async def test_a_session_ends_at_the_latest_after_its_absolute_time_however_much_it_is_used(
    kernel: Kernel, clock: ManualClock
) -> None:
    token = await opened(kernel)
    for _ in range(59):
        clock.advance(timedelta(minutes=1))
        assert await kernel.sessions.actor_of(token)
    clock.advance(timedelta(minutes=1) - MOMENT - timedelta(seconds=CACHE_S))
    assert await kernel.sessions.actor_of(token)
    clock.advance(timedelta(seconds=CACHE_S) + MOMENT)
    assert await kernel.sessions.actor_of(token) is None


@pytest.mark.parametrize("pause_s", [30, 59, 5.5])
async def test_the_shortest_session_lives_while_it_is_used(
    make_kernel: KernelMaker, clock: ManualClock, pause_s: float
) -> None:
    kernel = await make_kernel(clock, actors=somebody, session_idle_s=60)
    token, _ = await kernel.sessions.open(USER, origin="", user_agent="")
    for _ in range(20):
        clock.advance(timedelta(seconds=pause_s))
        assert await kernel.sessions.actor_of(token)


async def test_a_closed_session_is_closed_here_at_once_and_elsewhere_within_seconds(
    kernel: Kernel, make_kernel: KernelMaker, clock: ManualClock
) -> None:
    other = await make_kernel(clock, actors=somebody)
    token = await opened(kernel)
    assert await other.sessions.actor_of(token)

    await kernel.sessions.close(token)
    await kernel.sessions.close(token)

    assert await kernel.sessions.actor_of(token) is None
    assert await other.sessions.actor_of(token)  # as documented
    clock.advance(timedelta(seconds=CACHE_S))
    assert await other.sessions.actor_of(token) is None


async def test_a_suspended_users_session_is_nobodys(kernel: Kernel) -> None:
    assert await kernel.sessions.actor_of(await opened(kernel, SUSPENDED)) is None


async def test_sweeping_deletes_what_has_ended_and_nothing_else(
    kernel: Kernel, clock: ManualClock, owner: asyncpg.Connection
) -> None:
    await opened(kernel)
    clock.advance(timedelta(seconds=600))
    young = await opened(kernel)
    await kernel.sessions.sweep()
    assert await owner.fetchval("select count(*) from sessions") == 2  # the older one ended this very moment

    clock.advance(MOMENT)
    await kernel.sessions.sweep()
    assert await owner.fetchval("select count(*) from sessions") == 1
    assert await kernel.sessions.actor_of(young)


async def test_below_its_floor_a_session_is_pending_and_soon_ends(kernel: Kernel, clock: ManualClock) -> None:
    token, expires_at = await kernel.sessions.open(USER, origin="", user_agent="", floor=Assurance.SECOND_FACTOR)

    session = await kernel.sessions.find(token)
    assert session
    assert session.pending
    assert expires_at == NOON + PENDING
    assert await kernel.sessions.actor_of(token) is None
    clock.advance(PENDING - MOMENT)
    assert await kernel.sessions.find(token)
    clock.advance(timedelta(seconds=CACHE_S))
    assert await kernel.sessions.find(token) is None


async def test_a_proof_raises_a_session_and_changes_its_token(kernel: Kernel, clock: ManualClock) -> None:
    token, _ = await kernel.sessions.open(USER, origin="", user_agent="", floor=Assurance.SECOND_FACTOR)
    before = await kernel.sessions.find(token)
    clock.advance(timedelta(minutes=5))

    raised = await kernel.sessions.raise_to(token, Assurance.SECOND_FACTOR)

    assert before
    assert raised
    fresh, session = raised
    assert (session.id, session.level, session.pending) == (before.id, Assurance.SECOND_FACTOR, False)
    assert session.proven_at == clock.now()
    assert session.expires_at == NOON + timedelta(hours=1)
    assert await kernel.sessions.find(token) is None
    assert await kernel.sessions.find(fresh) == session


async def test_a_weaker_proof_does_not_make_a_stronger_one_younger(kernel: Kernel, clock: ManualClock) -> None:
    token, _ = await kernel.sessions.open(USER, origin="", user_agent="", level=Assurance.CERTIFICATE)
    clock.advance(timedelta(minutes=5))

    raised = await kernel.sessions.raise_to(token, Assurance.SECOND_FACTOR)

    assert raised
    assert (raised[1].level, raised[1].proven_at) == (Assurance.CERTIFICATE, NOON)


async def test_an_ended_session_cannot_be_raised(kernel: Kernel) -> None:
    token = await opened(kernel)
    await kernel.sessions.close(token)

    assert await kernel.sessions.raise_to(token, Assurance.CERTIFICATE) is None
    assert await kernel.sessions.raise_to("nonsense", Assurance.CERTIFICATE) is None


async def test_of_two_proofs_at_once_one_is_noted(kernel: Kernel) -> None:
    token = await opened(kernel)
    both = await asyncio.gather(*(kernel.sessions.raise_to(token, Assurance.SECOND_FACTOR) for _ in range(2)))

    assert sum(one is not None for one in both) == 1


async def test_an_account_lists_and_ends_its_sessions_and_nobody_elses(kernel: Kernel, clock: ManualClock) -> None:
    first, second, other = await opened(kernel), await opened(kernel), await opened(kernel, UUID(int=3))
    clock.advance(timedelta(minutes=5))
    assert await kernel.sessions.find(second)  # used last
    rows = await kernel.sessions.list_of(USER)
    session = await kernel.sessions.find(second)
    assert session
    assert rows[0].id == session.id
    assert (len(rows), rows[0].origin, rows[0].seen_at) == (2, "192.0.2.1", clock.now())

    assert not await kernel.sessions.revoke(UUID(int=3), session.id)
    assert await kernel.sessions.find(second)
    assert await kernel.sessions.revoke(USER, session.id)
    assert not await kernel.sessions.revoke(USER, session.id)
    assert await kernel.sessions.find(second) is None
    third = await opened(kernel)
    kept = await kernel.sessions.find(third)
    assert kept
    assert await kernel.sessions.revoke_others(USER, kept.id) == 1
    assert await kernel.sessions.find(first) is None
    assert await kernel.sessions.find(third)
    assert await kernel.sessions.revoke_others(USER, None) == 1
    assert await kernel.sessions.find(other)


async def test_what_has_ended_is_not_listed(kernel: Kernel, clock: ManualClock) -> None:
    await opened(kernel)
    clock.advance(timedelta(seconds=600) - MOMENT)
    assert len(await kernel.sessions.list_of(USER)) == 1
    clock.advance(MOMENT)
    assert await kernel.sessions.list_of(USER) == []


async def test_a_session_stays_open_under_another_token(kernel: Kernel) -> None:
    """A hall that was entered before a step-up is not shown out by it."""
    token = await opened(kernel)
    session = await kernel.sessions.find(token)
    assert session
    assert await kernel.sessions.is_open(session.id)
    await kernel.sessions.raise_to(token, Assurance.SECOND_FACTOR)
    assert await kernel.sessions.is_open(session.id)
    await kernel.sessions.revoke(USER, session.id)
    assert not await kernel.sessions.is_open(session.id)


async def test_a_suspended_users_session_is_not_open(kernel: Kernel, owner: asyncpg.Connection) -> None:
    await opened(kernel, SUSPENDED)
    assert not await kernel.sessions.is_open(await owner.fetchval("select id from sessions"))


async def test_what_is_remembered_of_tokens_is_bounded(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "_CACHED_MAX", 3)
    for number in range(10):
        await kernel.sessions.actor_of(f"nonsense {number}")

    assert len(kernel.sessions._cache) <= 3


def test_who_acts_has_a_name_for_the_journal() -> None:
    assert PUBLIC_ACTOR.journal == "public"
    assert system_actor("worker").journal == "system/worker"
    assert system_actor("worker").has(Role.OPERATOR)
    assert not PUBLIC_ACTOR.has(Role.OPERATOR)
