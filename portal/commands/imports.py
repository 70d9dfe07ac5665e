"""``zhecai import``: classification and goods from files."""

import argparse
from collections.abc import Callable
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as Bar

from catalog.classification.service import EDITION, ClassificationReport, import_classification, reason_text
from catalog.goods.service import GoodsOptions, GoodsReport, import_goods
from kernel.access.actors import system_actor
from kernel.settings import Settings
from portal.commands.options import Parsers, command, common, settings_of
from portal.server import kernel_up
from portal.server import run as run_loop

_ACTOR = system_actor("import")
_SHOWN_MAX = 100


def add(parsers: Parsers) -> None:
    found = command(
        parsers,
        "import",
        "Import the official classification, or goods. A stopped import is started again; nothing is taken twice.",
        "zhecai import classification gpc-2022.json --dry-run",
        "zhecai import goods goods.csv --pictures pictures.zip",
        "zhecai import goods goods.xlsx --agreement KJ-XXH-2026-01 --supplier 91330106MA9901012G",
    )
    what = found.add_subparsers(dest="what", required=True, metavar="WHAT")
    for name, run in (("classification", _run_classification), ("goods", _run_goods)):
        one = what.add_parser(name)
        common(one)
        one.add_argument("file", type=Path)
        one.add_argument("--edition", default=EDITION, help=f"edition of the classification (default {EDITION})")
        one.add_argument("--dry-run", action="store_true", help="read and check everything, write nothing")
        one.add_argument("--json", action="store_true", help="print the report as JSON")
        one.set_defaults(run=run)
    classification, goods = what.choices["classification"], what.choices["goods"]
    classification.add_argument("--accept-warnings", action="store_true", help="import the rows that are clean")
    goods.add_argument("--category", default="", metavar="CODE", help="category of rows whose own is not known")
    goods.add_argument("--map", action="append", default=[], metavar="WORD=CODE", help="what a category's name means")
    goods.add_argument("--agreement", default="", metavar="NUMBER", help="offer every row under this agreement")
    goods.add_argument("--supplier", default="", metavar="CODE", help="credit code of the supplier who offers")
    goods.add_argument("--pictures", type=Path, metavar="PLACE", help="directory or ZIP with the rows' pictures")
    goods.add_argument("--package", type=int, help="package of the agreement (default: the narrowest that fits)")


def _run_classification(arguments: argparse.Namespace) -> int:
    return run_loop(_classification(settings_of(arguments), arguments))


def _run_goods(arguments: argparse.Namespace) -> int:
    return run_loop(_goods(settings_of(arguments), arguments))


async def _classification(settings: Settings, arguments: argparse.Namespace) -> int:
    async with kernel_up(settings) as kernel:
        report = await import_classification(
            kernel,
            _ACTOR,
            arguments.file,
            edition=arguments.edition,
            accept_warnings=arguments.accept_warnings,
            dry_run=arguments.dry_run,
        )
    if arguments.json:
        print(msgspec.json.encode(report).decode())  # noqa: T201 - the command's output
    else:
        _show_classification(report)
    return 0 if report.accepted or report.dry_run else 1


def _show_classification(report: ClassificationReport) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for finding in report.findings:
        console.print(f"[yellow]row {finding.row}[/] {finding.code}: {reason_text(finding)[1]}")
    console.print(f"{report.rows} rows, {report.acceptable} acceptable, {len(report.findings)} findings")
    if report.dry_run:
        console.print("dry run: nothing was written")
    elif report.accepted:
        console.print(f"[green]✓[/] {report.imported} codes of edition {report.edition} imported")
    else:
        console.print("[red]✗[/] nothing was imported; mend the rows, or take the clean ones with --accept-warnings")


async def _goods(settings: Settings, arguments: argparse.Namespace) -> int:
    pairs = [pair.partition("=") for pair in arguments.map]
    options = GoodsOptions(
        edition=arguments.edition,
        category=arguments.category,
        mapping={word: code for word, _, code in pairs},
        agreement=arguments.agreement,
        supplier=arguments.supplier,
        package=arguments.package,
        dry_run=arguments.dry_run,
        pictures=arguments.pictures,
    )
    console = Console(stderr=True, highlight=False)
    bar = Bar(SpinnerColumn(), TextColumn("goods"), BarColumn(), MofNCompleteColumn(), console=console, transient=True)
    async with kernel_up(settings) as kernel:
        with bar:
            report = await import_goods(kernel, _ACTOR, arguments.file, options, _advance(bar))
    if arguments.json:
        print(msgspec.json.encode(report).decode())  # noqa: T201 - the command's output
    else:
        _show_goods(report)
    return 1 if report.rejected else 0


def _advance(bar: Bar) -> Callable[[int, int], None]:
    task = bar.add_task("goods", total=None)

    def advance(done: int, total: int) -> None:
        bar.update(task, completed=done, total=total)

    return advance


def _show_goods(report: GoodsReport) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for fault in report.faults[:_SHOWN_MAX]:
        console.print(f"[yellow]line {fault.line}[/] {fault.field}: {fault.en} · {fault.zh}")
    if len(report.faults) > _SHOWN_MAX:
        console.print(f"… and {len(report.faults) - _SHOWN_MAX} more (all of them with --json)")
    if report.ignored_columns:
        console.print(f"columns that mean nothing here: {', '.join(report.ignored_columns)}")
    console.print(
        f"{report.rows} rows: {report.imported} imported, {report.revised} revised, {report.unchanged} unchanged, "
        f"{report.duplicates} duplicates, {report.rejected} rejected{' (dry run)' if report.dry_run else ''}"
    )
