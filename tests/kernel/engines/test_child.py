import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kernel.engines.child import Child, pause, pauses
from kernel.engines.errors import EngineError, Fault
from kernel.engines.identity import Identity, clean_environment, launched

STUBBORN = """
import signal
both = {signal.SIGINT, signal.SIGTERM}
signal.pthread_sigmask(signal.SIG_BLOCK, both)
print("ready", flush=True)
while signal.sigwait(both) != signal.SIGTERM:
    print("no", flush=True)
print("yes", flush=True)
"""
"""A shell would not do: it loses a signal that comes while it starts another program."""


def a_child(path: Path) -> Child:
    return Child(path / "log", identity=Identity.SAME, death_signal=signal.SIGKILL)


def ended(child: Child) -> bool:
    for _ in pauses(10):
        if not child.alive():
            return True
        pause()
    return False


def said(child: Child, word: str) -> bool:
    for _ in pauses(10):
        if word in child.told():
            return True
        pause()
    return False


def test_it_tells_what_was_said_since_its_start_and_keeps_the_rest(tmp_path: Path) -> None:
    child = a_child(tmp_path)
    for word in ("first", "second"):
        child.spawn(["/bin/sh", "-c", f"echo {word}; echo {word} >&2"], cwd=tmp_path)
        assert ended(child)
        assert child.told() == f"{word}\n{word}\n"
    assert (tmp_path / "log").read_text() == "first\nfirst\nsecond\nsecond\n"


def test_a_long_log_is_set_aside_once(tmp_path: Path) -> None:
    child = a_child(tmp_path)
    with (tmp_path / "log").open("wb") as log:
        log.truncate((8 << 20) + 1)
    child.spawn(["/bin/echo", "new"], cwd=tmp_path)
    assert ended(child)
    assert (tmp_path / "log").read_text() == "new\n"
    assert (tmp_path / "log.1").stat().st_size == (8 << 20) + 1


def test_stopping_goes_on_to_the_signal_that_works(tmp_path: Path) -> None:
    child = a_child(tmp_path)
    child.spawn([sys.executable, "-c", STUBBORN], cwd=tmp_path)
    assert said(child, "ready")
    child.stop({signal.SIGINT: 0.3, signal.SIGTERM: 20.0})
    assert child.told() == "ready\nno\nyes\n"  # one that had no time yet hears both, in this order
    assert child.pid == 0
    child.stop({signal.SIGINT: 1.0})  # harmless


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    child = a_child(tmp_path / "nowhere")
    with pytest.raises(EngineError) as refused:
        child.spawn(["/bin/true"], cwd=tmp_path)
    assert refused.value.fault is Fault.NOT_PERMITTED
    assert str(tmp_path / "nowhere") in refused.value.detail[0]


def test_what_is_launched_after_its_parents_death_does_not_start() -> None:
    command = launched(["/bin/echo", "started"], identity=Identity.SAME, death_signal=9)
    command[command.index(str(os.getpid()))] = "1"  # as if the parent had died and another had taken the child over
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (125, "")


def test_a_program_that_is_not_there_is_a_message_not_a_traceback() -> None:
    command = launched(["/nowhere/postgres"], identity=Identity.SAME, death_signal=9)
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 126
    assert result.stderr.startswith("launch: ")
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_who_switches_gets_no_right_that_is_not_needed(short_path: Path) -> None:
    short_path.chmod(0o755)
    (short_path / "closed").mkdir(mode=0o700)
    granted = {}
    for name in (".", "closed"):
        command = launched(
            ["/bin/grep", "CapEff", "/proc/self/status"],
            identity=Identity.SWITCH,
            death_signal=9,
            needed=[short_path / name],
        )
        granted[name] = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[1], 16)
    assert granted == {".": 0, "closed": 2}  # CAP_DAC_OVERRIDE


def test_settings_of_a_shell_do_not_reach_an_engine() -> None:
    environ = {"PGDATA": "/x", "PGPORT": "1", "LC_ALL": "zh_CN.UTF-8", "PATH": "/bin", "TZ": "Asia/Shanghai"}
    assert clean_environment(environ) == {"LC_ALL": "C", "TZ": "UTC", "PATH": "/bin"}
    assert sys.executable in launched(["x"], identity=Identity.SAME, death_signal=9)
