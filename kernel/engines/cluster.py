"""The files of a PostgreSQL cluster: made whole or not at all, checked before use."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from kernel.engines.errors import EngineError, Fault, disk_full, explain, not_permitted
from kernel.engines.home import probe_space
from kernel.engines.identity import Identity, clean_environment, launched

SUPERUSER: Final = "zhecai"
DATABASE: Final = "zhecai"

_MAKE_LIMIT_S: Final = 300.0
_BUILTIN_LOCALES_SINCE: Final = 17
_SIGKILL: Final = 9
_PROC: Final = Path("/proc")
_DAMAGE: Final = (
    "valid checkpoint record",
    "valid checkpoint location",
    "control file",
    "find the database system",
    "need to initdb",
)

WAL_SEGMENT_MB: Final = 4
"""A commit that needs a new segment of the log waits until it is filled with zeros: 45 ms for 16 MB, 7 ms for 4."""
LOG_READY_MB_MIN: Final = 64
LOG_READY_MB_MAX: Final = 2048
_DISK_PART: Final = 50

_CREATE: Final = f'CREATE DATABASE "{DATABASE}"\n'
_FILL: Final = (
    "SELECT pg_logical_emit_message(false, 'zhecai', repeat('0', 1 << 20)) FROM generate_series(1, {megabytes})\n"
)
"""The checkpoint with which the program ends keeps the segments that this has filled, under the next names."""


def log_ready_mb(directory: Path) -> int:
    """
    Say how much of the log a cluster has ready and keeps for ever, in MB: a fiftieth of the disk, 64 to 2,048.

    10,000 offers are about 14 MB of log. When what is ready is used up, each new segment of 4 MB costs the commits
    behind it 13 ms (ADR-0065); a checkpoint makes the old ones ready again.
    """
    disk_mb = shutil.disk_usage(directory).total >> 20
    return min(max(disk_mb // _DISK_PART, LOG_READY_MB_MIN), LOG_READY_MB_MAX)


def create_cluster(bindir: Path, cluster: Path, identity: Identity, *, major: int, fsync: bool, ready_mb: int) -> None:
    """
    Make a cluster with the database ``zhecai``: beside its place, moved there when complete and on disk.

    UTF-8, sorted by code point with the server's own tables where it has them (17 and later), so that every
    machine gives the same order and no upgrade of the C library breaks an index. ``ready_mb`` of its log are filled,
    which takes 2 s a thousand.

    Raises:
        EngineError: The disk is full, the directory cannot be written to, or ``initdb`` failed.
    """
    growing, password = cluster.with_name("cluster.new"), cluster.with_name("password")
    try:
        if cluster.exists():
            cluster.rmdir()  # refuses when it holds anything: what is not ours is not overwritten
        shutil.rmtree(growing, ignore_errors=True)
        growing.mkdir(mode=0o700)
        password.unlink(missing_ok=True)
        with open(os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123 - mode
            file.write(secrets.token_urlsafe(24) + "\n")
        for path in (growing, password):
            os.chown(path, identity.owner, -1)
        locale = ["--locale-provider=builtin"] if major >= _BUILTIN_LOCALES_SINCE else []
        access = ["--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={password}"]
        sync = [] if fsync else ["--no-sync"]
        command: list[str | Path] = [
            bindir / "initdb",
            "-D",
            growing,
            "-U",
            SUPERUSER,
            "-E",
            "UTF8",
            *locale,
            "--locale=C.UTF-8",
            f"--wal-segsize={WAL_SEGMENT_MB}",
        ]
        _run([*command, *access, *sync, "--no-instructions"], cluster, identity)
        # initdb's max_wal_size is 64 segments, and no more are kept than that, whatever the least is.
        options = {"fsync": "on" if fsync else "off", "min_wal_size": f"{ready_mb}MB", "max_wal_size": f"{ready_mb}MB"}
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        alone: list[str | Path] = [bindir / "postgres", "--single", "-D", growing, *settings, "postgres"]
        _run(alone, cluster, identity, statement=_CREATE + (_FILL.format(megabytes=ready_mb) if fsync else ""))
        growing.rename(cluster)
        if fsync:
            _sync(cluster.parent)
    except OSError as error:
        raise explain(error, cluster) from error


def prepare_cluster(cluster: Path, identity: Identity, *, major: int, version: str) -> None:
    """
    Check that ``cluster`` is for this PostgreSQL and give it to the user that will run it.

    Raises:
        EngineError: It was made by another major version, or cannot be read.
    """
    try:
        made_by = (cluster / "PG_VERSION").read_text().strip()
        owner = cluster.stat().st_uid
        if made_by != str(major):
            raise EngineError(
                Fault.OTHER_VERSION,
                f"数据目录 {cluster} 由 PostgreSQL {made_by} 创建，而当前程序为 {version}；"
                f"请用 ZHECAI_PG_BINDIR 指定 PostgreSQL {made_by}，或用 pg_upgrade 升级数据。",
                f"The data in {cluster} was made by PostgreSQL {made_by}, the programs are {version}; name those of "
                f"PostgreSQL {made_by} in ZHECAI_PG_BINDIR, or upgrade the data with pg_upgrade.",
            )
        if owner != identity.owner and os.geteuid() == 0:
            for path in [cluster, *cluster.rglob("*"), cluster.with_name("password")]:
                os.chown(path, identity.owner, -1, follow_symlinks=False)
    except OSError as error:
        raise explain(error, cluster) from error


def explain_output(said: str, path: Path) -> EngineError | None:
    """Find in what PostgreSQL printed why it cannot work in ``path``; None when nothing known is there."""
    if any(words in said for words in ("No space left on device", "Disk quota exceeded", "File too large")):
        return disk_full(path)
    if full := probe_space(path):  # a full disk takes no log either
        return full
    for words in ("Permission denied", "Read-only file system"):
        if words in said:
            return not_permitted(path, words)
    if any(words in said for words in _DAMAGE):
        return EngineError(
            Fault.DAMAGED,
            f"数据目录 {path} 已损坏，PostgreSQL 无法恢复，请从备份恢复。",
            f"The data in {path} is damaged beyond what PostgreSQL can recover; restore a backup.",
            log=said,
        )
    return None


def leftovers(cluster: Path) -> list[tuple[int, bool]]:
    """
    Find processes that still run in ``cluster``: their numbers, and whether it is the postmaster.

    Every PostgreSQL process works in its cluster's directory. Linux only; elsewhere PostgreSQL's own lock file
    and shared memory keep two servers apart.
    """
    return list(_working_in(cluster))


def forget_postmaster(cluster: Path) -> None:
    """
    Remove the lock file of a postmaster that is gone, once :func:`leftovers` has found nothing.

    PostgreSQL would trust the number in it, which after a restart of a container is often that of an unrelated
    process, and then refuse to start for ever.
    """
    if _PROC.exists():
        (cluster / "postmaster.pid").unlink(missing_ok=True)


def _working_in(cluster: Path) -> Iterator[tuple[int, bool]]:
    try:
        postmaster = (cluster / "postmaster.pid").read_text().split("\n", 1)[0].strip()
    except OSError:
        postmaster = ""
    place = cluster.resolve()
    for process in _PROC.glob("[0-9]*"):
        try:
            try:
                ours = (process / "cwd").readlink() == place and (process / "exe").readlink().name == "postgres"
            except PermissionError:
                # Root without CAP_SYS_PTRACE, in a container: what another user's process was started with is open.
                ours = process.name == postmaster and str(cluster).encode() in (process / "cmdline").read_bytes()
        except OSError:
            continue  # ended meanwhile
        if ours:
            yield int(process.name), process.name == postmaster


def _run(command: Sequence[str | Path], cluster: Path, identity: Identity, *, statement: str = "") -> None:
    needed = [cluster.parent, cluster.with_name("cluster.new")]
    result = subprocess.run(  # noqa: S603 - programs that the locator chose
        launched(command, identity=identity, death_signal=_SIGKILL, needed=needed),
        input=statement,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=_MAKE_LIMIT_S,
        cwd=cluster.parent,
        env=clean_environment(os.environ),
    )
    # In single-user mode a failed statement is only printed.
    if result.returncode == 0 and not any(words in result.stdout for words in ("ERROR:", "FATAL:", "PANIC:")):
        return
    said = result.stdout[-4096:]
    raise explain_output(said, cluster.parent) or EngineError(
        Fault.FAILED,
        f"无法在 {cluster.parent} 创建数据库。",
        f"The database could not be made in {cluster.parent}.",
        log=said,
    )


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
