"""While offers come by the hundred, the row of an auction lags behind its journal: nobody is shown or decides less."""

import asyncio
from uuid import UUID

import asyncpg
import pytest

from kernel.commit import owed as owed_module
from kernel.commit.committer import ENOUGH
from kernel.commit.trading import Trading
from kernel.journal import queries as journal
from kernel.journal.streams import Change
from kernel.runtime import Kernel
from market.auctions import service
from market.auctions.lifecycle import AuctionStage, MinimumStep
from market.auctions.service import AUCTION
from market.auctions.worker import run_due
from tests.builders.market_auctions import MINUTE, World, a_world, differences
from tests.conftest import KernelMaker

BIDDERS = ENOUGH + 8
CEILING_FEN = 1_000_000


@pytest.fixture
async def world(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> World:
    """So many suppliers that their offers keep the committer busy; no row falls due while a test looks."""
    monkeypatch.setattr(owed_module, "LAG_S", 3_600.0)
    return await a_world(kernel, suppliers=BIDDERS)


async def contested(world: World) -> UUID:
    """An auction that everybody offers in at once, again and again."""
    auction_id = await world.live(step=MinimumStep(amount_fen=1), ceiling_fen=CEILING_FEN)
    for round_ in range(20):
        price_fen = CEILING_FEN - round_ - 1
        await asyncio.gather(*(world.offer(auction_id, number, price_fen) for number in range(BIDDERS)))
    assert world.kernel.live_committer.trading > Trading.CALM
    return auction_id


async def row_version(owner: asyncpg.Connection, auction_id: UUID) -> int:
    found: int = await owner.fetchval("select version from auction_standings where id = $1", auction_id)
    return found


async def last_version(world: World, auction_id: UUID) -> int:
    return len(await journal.read(world.kernel.db.pool, str(AUCTION.ref(auction_id))))


async def test_what_is_loaded_and_shown_is_what_the_journal_says(world: World, owner: asyncpg.Connection) -> None:
    auction_id = await contested(world)
    version = await last_version(world, auction_id)

    assert await row_version(owner, auction_id) < version
    state = await world.state(auction_id)
    assert state.version == version
    assert state.offers == 20 * BIDDERS
    assert state.ladder[0].price_fen == CEILING_FEN - 20
    shown = await service.detail(world.kernel, world.purchaser, auction_id)
    assert shown.offers == 20 * BIDDERS
    assert await differences(world.kernel) == []


async def test_another_process_decides_on_all_offers(
    world: World, owner: asyncpg.Connection, make_kernel: KernelMaker
) -> None:
    auction_id = await contested(world)
    elsewhere = await make_kernel()

    accepted = await service.offer(
        elsewhere, world.by(world.suppliers[3]), auction_id, price_fen=CEILING_FEN - 21, offer_key="k", resent=False
    )

    assert accepted.version == await last_version(world, auction_id)
    assert accepted.rank == 1
    assert await row_version(owner, auction_id) == accepted.version
    assert await differences(world.kernel) == []


async def test_the_close_writes_everything(world: World, owner: asyncpg.Connection) -> None:
    auction_id = await contested(world)
    world.advance(31 * MINUTE)
    assert await run_due(world.kernel) == 1

    assert await row_version(owner, auction_id) == await last_version(world, auction_id)
    assert (await world.state(auction_id)).stage is AuctionStage.CLOSED
    best_fen, offers = await owner.fetchrow("select best_fen, offers from auction_standings where id = $1", auction_id)
    assert (best_fen, offers) == (CEILING_FEN - 20, 20 * BIDDERS)


async def test_a_row_that_is_written_late_leaves_a_newer_one_alone(world: World, owner: asyncpg.Connection) -> None:
    auction_id = await world.live(step=MinimumStep(amount_fen=1), ceiling_fen=CEILING_FEN)
    await world.offer(auction_id, 0, 900_000)
    early = await world.state(auction_id)
    await world.offer(auction_id, 1, 800_000)
    version = await row_version(owner, auction_id)

    await AUCTION.save(owner, [Change(auction_id, early, early, early.version, ())])

    assert await row_version(owner, auction_id) == version == early.version + 1
    assert await differences(world.kernel) == []
