"""``zhecai scenario``: a main job on real input, played from an empty data directory."""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape

from kernel.log import configure_logging
from portal.commands.options import Parsers, command, settings_of
from portal.demo.client import CallError
from portal.scenario.first_trade import first_trade
from portal.scenario.furnish import CATEGORY
from portal.scenario.steps import ScenarioFailed
from portal.server import run as run_loop

_QUIET = "warning"


def add(parsers: Parsers) -> None:
    found = command(
        parsers,
        "scenario",
        "Play a main job from an empty data directory: the real service, real clients, every state verified.",
        "zhecai scenario first-trade",
        "zhecai scenario first-trade --goods goods.csv --json",
        "zhecai scenario first-trade --data /tmp/first-trade && zhecai verify --data /tmp/first-trade",
    )
    found.add_argument("name", choices=["first-trade"], help="catalogue → direct order → live reverse auction")
    found.add_argument("--goods", type=Path, metavar="FILE", help="goods to import (CSV, XLSX, JSON lines)")
    found.add_argument(
        "--category",
        default=CATEGORY,
        metavar="CODE",
        help=f"category of rows whose own is unknown (default {CATEGORY})",
    )
    found.add_argument("--json", action="store_true", help="print a JSON summary and nothing else")
    found.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    if arguments.data is not None:
        return _play(arguments)
    with tempfile.TemporaryDirectory(prefix="zhecai-scenario-") as directory:
        arguments.data = directory
        return _play(arguments)


def _play(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments, port="0", demo="true")
    configure_logging(_QUIET, settings.log_format)
    console = Console(stderr=arguments.json, highlight=False)

    def show(title: str, outcome: str, took_s: float) -> None:
        console.print(f"[green]✓[/] {title}  [dim]{took_s:.1f} s[/]\n  {outcome}", soft_wrap=True)

    summary: dict[str, Any] = {}

    async def main() -> None:
        summary.update(
            await first_trade(settings, arguments.goods, arguments.category, _hidden if arguments.json else show)
        )

    try:
        run_loop(main())
    except (ScenarioFailed, CallError) as error:
        Console(stderr=True, highlight=False).print("[red]✗[/]", escape(str(error)), soft_wrap=True)
        return 1
    if arguments.json:
        sys.stdout.write(msgspec.json.encode(summary).decode() + "\n")
    else:
        for difference in summary["verify"]["differences"]:
            console.print(f"[red]✗[/] {difference}", soft_wrap=True)
        console.print(f"[bold]{'完成 · done' if summary['ok'] else '不一致 · not right'}[/] {summary['took_s']:.1f} s")
    return 0 if summary["ok"] else 1


def _hidden(_title: str, _outcome: str, _took_s: float) -> None:
    """Show nothing: the JSON summary is all that was asked for."""
