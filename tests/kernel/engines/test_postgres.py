import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from kernel.engines import cluster
from kernel.engines.errors import EngineError, Fault
from kernel.engines.identity import Identity, unprivileged
from kernel.engines.locate import postgres_bindir
from kernel.engines.postgres import PostgresServer
from tests.builders.engines import a_home, a_small_disk, bindir

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")


async def fetchval(url: str, statement: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def mode(path: Path) -> int:
    return path.stat().st_mode


def owner(path: Path) -> int:
    return path.stat().st_uid


def a_server(home: Path, **changes: Any) -> PostgresServer:
    return PostgresServer(bindir(), home, **{"fsync": False, **changes})


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 24 MB: too small for a cluster."""
    with a_small_disk(tmp_path / "disk", 24) as place:
        yield place


async def test_a_cluster_grows_from_nothing_and_its_rows_are_there_at_the_next_start(short_path: Path) -> None:
    ready_mb = 400  # more than the 64 segments that initdb would have kept
    with PostgresServer(bindir(), short_path / "pg", log_ready_mb=ready_mb) as server:
        assert await fetchval(server.url, "SELECT current_database() || current_user") == "zhecaizhecai"
        assert await fetchval(server.url, "SHOW fsync") == "on"
        assert await fetchval(server.url, "SHOW synchronous_commit") == "on"
        await fetchval(server.url, "CREATE TABLE kept AS SELECT 42 AS value")
        log = await fetchval(server.url, "SELECT sum(size) FROM pg_ls_waldir()")
        assert log >= ready_mb << 20, "the log's files are there before the first commit needs them"
    with PostgresServer(bindir(), short_path / "pg") as server:
        assert await fetchval(server.url, "SELECT value FROM kept") == 42
    assert not server.alive()


def test_how_much_of_the_log_is_ready_depends_on_the_disk(
    short_path: Path, tiny_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "LOG_READY_MB_MAX", 1 << 30)
    disk_mb = shutil.disk_usage(short_path).total >> 20

    assert cluster.log_ready_mb(tiny_disk) == cluster.LOG_READY_MB_MIN
    assert cluster.log_ready_mb(short_path) == max(disk_mb // 50, cluster.LOG_READY_MB_MIN)


async def test_text_is_utf8_and_sorted_by_code_point_on_every_machine(home: Path) -> None:
    with a_server(home) as server:
        order = await fetchval(
            server.url, "SELECT string_agg(word, '' ORDER BY word) FROM unnest('{浙,b,A,a,B,采,Ä}'::text[]) AS word"
        )
        assert order == "".join(sorted("浙bAaB采Ä"))
        assert await fetchval(server.url, "SELECT lower('ÄÖ浙')") == "äö浙"


async def test_a_path_too_long_for_a_socket_is_served_from_a_short_one(made_home: Path, tmp_path: Path) -> None:
    long = tmp_path / ("浙采" * 20)
    long.mkdir()
    with a_server(a_home(long / "postgres", made_home)) as server:
        assert str(long) not in server.url
        assert await fetchval(server.url, "SELECT 1") == 1


async def test_over_tcp_it_wants_its_password(home: Path) -> None:
    with a_server(home, port=0) as server:
        assert await fetchval(server.url, "SELECT 1") == 1
        with pytest.raises(asyncpg.InvalidPasswordError):
            await fetchval(server.url.replace("zhecai:", "zhecai:x"), "SELECT 1")


async def test_without_a_port_it_does_not_listen_on_the_network(home: Path) -> None:
    with a_server(home) as server:
        assert await fetchval(server.url, "SHOW listen_addresses") == ""
        socket_dir = Path((home / "cluster" / "postmaster.pid").read_text().splitlines()[4])
        assert mode(socket_dir) & 0o077 == 0


def test_a_second_owner_is_refused_with_the_number_of_the_first(home: Path) -> None:
    with a_server(home), pytest.raises(EngineError) as refused:
        a_server(home).start()
    assert refused.value.fault is Fault.IN_USE
    assert all(str(os.getpid()) in sentence and str(home) in sentence for sentence in refused.value.detail)


def test_a_postmaster_that_somebody_started_by_hand_is_left_alone_and_named(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernel.engines.postgres._LEFTOVER_PATIENCE_S", 0.1)
    with a_server(home) as server:
        (home / "lock").unlink()  # what remains is a server that no owner of ours knows of
        with pytest.raises(EngineError) as refused:
            a_server(home).start()
        assert refused.value.fault is Fault.IN_USE
        assert str(server.pid) in refused.value.detail[1]
        assert server.alive()


async def test_a_lock_file_whose_number_is_now_another_programs_is_not_trusted(home: Path) -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as other:  # noqa: ASYNC220 - returns at once
        (home / "cluster" / "postmaster.pid").write_text(f"{other.pid}\n{home}/cluster\n1\n5432\n/tmp\n\n0 0\nready\n")
        with a_server(home) as server:
            assert await fetchval(server.url, "SELECT 1") == 1
        other.kill()


async def test_a_taken_port_is_named(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EngineError) as refused:
            a_server(home, port=port).start()
    assert refused.value.fault is Fault.PORT_TAKEN
    assert str(port) in refused.value.detail[0]
    with a_server(home) as server:  # and nothing is left locked
        assert await fetchval(server.url, "SELECT 1") == 1


def test_a_directory_that_cannot_be_made_is_named() -> None:
    with pytest.raises(EngineError) as refused:
        a_server(Path("/sys/zhecai")).start()  # not even root may
    assert refused.value.fault is Fault.NOT_PERMITTED
    assert "/sys/zhecai" in refused.value.detail[0]
    assert "ZHECAI_DATA_DIR" in refused.value.detail[1]


def test_a_full_disk_is_called_so_and_leaves_no_half_made_cluster(tiny_disk: Path) -> None:
    with pytest.raises(EngineError) as refused:
        a_server(tiny_disk / "pg").start()
    assert refused.value.fault is Fault.DISK_FULL
    assert not (tiny_disk / "pg" / "cluster").exists()


def test_a_disk_that_filled_up_while_stopped_is_called_so(home: Path) -> None:
    """A limit on the size of files stands for the disk: it works without the right to mount."""
    program = f"""
import resource
from pathlib import Path
from kernel.engines.errors import EngineError
from kernel.engines.postgres import PostgresServer
resource.setrlimit(resource.RLIMIT_FSIZE, (8, 8))
try:
    PostgresServer(Path({str(bindir())!r}), Path({str(home)!r}), fsync=False).start()
except EngineError as error:
    print(error.fault)
"""
    said = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert said.stdout == "disk-full\n", said.stderr


def test_data_of_another_major_version_is_not_touched(home: Path) -> None:
    (home / "cluster" / "PG_VERSION").write_text("14\n")
    with pytest.raises(EngineError) as refused:
        a_server(home).start()
    assert refused.value.fault is Fault.OTHER_VERSION
    assert "PostgreSQL 14" in refused.value.detail[0]
    assert "pg_upgrade" in refused.value.detail[1]


def test_damaged_data_is_called_so(home: Path) -> None:
    control = home / "cluster" / "global" / "pg_control"
    control.write_bytes(b"\0" * control.stat().st_size)
    with pytest.raises(EngineError) as refused:
        a_server(home).start()
    assert refused.value.fault is Fault.DAMAGED


def test_a_directory_with_something_else_in_it_is_not_overwritten(tmp_path: Path) -> None:
    precious = tmp_path / "pg" / "cluster" / "precious"
    precious.parent.mkdir(parents=True)
    precious.touch()
    with pytest.raises(EngineError):
        a_server(tmp_path / "pg").start()
    assert precious.exists()


async def test_what_an_interrupted_first_start_left_is_made_anew(short_path: Path) -> None:
    half = short_path / "pg" / "cluster.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").touch()
    with a_server(short_path / "pg") as server:
        assert await fetchval(server.url, "SELECT 1") == 1
    assert not half.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("identity", [Identity.NAMESPACE, Identity.SWITCH])
async def test_root_runs_it_as_somebody_else_and_may_change_how(home: Path, identity: Identity) -> None:
    if identity is Identity.NAMESPACE and unprivileged() is not Identity.NAMESPACE:
        pytest.skip("this machine forbids user namespaces")
    with a_server(home, identity=Identity.SWITCH) as server:  # below tmp_path, which only root may enter
        await fetchval(server.url, "CREATE TABLE kept AS SELECT 42 AS value")
        assert owner(Path(f"/proc/{server.pid}")) == owner(home / "cluster") == 65534
    with a_server(home, identity=identity) as server:
        assert await fetchval(server.url, "SELECT value FROM kept") == 42
        assert owner(home / "cluster") == identity.owner


@pytest.mark.skipif(not DEBIAN_15.exists(), reason="Debian's postgresql-15 is not installed")
async def test_the_same_launcher_serves_debians_postgresql_15(short_path: Path) -> None:
    for _start in range(2):
        with PostgresServer(DEBIAN_15, short_path / "pg", fsync=False) as server:
            assert (await fetchval(server.url, "SHOW server_version")).startswith("15.")
    with pytest.raises(EngineError) as refused:
        PostgresServer(postgres_bindir(), short_path / "pg").start()  # the wheel's, whichever the tests are for
    assert refused.value.fault is Fault.OTHER_VERSION
