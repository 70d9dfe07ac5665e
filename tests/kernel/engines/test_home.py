import os
from pathlib import Path

import pytest

from kernel.engines.errors import EngineError, Fault
from kernel.engines.home import SOCKET_PATH_BYTES_MAX, Holding, Home


def test_a_directory_has_one_owner_and_says_who(tmp_path: Path) -> None:
    first, second = Home(tmp_path / "a" / "b"), Home(tmp_path / "a" / "b")
    assert second.holding() is None
    assert first.hold() is None
    first.note(Holding(os.getpid(), 7, "postgresql://somewhere"))
    assert second.holding() == Holding(os.getpid(), 7, "postgresql://somewhere")
    with pytest.raises(EngineError) as refused:
        second.hold()
    assert refused.value.fault is Fault.IN_USE
    first.release()
    assert second.holding() is None
    assert second.hold() == Holding(os.getpid(), 7, "postgresql://somewhere")
    second.release()


def test_an_unreadable_lock_file_is_only_a_lock_file(tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(b"\xff{")
    home = Home(tmp_path)
    assert home.hold() is None
    home.release()


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EngineError) as refused:
        Home(tmp_path / "file").hold()
    assert refused.value.fault is Fault.NOT_PERMITTED
    assert str(tmp_path / "file") in refused.value.detail[0]


@pytest.mark.parametrize("spare", [0, -1])
def test_a_socket_lies_inside_exactly_as_long_as_its_path_fits(short_path: Path, spare: int) -> None:
    path = short_path / ("x" * (SOCKET_PATH_BYTES_MAX - spare - len(f"{short_path}//run/s")))
    home = Home(path)
    home.hold()
    directory = home.socket_dir("s", owner=os.geteuid())
    assert (directory == path / "run") is (spare == 0)
    assert len(os.fsencode(directory / "s")) <= SOCKET_PATH_BYTES_MAX
    home.release()
    assert directory.exists() is (spare == 0)


def test_a_socket_directory_that_somebody_else_put_there_is_refused(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_path))
    home = Home(short_path / ("x" * SOCKET_PATH_BYTES_MAX))
    directory = home.socket_dir("s", owner=os.geteuid())
    assert directory.parent == short_path
    directory.rmdir()
    (short_path / "elsewhere").mkdir()
    directory.symlink_to(short_path / "elsewhere")
    with pytest.raises(EngineError) as refused:
        home.socket_dir("s", owner=os.geteuid())
    assert refused.value.fault is Fault.NOT_PERMITTED
