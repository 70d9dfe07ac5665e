"""``zhecai witness``: cosigns the checkpoints of other sites' logs, in a process of its own with a key of its own."""

import argparse
import asyncio
from pathlib import Path

import uvicorn
from rich.console import Console
from rich.markup import escape

from crypto.log.notes import KeyKind, NoteError, NoteKey, NoteSigner
from kernel.clock import SystemClock
from kernel.settings import Settings
from kernel.transparency.keys import KeyFault, load_key
from kernel.transparency.witness import WitnessServer, WitnessState, alone
from portal.commands.options import Parsers, command, serving, settings_of
from portal.server import Server, listen, stop_event, url_of
from portal.server import run as run_loop

_PORT = "8421"


def add(parsers: Parsers) -> None:
    found = command(
        parsers,
        "witness",
        "Watch over the logs of other sites: remember each log's last checkpoint, cosign what continues it, refuse "
        "what does not. Needs no database. The first start makes the key and prints what the site has to be told.",
        "zhecai witness --log 'zhecai.example.cn/1a2b3c4d+…' --data /var/lib/witness --name witness.example.org/w1",
    )
    serving(found)
    found.add_argument("--log", metavar="KEY", action="append", default=[], help="a log's key, as its /api/log says")
    found.add_argument("--name", metavar="NAME", help="the witness's name (default: made from its key)")
    found.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    if arguments.port is None:
        arguments.port = _PORT
    settings = settings_of(arguments)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    directory: Path = settings.data_dir / "witness"
    try:
        logs = {key.name: key for key in map(NoteKey.read, arguments.log)}
        private = load_key(directory / "witness.pem")
        name = arguments.name or f"witness.localhost/{private.public_key().public_bytes_raw().hex()[:8]}"
        signer = NoteSigner(name, KeyKind.COSIGNATURE, private)
        with alone(directory / "seen.json"):
            server = WitnessServer(signer, logs, WitnessState(directory / "seen.json"), SystemClock())
            run_loop(_serve(settings, server, signer, console))
    except KeyFault as error:
        console.print("[red]✗[/]", *error.detail, sep="\n  ")
        return 1
    except BlockingIOError:
        console.print(f"[red]✗[/] Another witness runs on {directory}. / 另一个见证进程正在使用该目录。")
        return 1
    except (NoteError, ValueError) as error:
        console.print(f"[red]✗[/] {escape(str(error))}")
        return 1
    return 0


async def _serve(settings: Settings, witness: WitnessServer, signer: NoteSigner, console: Console) -> None:
    stop = stop_event()
    with listen(settings) as listener:
        server = Server(
            uvicorn.Config(witness.app(), lifespan="off", access_log=False, log_config=None, server_header=False)
        )
        serving_ = asyncio.create_task(server.serve([listener]))
        console.print(f"witness: {url_of(settings, listener)} {signer.key}", markup=False)
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({serving_, stopped}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving_
        stopped.cancel()
