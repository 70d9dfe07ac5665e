"""Acts that witnesses must see are refused without them; everything else goes on."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from crypto.log.notes import verify_note
from kernel.clock import ManualClock
from kernel.problems import Unavailable
from kernel.runtime import Kernel
from kernel.settings import Settings
from kernel.transparency import log as transparency_log
from kernel.transparency import queries
from kernel.transparency.keys import KeyFault, load_key, log_key_exists, public_key, receipt_key, seal_keys
from kernel.transparency.keys import log_key as private_key
from kernel.vault.keys import new_key, write_keys
from tests.builders.logs import captured
from tests.builders.stock import DDL, ID, fill, take
from tests.builders.transparency import AWitness, log_key, witnessed_by
from tests.conftest import NOON, KernelMaker

STREAM = f"stock/{ID}"
ACT = "auction.awarded"


@pytest.fixture
async def three(
    make_kernel: KernelMaker, owner: asyncpg.Connection, tmp_path: Path
) -> AsyncIterator[tuple[Kernel, list[AWitness]]]:
    """A kernel with three witnesses of which two are required."""
    witnesses = [AWitness(number, tmp_path, ManualClock(NOON)) for number in (1, 2, 3)]
    kernel = await make_kernel(witnesses=tuple(witness.setting for witness in witnesses), witnesses_required=2)
    await owner.execute(DDL)
    await kernel.committer.submit(fill(100))
    with witnessed_by(kernel, *witnesses):
        await kernel.transparency.step()
        key = await log_key(kernel)
        for witness in witnesses:
            witness.logs[key.name] = key
        yield kernel, witnesses


async def test_every_witness_is_shown_each_checkpoint_once(three: tuple[Kernel, list[AWitness]]) -> None:
    kernel, witnesses = three

    assert await kernel.transparency.cosign() == 3
    head = await queries.head(kernel.db.pool)
    assert head is not None
    note = await kernel.transparency.note_of(head)

    keys = [await log_key(kernel), *(witness.signer.key for witness in witnesses)]
    assert len(verify_note(note, keys)) == 4
    for witness in witnesses:
        witness.up = False
    assert await kernel.transparency.cosign() == 3  # all have, nobody was asked


async def test_a_witness_that_is_away_holds_up_nothing_and_catches_up(three: tuple[Kernel, list[AWitness]]) -> None:
    kernel, witnesses = three
    witnesses[0].up = False
    with captured() as said:
        for number in range(3):
            await kernel.committer.submit(take(str(number)))
            await kernel.transparency.step()
            assert await kernel.transparency.cosign() == 2
    assert [line["event"] for line in said] == ["witness.away"]  # left alone after the first time

    witnesses[0].up = True
    kernel.clock.advance(timedelta(seconds=6))  # type: ignore[attr-defined]
    assert await kernel.transparency.cosign() == 3


async def test_an_act_that_must_be_seen_is_done_where_enough_see_it(three: tuple[Kernel, list[AWitness]]) -> None:
    kernel, witnesses = three
    witnesses[2].up = False

    await kernel.transparency.require_witnesses()
    await kernel.committer.submit(take("act"))
    await kernel.transparency.seal(STREAM, 2, ACT)

    head = await kernel.transparency.covering(STREAM, 2, cosigned=2)
    assert head is not None


async def test_an_act_that_must_be_seen_is_refused_where_too_few_answer(three: tuple[Kernel, list[AWitness]]) -> None:
    kernel, witnesses = three
    await kernel.transparency.cosign()
    witnesses[0].up = witnesses[1].up = False

    with pytest.raises(Unavailable) as refused:
        await kernel.transparency.require_witnesses()

    assert refused.value.members == {"reason": "log-not-witnessed"}


async def test_an_act_whose_witnesses_went_away_is_held_until_they_are_back(
    three: tuple[Kernel, list[AWitness]], monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel, witnesses = three
    monkeypatch.setattr(transparency_log, "SEAL_S_MAX", 0.3)
    await kernel.transparency.require_witnesses()
    await kernel.committer.submit(take("act"))
    witnesses[0].up = witnesses[1].up = False

    with pytest.raises(Unavailable) as held:
        await kernel.transparency.seal(STREAM, 2, ACT)
    assert held.value.members == {"reason": "log-held"}

    witnesses[0].up = True
    await kernel.transparency.seal(STREAM, 2, ACT)


async def test_a_site_that_requires_no_witness_waits_for_none(kernel: Kernel) -> None:
    await kernel.transparency.require_witnesses()
    await kernel.transparency.seal(STREAM, 1, ACT)

    assert not log_key_exists(kernel.settings)


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "log.pem"

    first, second = load_key(path), load_key(path)

    assert first.private_bytes_raw() == second.private_bytes_raw()
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["log.pem"]


def test_the_log_s_keys_are_sealed(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert public_key(settings) is None

    keys = private_key(settings), receipt_key(settings)

    assert public_key(settings) == keys[0].public_key().public_bytes_raw()
    assert keys[0].private_bytes_raw() != keys[1].private_bytes_raw()
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert not any(key.private_bytes_raw() in stored for key in keys)
    assert b"PRIVATE KEY" not in stored


def test_keys_from_before_the_vault_are_sealed_and_stay_the_keys(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    log, receipts = (load_key(tmp_path / "keys" / name) for name in ("log.pem", "receipts.pem"))
    assert public_key(settings) == log.public_key().public_bytes_raw()

    seal_keys(settings)
    seal_keys(settings)

    assert list((tmp_path / "keys").iterdir()) == []
    assert private_key(settings).private_bytes_raw() == log.private_bytes_raw()
    assert receipt_key(settings).private_bytes_raw() == receipts.private_bytes_raw()
    load_key(tmp_path / "keys" / "log.pem")
    with pytest.raises(KeyFault, match="remove the one that is wrong"):
        private_key(settings)


def test_a_key_whose_master_key_is_gone_is_named(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    private_key(settings)
    write_keys(tmp_path / "vault.key", [new_key()])

    with pytest.raises(KeyFault, match=r"log-key\.sealed cannot be used"):
        private_key(settings)


def test_a_log_key_that_is_named_stays_the_file_that_it_is(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", log_key=tmp_path / "log.pem")

    assert private_key(settings).private_bytes_raw() == load_key(tmp_path / "log.pem").private_bytes_raw()
    assert public_key(settings) is not None
    assert not (tmp_path / "data").exists()


def test_a_key_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    load_key(path)
    path.chmod(0o640)

    with pytest.raises(KeyFault, match="chmod 600"):
        load_key(path)


@pytest.mark.parametrize(
    "content", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_file_that_holds_no_key_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log.pem"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(KeyFault, match=r"log\.pem"):
        load_key(path)
