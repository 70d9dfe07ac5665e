"""``zhecai worker``: fires what falls due, without a web server."""

import argparse

from kernel.log import configure_logging
from kernel.settings import Settings
from portal.app import DUE
from portal.commands.options import Parsers, command, settings_of
from portal.server import kernel_up, stop_event
from portal.server import run as run_loop
from portal.worker import working


def add(parsers: Parsers) -> None:
    found = command(
        parsers,
        "worker",
        "Fire what falls due (auctions to start and close) beside the worker that each service process has.",
        "ZHECAI_DATABASE_URL=postgresql://zhecai@db1/zhecai zhecai worker",
    )
    found.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    configure_logging(settings.log_level, settings.log_format)
    run_loop(_work(settings))
    return 0


async def _work(settings: Settings) -> None:
    stop = stop_event()
    async with kernel_up(settings) as kernel, working(kernel, DUE):
        await stop.wait()
