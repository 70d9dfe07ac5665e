"""``zhecai migrate``: the database's schema, up and down."""

import argparse

from alembic.util import CommandError
from rich.console import Console
from rich.markup import escape

from kernel.clock import SystemClock
from kernel.engines.embedded import EmbeddedEngines
from kernel.settings import Settings
from portal.commands.options import Parsers, command, settings_of
from portal.migrate import current_revision, migrate, migrate_back, newest_revision
from portal.server import run as run_loop


def add(parsers: Parsers) -> None:
    found = command(
        parsers,
        "migrate",
        "Bring the database to the newest schema (the service does this itself when it starts).",
        "zhecai migrate",
        "zhecai migrate --status",
        "zhecai migrate --down 0005",
    )
    found.add_argument("--status", action="store_true", help="only say which revision the database is at")
    found.add_argument("--down", metavar="REVISION", help="go back to an older revision; what newer ones held is lost")
    found.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    try:
        return run_loop(_migrate(settings_of(arguments), arguments))
    except CommandError as error:  # a revision that does not exist
        Console(stderr=True, highlight=False).print(f"[red]✗[/] {escape(str(error))}")
        return 1


async def _migrate(settings: Settings, arguments: argparse.Namespace) -> int:
    console = Console(highlight=False)
    async with EmbeddedEngines(settings, SystemClock()) as engines:
        before = await current_revision(engines.database_url)
        if arguments.status:
            console.print(f"at {before or 'nothing'}, newest is {newest_revision()}")
            return 0 if before == newest_revision() else 1
        if arguments.down:
            await migrate_back(engines.database_url, arguments.down)
        else:
            await migrate(engines.database_url)
        console.print(f"{before or 'nothing'} → {await current_revision(engines.database_url) or 'nothing'}")
    return 0
