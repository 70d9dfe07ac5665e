"""``zhecai verify``: every state rebuilt from the journal and compared."""

import argparse

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn

from kernel.journal.verify import Difference, Progress, strangers, verify_kind
from kernel.settings import Settings
from portal.app import KINDS, STATE_TABLES
from portal.commands.options import Parsers, command, settings_of
from portal.server import kernel_up
from portal.server import run as run_loop

_SHOWN_MAX = 20


def add(parsers: Parsers) -> None:
    found = command(
        parsers,
        "verify",
        "Rebuild every state from the journal, compare it with the state rows, and name what differs.",
        "zhecai verify",
        "zhecai verify --kind order --kind budget",
    )
    found.add_argument("--kind", action="append", choices=[kind.name for kind in KINDS], help="only these kinds")
    found.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    return run_loop(_verify(settings_of(arguments), arguments.kind))


async def _verify(settings: Settings, wanted: list[str] | None) -> int:
    console = Console(highlight=False)
    differences: list[Difference] = []
    streams = entries = 0
    bar = Bar(SpinnerColumn(), TextColumn("{task.description}"), console=console, transient=True)
    async with kernel_up(settings) as kernel, kernel.db.pool.acquire() as connection:
        with bar:
            task = bar.add_task("…")
            for kind in KINDS:
                if wanted and kind.name not in wanted:
                    continue
                done = Progress(kind.name, 0, 0)
                async for found in verify_kind(connection, kind, STATE_TABLES[kind.name]):
                    if isinstance(found, Difference):
                        differences.append(found)
                    else:
                        done = found
                        bar.update(task, description=f"{done.kind}: {done.streams} streams, {done.entries} entries")
                streams, entries = streams + done.streams, entries + done.entries
            if not wanted:
                differences += await strangers(connection, [kind.name for kind in KINDS])
    for difference in differences[:_SHOWN_MAX]:
        what = escape(f"{difference.stream} at version {difference.version}: {difference.what}")
        console.print(f"[red]✗[/] {what}", soft_wrap=True)
    if len(differences) > _SHOWN_MAX:
        console.print(f"… and {len(differences) - _SHOWN_MAX} more")
    if not differences:
        console.print(f"[green]✓[/] {streams} streams with {entries} entries: every state follows from the journal")
    return 1 if differences else 0
