"""The command line: ``zhecai COMMAND``, each command with help and examples."""

import argparse
import socket
import sys
from collections.abc import Sequence

import asyncpg
from rich.console import Console
from rich.markup import escape
from sqlalchemy.exc import DBAPIError

from kernel.engines.errors import EngineError
from kernel.log import configure_logging
from kernel.problems import Problem
from kernel.settings import SettingsError
from kernel.transparency.keys import KeyFault
from portal.app import VERSION
from portal.commands import (
    admin,
    bench,
    ca,
    demo,
    doctor,
    imports,
    keys,
    migrate,
    openapi,
    scenario,
    serve,
    tsa,
    vault,
    verify,
    witness,
    worker,
)

COMMANDS = (
    demo,
    serve,
    worker,
    migrate,
    admin,
    doctor,
    verify,
    keys,
    tsa,
    vault,
    witness,
    scenario,
    imports,
    ca,
    bench,
    openapi,
)

_AWAY = (ConnectionError, TimeoutError, socket.gaierror, asyncpg.PostgresError, asyncpg.InterfaceError, DBAPIError)
"""An engine that the settings name does not answer, or does not let us in."""

_FAILED = 1
_MISUSED = 2


def parser() -> argparse.ArgumentParser:
    """Build the whole command line."""
    root = argparse.ArgumentParser(
        prog="zhecai",
        description="Zhecai (浙采): electronic tendering and online marketplace core for government procurement.",
        epilog="Every setting is also a variable ZHECAI_NAME and a key of the TOML file that --config names; "
        "`zhecai doctor` shows them all.",
    )
    root.add_argument("--version", action="version", version=f"zhecai {VERSION}")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status: 0 done, 1 not done (and why was printed), 2 misused."""
    errors = Console(stderr=True, highlight=False)
    asked = parser().parse_args(arguments)
    configure_logging("warning", "auto")
    try:
        status: int = asked.run(asked)
    except SettingsError as error:
        errors.print("[red]✗[/]", *map(escape, error.detail), sep="\n  ")
        return _MISUSED
    except EngineError as error:
        errors.print("[red]✗[/]", *map(escape, error.detail), sep="\n  ")
        errors.print(error.log, markup=False, end="")
        return _FAILED
    except (Problem, KeyFault) as error:
        errors.print("[red]✗[/]", *map(escape, error.detail), sep="\n  ")
        return _FAILED
    except _AWAY as error:
        errors.print("[red]✗[/]", "数据库或 Redis 无法使用，请检查其地址、口令和权限：", sep="\n  ")
        errors.print("  The database or the Redis cannot be used; check its address, password and rights:")
        errors.print(f"  {getattr(error, 'orig', None) or error}", markup=False)
        return _FAILED
    except KeyboardInterrupt:
        return 130
    return status


if __name__ == "__main__":
    sys.exit(main())
