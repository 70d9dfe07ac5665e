"""``zhecai vault``: a master key is changed while secrets stay readable, and none is removed that is needed."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from kernel.clock import SystemClock
from kernel.settings import Settings
from kernel.transparency.keys import log_key, public_key
from kernel.trust.folder import AuthorityFolder
from kernel.trust.passphrase import Passphrase
from kernel.trust.store import TrustStore
from kernel.vault.files import secrets_of
from kernel.vault.vault import vault_of
from portal.cli import main

Says = Callable[..., tuple[int, str]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def says(
    settings: Settings,
    database_url: str,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Says:
    monkeypatch.setattr("portal.cli.configure_logging", lambda _level, _form: None)
    monkeypatch.setenv("COLUMNS", "400")  # paths of a test are long, and would be broken
    monkeypatch.setenv("ZHECAI_DATABASE_URL", database_url)
    monkeypatch.setenv("ZHECAI_REDIS_URL", redis_url)
    monkeypatch.setenv("ZHECAI_DATA_DIR", str(settings.data_dir))

    def say(*arguments: str) -> tuple[int, str]:
        status = main(("vault", *arguments))
        out, err = capsys.readouterr()
        return status, " ".join((out + err).split())

    return say


def test_a_master_key_is_changed_in_three_steps(says: Says, settings: Settings) -> None:
    files = secrets_of(settings, vault_of(settings))
    files.write("tsa-key", b"secret")
    old = vault_of(settings).keys()[0].id.hex()

    assert says("rotate")[0] == 0
    assert f"{old} │ opens │ 1" in says("status")[1]
    status, said = says("retire", old)
    assert (status, "1 secrets are still sealed" in said) == (1, True)

    assert "1 secrets sealed anew" in says("reseal")[1]
    assert "0 secrets sealed anew" in says("reseal")[1]
    assert says("retire", old)[0] == 0
    assert old not in says("status")[1]
    assert files.read("tsa-key") == b"secret"


async def _made(settings: Settings) -> tuple[bytes | None, AuthorityFolder]:
    store = TrustStore(settings, SystemClock())
    await store.create_trial()
    log_key(settings)
    return public_key(settings), store.folder


def test_the_log_s_key_and_the_authority_s_passphrase_change_hands_too(says: Says, settings: Settings) -> None:
    public, folder = asyncio.run(_made(settings))
    old = vault_of(settings).keys()[0].id.hex()

    assert says("rotate")[0] == 0
    assert says("retire", old)[0] == 1
    assert "2 secrets sealed anew" in says("reseal")[1]
    assert says("retire", old)[0] == 0

    assert public_key(settings) == public
    assert folder.open(Passphrase(settings).read()).certificate == folder.certificate()


@pytest.mark.parametrize("which", ["sealing", "unknown", "none"])
def test_only_a_key_that_no_longer_seals_is_retired(says: Says, settings: Settings, which: str) -> None:
    sealing = vault_of(settings).keys()[0].id.hex()
    named = {"sealing": [sealing], "unknown": ["00" * 8], "none": []}[which]
    status, said = says("retire", *named)
    assert (status, "no longer seals" in said) == (1, True)
    assert [key.id.hex() for key in vault_of(settings).keys()] == [sealing]  # noqa: SIM118 - not a dictionary


def test_a_key_file_that_was_named_and_is_not_there_is_said(
    says: Says, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZHECAI_VAULT_KEY_FILE", str(settings.data_dir / "elsewhere"))
    status, said = says("rotate")
    assert (status, "elsewhere cannot be read" in said) == (2, True)
