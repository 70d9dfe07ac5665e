import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from crypto.certificates import keyfiles
from crypto.errors import NotVerifiedError
from kernel.clock import ManualClock
from kernel.settings import Settings, SettingsError, load_settings
from kernel.trust.folder import FolderError
from kernel.trust.passphrase import Passphrase
from kernel.trust.store import LOOK_AGAIN_S, TrustStore
from tests.builders.certificates import a_pki
from tests.conftest import NOON


@pytest.fixture(autouse=True)
def _fewer_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyfiles, "ITERATIONS", 1000)


def a_store(folder: Path, clock: ManualClock | None = None, **changes: object) -> TrustStore:
    return TrustStore(Settings(data_dir=folder, **changes), clock or ManualClock(NOON))  # type: ignore[arg-type]


def passphrase_of(folder: Path) -> str:
    return Passphrase(Settings(data_dir=folder)).read()


async def test_an_authority_is_made_once_and_opened_by_every_process(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    assert await store.authority() is None

    assert await store.create_trial()
    assert not await store.create_trial()
    one, other = await store.authority(), await a_store(tmp_path).authority()
    assert one is not None
    assert other is not None
    assert one.certificate == other.certificate
    assert not (tmp_path / "ca" / "passphrase").exists()
    assert passphrase_of(tmp_path)


async def test_a_missing_or_wrong_passphrase_is_said(tmp_path: Path) -> None:
    await a_store(tmp_path).create_trial()
    named = tmp_path / "named"
    named.write_text("something else\n", "utf-8")
    with pytest.raises(NotVerifiedError):
        await a_store(tmp_path, ca_passphrase_file=named).authority()
    named.unlink()
    with pytest.raises(FolderError, match="named"):
        await a_store(tmp_path, ca_passphrase_file=named).authority()
    (tmp_path / "secrets" / "ca-passphrase.sealed").unlink()
    with pytest.raises(FolderError, match="ZHECAI_CA_PASSPHRASE_FILE"):
        await a_store(tmp_path).authority()


async def test_a_file_that_is_named_for_the_passphrase_stays_as_it_is(tmp_path: Path) -> None:
    named = tmp_path / "ca" / "passphrase"
    assert await a_store(tmp_path, ca_passphrase_file=named).create_trial()
    a_store(tmp_path, ca_passphrase_file=named).seal()

    assert await a_store(tmp_path, ca_passphrase_file=named).authority() is not None
    assert named.stat().st_mode & 0o077 == 0
    assert not (tmp_path / "secrets").exists()


async def test_a_passphrase_from_before_the_vault_is_sealed_and_still_opens(tmp_path: Path) -> None:
    plain = tmp_path / "ca" / "passphrase"
    await a_store(tmp_path, ca_passphrase_file=plain).create_trial()

    a_store(tmp_path).seal()

    assert not plain.exists()
    assert await a_store(tmp_path).authority() is not None
    plain.write_text("another one\n", "utf-8")
    with pytest.raises(FolderError, match="remove the one that is wrong"):
        await a_store(tmp_path).authority()
    assert plain.exists()


async def test_the_root_s_list_is_written_anew_after_a_month(tmp_path: Path) -> None:
    await a_store(tmp_path).create_trial()
    before = (tmp_path / "ca" / "root.crl").read_bytes()
    written = (tmp_path / "ca" / "root.crl").stat().st_mtime
    late = ManualClock(NOON)
    late.advance(timedelta(seconds=max(0.0, written - NOON.timestamp())) + timedelta(days=31))

    await a_store(tmp_path, late).create_trial()

    assert (tmp_path / "ca" / "root.crl").read_bytes() != before


def test_nobody_is_trusted_by_default(tmp_path: Path) -> None:
    with pytest.raises(NotVerifiedError):
        a_store(tmp_path).trust()
    assert a_store(tmp_path).lists() == []


def test_outside_authorities_come_from_files_and_new_ones_are_noticed(tmp_path: Path) -> None:
    folder, pki, clock = tmp_path / "trust", a_pki(), ManualClock(NOON)
    folder.mkdir()
    store = a_store(tmp_path / "data", clock, trust_dir=folder)
    (folder / "one.pem").write_bytes(pki.root.certificate.pem() + pki.issuing.certificate.pem())
    lists = pki.lists
    for number, one in enumerate(lists):
        (folder / f"{number}.crl").write_bytes(one)

    assert store.trust() == pki.trust
    assert store.lists() == lists
    other = a_pki("rsa-pkcs1v15-sha256")
    shutil.copy(folder / "one.pem", folder / "two.pem")
    (folder / "two.pem").write_bytes(other.root.certificate.pem())
    assert store.trust() == pki.trust
    clock.advance(timedelta(seconds=LOOK_AGAIN_S))
    assert other.root.certificate in store.trust().roots


def test_a_file_that_cannot_be_used_is_not_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "trust"
    folder.mkdir()
    (folder / "one.pem").write_bytes(b"-----BEGIN CERTIFICATE-----")
    with pytest.raises(FolderError, match=r"one\.pem"):
        a_store(tmp_path, trust_dir=folder).trust()


@pytest.mark.parametrize("damage", ["cut", "empty", "directory"])
def test_while_a_list_cannot_be_read_nobody_is_trusted(tmp_path: Path, damage: str) -> None:
    folder, pki, clock = tmp_path / "trust", a_pki(), ManualClock(NOON)
    folder.mkdir()
    (folder / "one.pem").write_bytes(pki.root.certificate.pem() + pki.issuing.certificate.pem())
    store = a_store(tmp_path / "data", clock, trust_dir=folder)
    assert store.trust() == pki.trust
    for name in ("first.crl", "second.crl"):
        if damage == "directory":
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(pki.lists[0][:-9] if damage == "cut" else b"")
    clock.advance(timedelta(seconds=LOOK_AGAIN_S))

    for ask in (store.trust, store.lists, store.parsed_lists, store.outside, store.hosts, store.trust):
        with pytest.raises(FolderError, match=r"first\.crl cannot be used: .*second\.crl cannot be used"):
            ask()
    for name in ("first.crl", "second.crl"):
        (folder / name).rename(tmp_path / name)
    clock.advance(timedelta(seconds=LOOK_AGAIN_S))
    assert store.trust() == pki.trust


def test_a_deny_list_is_a_setting(tmp_path: Path) -> None:
    store = a_store(tmp_path, denied_algorithms="rsa-pss-sha256@2031-01-01")
    assert [one.algorithm for one in store.denials.entries] == ["rsa-pss-sha256"]
    with pytest.raises(SettingsError):
        load_settings({"HOME": str(tmp_path), "ZHECAI_DENIED_ALGORITHMS": "md5@2031-01-01"})
