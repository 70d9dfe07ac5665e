"""Homes of engines for tests: made once, copied for each test."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from kernel.engines.locate import postgres_bindir
from kernel.engines.postgres import PostgresServer
from kernel.settings import Settings

_NAMED: Final = {"pg_bindir": "ZHECAI_PG_BINDIR", "redis_bin": "ZHECAI_REDIS_BIN"}


def programs() -> dict[str, Path]:
    """Give programs other than the wheels', such as Debian's, by setting: the same tests must pass on them."""
    return {setting: Path(os.environ[name]) for setting, name in _NAMED.items() if os.environ.get(name)}


def embedded(data_dir: Path, **changes: Any) -> Settings:
    """Give the settings of a site with engines of its own."""
    return Settings(data_dir=data_dir, **{**programs(), **changes})


@cache
def bindir() -> Path:
    return postgres_bindir(programs().get("pg_bindir"))


def a_home(path: Path, made: Path) -> Path:
    """Copy an initialised PostgreSQL home to ``path``."""
    shutil.copytree(made, path, ignore=shutil.ignore_patterns("run", "lock", "log"))
    return path


@contextmanager
def a_made_home() -> Iterator[Path]:
    """Make a PostgreSQL home that was started once."""
    with tempfile.TemporaryDirectory(prefix="zc-") as directory:
        home = Path(directory) / "postgres"
        with PostgresServer(bindir(), home, fsync=False):
            pass
        yield home


@contextmanager
def a_small_disk(place: Path, size_mb: int) -> Iterator[Path]:
    """Mount a disk that is soon full; skips the test where nobody may mount one."""
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=755", "none", place],  # noqa: S607 - wherever it is
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)  # noqa: S607 - as above
