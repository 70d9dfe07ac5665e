import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders.engines import a_home, a_made_home


@pytest.fixture(scope="session")
def made_home() -> Iterator[Path]:
    with a_made_home() as home:
        yield home


@pytest.fixture
def home(made_home: Path, tmp_path: Path) -> Path:
    """Give a PostgreSQL home that has been used and stopped."""
    return a_home(tmp_path / "postgres", made_home)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """Give a directory whose path leaves room for a socket's name."""
    with tempfile.TemporaryDirectory(prefix="zc-") as directory:
        yield Path(directory)
