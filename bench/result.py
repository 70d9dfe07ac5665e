"""What a bench says: one object with the machine, the versions, the load, the raw rounds and the bars."""

import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec

from kernel.clock import SystemClock
from kernel.engines.locate import postgres_bindir, redis_program

CHECKOUT: Final = Path(__file__).resolve().parents[1]
_PACKAGES: Final = (
    "asyncpg", "httptools", "msgspec", "picows", "starlette", "uvicorn", "uvloop", "websockets"
)  # fmt: skip


class Bar(msgspec.Struct, frozen=True):
    """
    One thing that was measured, and the bar it has to pass.

    ``value`` and ``baseline`` are medians of the rounds, in ``unit``; ``ratio`` is value / baseline. ``bar`` is the
    least ``ratio`` where ``of`` is ``ratio``, the greatest ``value`` where it is ``value``; ``None``: nothing is asked.
    """

    metric: str
    value: float
    baseline: float | None
    ratio: float | None
    bar: float | None
    ok: bool
    unit: str
    of: str


class Result(msgspec.Struct, frozen=True):
    """One run of one bench."""

    bench: str
    at: str
    took_s: float
    machine: dict[str, Any]
    versions: dict[str, str]
    commit: dict[str, Any]
    load: dict[str, Any]
    leaves_out: tuple[str, ...]
    rounds: tuple[dict[str, Any], ...]
    checks: dict[str, Any]
    bars: tuple[Bar, ...]
    ok: bool


def at_least(metric: str, values: Sequence[float], baselines: Sequence[float], bar: float, unit: str) -> Bar:
    """Ask the median of ``values`` to be at least ``bar`` times the median of ``baselines``."""
    value, baseline = statistics.median(values), statistics.median(baselines)
    ratio = value / baseline if baseline else 0.0
    return Bar(metric, round(value, 1), round(baseline, 1), round(ratio, 3), bar, ratio >= bar, unit, "ratio")


def figure(metric: str, values: Sequence[float], baselines: Sequence[float], unit: str) -> Bar:
    """Say what the medians are, without asking anything of them."""
    return msgspec.structs.replace(at_least(metric, values, baselines, 0.0, unit), bar=None)


def at_most(metric: str, values: Sequence[float], baselines: Sequence[float], bar: float, unit: str) -> Bar:
    """Ask the median of ``values`` to be at most ``bar``; the baselines are there to compare with."""
    value = statistics.median(values)
    baseline = statistics.median(baselines) if baselines else None
    ratio = round(value / baseline, 3) if baseline else None
    shown = round(baseline, 2) if baseline is not None else None
    return Bar(metric, round(value, 2), shown, ratio, bar, value <= bar, unit, "value")


def machine() -> dict[str, Any]:
    """Describe the machine, and how busy others keep it."""
    model = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), ""
    )
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return {
        "cpu": model or platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(memory / (1 << 20), 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "load_before": [round(each, 2) for each in os.getloadavg()],
    }


def versions() -> dict[str, str]:
    """Name the versions of all that the figures depend on."""
    found = {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}
    found["postgres"] = _said(str(postgres_bindir() / "postgres"), "--version")
    found["valkey"] = _said(str(redis_program()), "--version")
    return found


def commit() -> dict[str, Any]:
    """Name the commit that was measured, and whether files differ from it."""
    return {
        "id": _said("git", "rev-parse", "--short=12", "HEAD"),
        "dirty": bool(_said("git", "status", "--porcelain", "--untracked-files=no")),
    }


def now() -> str:
    """Say when, for people, in UTC."""
    return SystemClock().now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _said(*command: str) -> str:
    try:
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=20, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text("utf-8").splitlines()
    except OSError:
        return []
