"""Runs benches by name, keeps their results and shows them; ``zhecai bench`` comes here."""

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from bench import auction, history, orders, result, trust, viewers
from bench.options import Measured, Options, Tell
from bench.result import Bar, Result
from bench.talk import ChildFailed, more_files

BENCHES: Final[dict[str, ModuleType]] = {"auction": auction, "orders": orders, "viewers": viewers, "trust": trust}
Run = Callable[[Options, Path, Tell], Awaitable[Measured]]


def main(name: str, options: Options, *, as_json: bool, html: Path | None) -> int:
    """Run one bench, ``all``, or show the ``list`` or the ``report``; 1 when a bar is missed."""
    console = Console(highlight=False)
    if name == "list":
        for each, module in BENCHES.items():
            console.print(f"{each:10} {module.TITLE}: {(module.__doc__ or '').split(': ', 1)[-1].strip()}")
        return 0
    if name == "report":
        return history.report(console, as_json=as_json, html=html)
    more_files()
    names = list(BENCHES) if name == "all" else [name]
    return max(_one(each, options, as_json=as_json, console=console) for each in names)


def _one(name: str, options: Options, *, as_json: bool, console: Console) -> int:
    errors = Console(stderr=True, highlight=False)
    tell = errors.print if sys.stderr.isatty() or not as_json else _silent
    try:
        found = measure(name, options, tell)
    except ChildFailed as error:
        errors.print(f"[red]✗[/] {name}: {error}", markup=True)
        return 1
    history.append(found)
    if as_json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        sys.stdout.flush()
    else:
        _show(found, console)
    return 0 if found.ok else 1


def _silent(_: str) -> None:
    """Say nothing: one JSON object is all that was asked for."""


def measure(name: str, options: Options, tell: Tell) -> Result:
    """Run a bench in a directory of its own, which is removed afterwards."""
    run: Run = BENCHES[name].run
    machine, began_s = result.machine(), perf_counter()
    at = result.now()
    with tempfile.TemporaryDirectory(prefix="zhecai-bench-") as directory:
        measured = asyncio.run(run(options, Path(directory), tell))
    return Result(
        bench=name,
        at=at,
        took_s=round(perf_counter() - began_s, 1),
        machine=machine,
        versions=result.versions(),
        commit=result.commit(),
        load=measured.load,
        leaves_out=measured.leaves_out,
        rounds=measured.rounds,
        checks=measured.checks,
        bars=measured.bars,
        ok=measured.right and all(bar.ok for bar in measured.bars),
    )


def _asked(bar: Bar) -> str:
    if bar.bar is None:
        return ""
    return f"≥ {bar.bar:g} of baseline" if bar.of == "ratio" else f"≤ {bar.bar:g} {bar.unit}"


def _show(found: Result, console: Console) -> None:
    table = Table("metric", "value", "baseline", "ratio", "bar", "", title=f"{BENCHES[found.bench].TITLE} · {found.at}")
    for bar in found.bars:
        table.add_row(
            bar.metric,
            f"{bar.value:,.1f} {bar.unit}",
            "" if bar.baseline is None else f"{bar.baseline:,.1f} {bar.unit}",
            "" if bar.ratio is None else f"{bar.ratio:.2f}",
            _asked(bar),
            "" if bar.bar is None else "[green]✓[/]" if bar.ok else "[red]✗[/]",
        )
    console.print(table)
    machine, commit = found.machine, found.commit
    changed = " with changes" if commit["dirty"] else ""
    console.print(f"{machine['cpu']}, {machine['cores']} cores, load {machine['load_before'][0]} before")
    console.print(f"commit {commit['id']}{changed}; {found.took_s:.0f} s")
    for name, check in found.checks.items():
        good = check["ok"] if isinstance(check, dict) else not check
        console.print(f"{'[green]✓[/]' if good else '[red]✗[/]'} {name}: {check}")
    for left_out in found.leaves_out:
        console.print(f"left out: {left_out}")
