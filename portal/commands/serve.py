"""``zhecai serve``: the service; and ``serve-on``, one process of several."""

import argparse

from kernel.log import configure_logging
from portal.commands.options import Parsers, command, serving, settings_of
from portal.server import run as run_loop
from portal.server import serve, serve_on


def add(parsers: Parsers) -> None:
    found = command(
        parsers,
        "serve",
        "Run the service.",
        "zhecai serve --port 8420",
        "ZHECAI_DATABASE_URL=postgresql://zhecai@db1,db2/zhecai zhecai serve --bind 0.0.0.0 --workers 2",
    )
    serving(found)
    found.add_argument("--workers", metavar="N", help="processes that share the port (default 1)")
    found.set_defaults(run=run)
    one = parsers.add_parser("serve-on", description="One process of several, started by `zhecai serve`.")
    one.add_argument("descriptor", type=int, help="the inherited listening socket")
    one.set_defaults(run=run_one, config=None)


def run(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    configure_logging(settings.log_level, settings.log_format)
    run_loop(serve(settings))
    return 0


def run_one(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    configure_logging(settings.log_level, settings.log_format)
    run_loop(serve_on(settings, arguments.descriptor))
    return 0
