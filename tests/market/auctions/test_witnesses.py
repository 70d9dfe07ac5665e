"""An award is refused where the log's witnesses cannot see it, and nothing else is."""

from pathlib import Path

import msgspec
import pytest

from kernel.clock import ManualClock
from kernel.commit.command import Key
from kernel.problems import Unavailable
from kernel.transparency import log
from kernel.transparency.policy import COMMITTED, SEALED
from market.auctions import service
from market.auctions.lifecycle import AuctionStage
from portal.app import KINDS
from tests.architecture.test_streams import events_of
from tests.builders.market_auctions import a_world
from tests.builders.transparency import AWitness, log_key, witnessed_by
from tests.conftest import NOON, KernelMaker


async def test_an_award_needs_its_witnesses_and_is_in_what_they_cosigned(
    make_kernel: KernelMaker, tmp_path: Path
) -> None:
    witness = AWitness(1, tmp_path, ManualClock(NOON))
    kernel = await make_kernel(witnesses=(witness.setting,), witnesses_required=1)
    with witnessed_by(kernel, witness):
        world = await a_world(kernel)
        auction_id = await world.closed()  # offers, start and close go on without witnesses
        with pytest.raises(Unavailable) as refused:
            await service.award(kernel, world.by(), auction_id, "最低价")
        assert refused.value.members["reason"] == "log-not-witnessed"
        assert (await world.state(auction_id)).stage is AuctionStage.CLOSED

        key = await log_key(kernel)
        witness.logs[key.name] = key
        done = await service.award(kernel, world.by(), auction_id, "最低价")

        assert done.stage is AuctionStage.AWARDED
        seen = await kernel.transparency.covering(f"auction/{auction_id}", done.version, cosigned=1)
        assert seen is not None


async def test_an_award_that_is_held_is_confirmed_by_the_same_request(
    make_kernel: KernelMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "SEAL_S_MAX", 0.3)
    witness = AWitness(1, tmp_path, ManualClock(NOON))
    kernel = await make_kernel(witnesses=(witness.setting,), witnesses_required=1)
    with witnessed_by(kernel, witness):
        world = await a_world(kernel)
        auction_id = await world.closed()
        await kernel.transparency.step()
        key = await log_key(kernel)
        witness.logs[key.name] = key
        by = msgspec.structs.replace(world.by(), key=Key("purchaser", "k1", b"1" * 32))

        async def seen_no_more() -> None:
            witness.up = False

        monkeypatch.setattr(kernel.transparency.__class__, "require_witnesses", lambda _: seen_no_more())
        with pytest.raises(Unavailable) as held:
            await service.award(kernel, by, auction_id, "最低价")
        monkeypatch.undo()
        witness.up = True
        done = await service.award(kernel, by, auction_id, "最低价")

        assert held.value.members["reason"] == "log-held"
        assert done.stage is AuctionStage.AWARDED
        assert (await world.state(auction_id)).version == done.version


def test_the_policy_speaks_of_events_that_there_are() -> None:
    tags = {str(event.__struct_config__.tag) for kind in KINDS for event in events_of(kind)}

    named = SEALED | COMMITTED.keys() | {kind for kinds in COMMITTED.values() for kind in kinds}
    assert named <= tags
