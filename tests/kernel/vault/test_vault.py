"""Secrets open where they were sealed for, under a master key that is there, and nowhere else."""

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import pytest
import sqlalchemy as sa

from crypto.errors import NotVerifiedError
from kernel.runtime import Kernel
from kernel.vault.columns import SealedColumn
from kernel.vault.files import SealedFiles, secrets_of
from kernel.vault.keys import KEYS_MAX, MasterKey, VaultError, create_keys, new_key, read_keys, write_keys
from kernel.vault.vault import Vault, vault_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "site" / "vault.key"


@pytest.fixture
def vault(path: Path) -> Vault:
    return Vault(path, create=True)


def rotate(path: Path) -> MasterKey:
    key = new_key()
    write_keys(path, [key, *read_keys(path)])
    return key


def test_a_secret_opens_again(vault: Vault) -> None:
    for secret in (b"", b"seed", bytes(1000)):
        assert vault.unseal("totp/1", vault.seal("totp/1", secret)) == secret


def test_the_same_secret_never_looks_the_same(vault: Vault) -> None:
    assert len({vault.seal("totp/1", b"seed") for _ in range(50)}) == 50
    assert b"seed" not in vault.seal("totp/1", b"seed")


def test_for_another_purpose_it_does_not_open(vault: Vault) -> None:
    with pytest.raises(NotVerifiedError):
        vault.unseal("totp/2", vault.seal("totp/1", b"seed"))


def test_no_byte_can_be_altered(vault: Vault) -> None:
    sealed = vault.seal("totp/1", b"seed")
    for place in range(len(sealed)):
        altered = sealed[:place] + bytes((sealed[place] ^ 1,)) + sealed[place + 1 :]
        with pytest.raises(NotVerifiedError):
            vault.unseal("totp/1", altered)


@pytest.mark.parametrize("cut", [0, 1, 4, 5, 13, 21, 53, 68])
def test_what_is_cut_off_does_not_open(vault: Vault, cut: int) -> None:
    with pytest.raises(NotVerifiedError):
        vault.unseal("totp/1", vault.seal("totp/1", b"seed")[:cut])


def test_a_master_key_is_made_once_and_is_its_owners_alone(path: Path, vault: Vault) -> None:
    sealed = vault.seal("x", b"seed")
    create_keys(path)

    assert Vault(path).unseal("x", sealed) == b"seed"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["vault.key"]


def test_a_path_that_somebody_named_is_not_filled_in(path: Path) -> None:
    with pytest.raises(VaultError, match="cannot be read"):
        Vault(path).seal("x", b"seed")


def test_a_new_key_seals_at_once_and_the_old_one_still_opens(path: Path, vault: Vault) -> None:
    old = vault.seal("x", b"seed")
    key = rotate(path)
    new = vault.seal("x", b"seed")

    assert vault.key_id_of(old) != vault.key_id_of(new) == key.id
    assert vault.unseal("x", old) == vault.unseal("x", new) == b"seed"


def test_sealing_anew_moves_a_secret_under_the_first_key(path: Path, vault: Vault) -> None:
    old = vault.seal("x", b"seed")
    assert vault.resealed("x", old) is None
    key = rotate(path)
    new = vault.resealed("x", old)

    assert new is not None
    assert vault.key_id_of(new) == key.id
    write_keys(path, [key])
    assert vault.unseal("x", new) == b"seed"
    with pytest.raises(NotVerifiedError, match="not here"):
        vault.unseal("x", old)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_file_that_others_may_touch_is_refused(path: Path, vault: Vault, mode: int) -> None:
    vault.seal("x", b"")
    path.chmod(mode)
    with pytest.raises(VaultError, match="chmod 600"):
        read_keys(path)


@pytest.mark.parametrize("count", [0, KEYS_MAX + 1])
def test_a_key_file_holds_so_many_keys(path: Path, vault: Vault, count: int) -> None:
    vault.seal("x", b"")
    write_keys(path, [new_key() for _ in range(count)])
    with pytest.raises(VaultError, match=str(KEYS_MAX)):
        read_keys(path)


@pytest.mark.parametrize("line", ["short", base64.b64encode(bytes(31)).decode(), "!" * 44])
def test_a_line_that_is_no_key_is_refused_and_not_shown(path: Path, vault: Vault, line: str) -> None:
    vault.seal("x", b"")
    path.write_text(line)
    with pytest.raises(VaultError) as bad:
        read_keys(path)
    assert line not in str(bad.value)


def test_the_same_key_twice_is_refused(path: Path, vault: Vault) -> None:
    vault.seal("x", b"")
    write_keys(path, read_keys(path) * 2)
    with pytest.raises(VaultError, match="different"):
        read_keys(path)


def test_a_master_key_does_not_show_itself() -> None:
    key = MasterKey(hashlib.sha256(b"?").digest())
    assert str(key.secret) not in repr(key)


