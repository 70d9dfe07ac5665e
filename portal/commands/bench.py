"""``zhecai bench``: the measurements that the bars are taken with. They live in the checkout, not in the wheel."""

import argparse
import sys
from importlib import import_module
from pathlib import Path

from rich.console import Console

import portal
from portal.commands.options import Parsers, command

NAMES = ("auction", "orders", "viewers", "trust", "all", "report", "list")
_ROUNDS = 3


def add(parsers: Parsers) -> None:
    found = command(
        parsers,
        "bench",
        "Measure the service on this machine against its baselines; 1 when a bar is missed.",
        "zhecai bench auction --json",
        "zhecai bench orders --rounds 5 --seconds 6",
        "zhecai bench report --html report.html",
    )
    found.add_argument("name", choices=NAMES, help="what to measure; `report` draws the history, `list` explains")
    found.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    found.add_argument(
        "--rounds", type=int, default=_ROUNDS, metavar="N", help="rounds, baseline and product in turn (default 3)"
    )
    found.add_argument("--seconds", type=float, default=4.0, metavar="S", help="length of each phase (default 4)")
    found.add_argument("--connections", type=int, metavar="N", help="connections instead of the bench's own number")
    found.add_argument(
        "--profile", action="store_true", help="profile the service too: the figures are then no figures"
    )
    found.add_argument("--html", type=Path, metavar="FILE", help="write the report as a page")
    found.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    checkout = Path(portal.__file__).resolve().parents[1]
    if not (checkout / "bench" / "program.py").is_file():
        Console(stderr=True, highlight=False).print(
            "[red]✗[/] 性能测试不随安装包发布，请在源码目录中运行：make bench。\n"
            "  The benches are not part of the installed package; run them in a checkout: make bench."
        )
        return 2
    sys.path.insert(0, str(checkout))
    program = import_module("bench.program")
    options = import_module("bench.options").Options(
        rounds=max(1, arguments.rounds),
        seconds=arguments.seconds,
        connections=arguments.connections,
        profile=arguments.profile,
    )
    status: int = program.main(arguments.name, options, as_json=arguments.json, html=arguments.html)
    return status
