"""The kernel of one process: everything that a service needs, opened and closed together."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

from kernel.access.actors import Actor
from kernel.access.limits import Limits
from kernel.access.rates import Rates
from kernel.access.sessions import Sessions
from kernel.blobs.store import Blobs
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.commit.committer import Committer
from kernel.commit.trading import Trading
from kernel.db.database import Database
from kernel.db.skew import Skew
from kernel.live.halls import Halls
from kernel.revocation.fetching import Fetcher
from kernel.revocation.register import Revocations
from kernel.settings import Settings
from kernel.timestamps.client import StampClient, client_of
from kernel.transparency.log import TransparencyLog
from kernel.trust.store import TrustStore
from kernel.vault.vault import Vault, vault_of

_REDIS_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """
    What services get.

    ``committer`` takes ordinary commands, ``live_committer`` those of live trading: a long import must not hold up
    an auction. Either may append to any stream; the journal decides who was first. ``workshop`` is for what takes a
    core and much memory, such as cleaning a picture: one at a time.
    """

    settings: Settings
    clock: Clock
    db: Database
    redis: Redis
    committer: Committer
    live_committer: Committer
    bus: Bus
    halls: Halls
    sessions: Sessions
    limits: Limits
    rates: Rates
    skew: Skew
    trust: TrustStore
    revocations: Revocations
    blobs: Blobs
    workshop: asyncio.Semaphore
    transparency: TransparencyLog
    vault: Vault
    stamps: StampClient | None
    """None: no time stamp authority is named."""

    @property
    def trading(self) -> Trading:
        """Tell how much there is to do: what can wait should."""
        return max(self.committer.trading, self.live_committer.trading)


LoadActor = Callable[[Database, UUID], Awaitable[Actor | None]]


@asynccontextmanager
async def open_kernel(
    settings: Settings, clock: Clock, *, database_url: str, redis_url: str, load_actor: LoadActor
) -> AsyncIterator[Kernel]:
    """Connect to the engines and open every part; on leaving, finish what is queued and close in reverse order."""
    async with AsyncExitStack() as stack:
        db = Database(database_url, pool_size=settings.pool_size)
        await db.open()
        stack.push_async_callback(db.close)
        redis = Redis.from_url(
            redis_url,
            socket_timeout=_REDIS_TIMEOUT_S,
            socket_connect_timeout=_REDIS_TIMEOUT_S,
            retry=Retry(ConstantBackoff(0.1), 1),
        )
        stack.push_async_callback(redis.aclose)
        bus = Bus(Redis.from_url(redis_url, socket_connect_timeout=_REDIS_TIMEOUT_S))
        committers = [_committer(settings, clock, db, name) for name in ("ordinary", "live")]
        halls = _halls(settings, db, bus, committers[1])

        async def load(user_id: UUID) -> Actor | None:
            return await load_actor(db, user_id)

        stamps = client_of(settings, clock)
        if stamps is not None:
            stack.push_async_callback(stamps.close)
        trust = TrustStore(settings, clock)
        fetcher = Fetcher(trust.hosts, settings.revocation_hosts, timeout_s=settings.revocation_timeout_s)
        revocations = Revocations(db, clock, fetcher, trust.denials)
        stack.push_async_callback(revocations.close)
        idle_s, absolute_s = settings.session_idle_s, settings.session_absolute_s
        sessions = Sessions(db, clock, load, idle_s=idle_s, absolute_s=absolute_s)
        bus.listeners.append(sessions.hinted)
        kernel = Kernel(
            settings=settings,
            clock=clock,
            db=db,
            redis=redis,
            committer=committers[0],
            live_committer=committers[1],
            bus=bus,
            halls=halls,
            sessions=sessions,
            limits=Limits(redis, clock),
            rates=Rates(redis, clock, settings),
            skew=Skew(db, clock),
            trust=trust,
            revocations=revocations,
            blobs=Blobs(settings.blobs_path),
            workshop=asyncio.Semaphore(1),
            transparency=TransparencyLog(db, clock, settings),
            vault=vault_of(settings),
            stamps=stamps,
        )
        parts: tuple[Bus | Halls | Committer | TransparencyLog | Rates, ...] = (
            bus,
            halls,
            *committers,
            kernel.transparency,
            kernel.rates,
        )
        for part in parts:
            await part.open()
            stack.push_async_callback(part.close)
        for committer in committers:
            committer.listeners.append(halls.committed)
            committer.listeners.append(sessions.hinted)
        yield kernel


def _halls(settings: Settings, db: Database, bus: Bus, committer: Committer) -> Halls:
    flush_min_s, buffer_bytes_max = settings.flush_min_s, settings.viewer_buffer_bytes_max
    return Halls(
        db,
        bus,
        flush_min_s=flush_min_s,
        buffer_bytes_max=buffer_bytes_max,
        busy=lambda: committer.trading is not Trading.CALM,
    )


def _committer(settings: Settings, clock: Clock, db: Database, name: str) -> Committer:
    return Committer(
        db,
        clock,
        name=name,
        queue_len_max=settings.queue_len_max,
        queue_age_max_s=settings.queue_age_max_s,
        batch_len_max=settings.batch_len_max,
    )