def test_secrets_as_files(tmp_path: Path, vault: Vault) -> None:
    files = SealedFiles(tmp_path / "secrets", vault)
    assert files.read("tsa-key") is None
    files.write("tsa-key", b"one")
    files.write("log-key", b"two")

    assert (files.read("tsa-key"), files.names()) == (b"one", ["log-key", "tsa-key"])
    assert {found.stat().st_mode & 0o777 for found in files.folder.iterdir()} == {0o600}
    (files.folder / "tsa-key.sealed").write_bytes((files.folder / "log-key.sealed").read_bytes())
    with pytest.raises(NotVerifiedError):
        files.read("tsa-key")


def test_files_are_sealed_anew_once(tmp_path: Path, path: Path, vault: Vault) -> None:
    files = SealedFiles(tmp_path / "secrets", vault)
    files.write("tsa-key", b"one")
    before = vault.keys()[0]
    assert files.reseal() == 0
    after = rotate(path)

    assert (files.under(before.id), files.under(after.id)) == (1, 0)
    assert (files.reseal(), files.reseal()) == (1, 0)
    assert (files.under(before.id), files.under(after.id)) == (0, 1)
    assert files.read("tsa-key") == b"one"


SEEDS = sa.Table(
    "seeds", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("seed", sa.LargeBinary)
)
SEED = SealedColumn(SEEDS.c.seed, SEEDS.c.id, "seed")


async def test_columns_are_sealed_anew_while_others_write(
    kernel: Kernel, owner: asyncpg.Connection, path: Path, vault: Vault
) -> None:
    await owner.execute("create table seeds (id int primary key, seed bytea)")
    await owner.execute("grant select, insert, update on seeds to zhecai_service")
    rows = 450  # more than two batches
    async with kernel.db.read() as connection:
        sealed = [{"id": number, "seed": vault.seal(SEED.purpose_of(number), b"%d" % number)} for number in range(rows)]
        await connection.execute(sa.insert(SEEDS), [*sealed, {"id": rows, "seed": None}])
    before = vault.keys()[0]
    after = rotate(path)

    assert await SEED.under(kernel.db, before.id) == rows
    assert (await SEED.reseal(kernel.db, vault), await SEED.reseal(kernel.db, vault)) == (rows, 0)
    assert (await SEED.under(kernel.db, before.id), await SEED.under(kernel.db, after.id)) == (0, rows)
    write_keys(path, [after])
    async with kernel.db.read() as connection:
        for number, seed in await connection.execute(sa.select(SEEDS.c.id, SEEDS.c.seed)):
            assert seed is None or vault.unseal(SEED.purpose_of(number), seed) == b"%d" % number


async def test_a_row_that_was_written_meanwhile_keeps_what_was_written(
    kernel: Kernel, owner: asyncpg.Connection, vault: Vault
) -> None:
    await owner.execute("create table seeds (id int primary key, seed bytea)")
    await owner.execute("grant select, insert, update on seeds to zhecai_service")
    old, new = vault.seal(SEED.purpose_of(1), b"old"), vault.seal(SEED.purpose_of(1), b"new")
    async with kernel.db.read() as connection:
        await connection.execute(sa.insert(SEEDS), {"id": 1, "seed": new})

    assert await SEED._replace(kernel.db, 1, old, vault.seal(SEED.purpose_of(1), b"old")) == 0
    async with kernel.db.read() as connection:
        assert (await connection.execute(sa.select(SEEDS.c.seed))).scalar_one() == new


async def test_a_kernel_has_the_vault_of_its_settings(kernel: Kernel) -> None:
    assert kernel.vault.path == vault_of(kernel.settings).path
    assert secrets_of(kernel.settings, kernel.vault).folder == kernel.settings.data_dir / "secrets"


def test_of_many_that_settle_a_secret_at_once_all_get_the_first(vault: Vault, tmp_path: Path) -> None:
    files = SealedFiles(tmp_path / "secrets", vault)
    vault.keys()
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda number: files.settle("key", b"%d" % number), range(24)))

    assert found == {files.read("key")}
    assert [path.name for path in files.folder.iterdir()] == ["key.sealed"]


def test_a_secret_in_the_clear_is_taken_in_once_and_its_file_removed(vault: Vault, tmp_path: Path) -> None:
    files, plain = SealedFiles(tmp_path / "secrets", vault), tmp_path / "plain"
    for _ in range(2):  # also when it was sealed, and the process was killed before the file was removed
        plain.write_bytes(b"secret")
        assert files.adopt("key", plain, b"secret")
        assert not plain.exists()
    plain.write_bytes(b"another")
    assert not files.adopt("key", plain, b"another")
    assert (files.read("key"), plain.read_bytes()) == (b"secret", b"another")
