"""Homes of engines for tests: made once, copied for each test."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from kernel.engines.locate import postgres_bindir
from kernel.engines.postgres import PostgresServer


@cache
def bindir() -> Path:
    return postgres_bindir()


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
