"""``zhecai tsa``: an authority that stamps time (RFC 3161), in a process and with a key of its own."""

import argparse
import asyncio
import contextlib
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx2
import structlog
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from rich.console import Console

from crypto.errors import CryptoError
from crypto.timestamps.authority import Authority, UnfitKeyError
from kernel.clock import SystemClock
from kernel.log import configure_logging
from kernel.settings import Settings, SettingsError
from kernel.timestamps.app import create_authority_app
from kernel.timestamps.register import Register, check_register
from kernel.timestamps.rightness import Rightness, other_authority
from kernel.vault.identities import Service, identities_of
from portal.commands.options import Parsers, command, serving, settings_of
from portal.server import Server, listen, stop_event, url_of
from portal.server import run as run_loop

POLICY: Final = "2.25.169813764553285478943071584921503782117"
"""Our policy by default: a UUID as an object identifier (ITU-T X.667), so it is nobody else's."""
ACCURACY: Final = timedelta(seconds=1)
_PORT: Final = "8421"

log = structlog.get_logger()


def add(parsers: Parsers) -> None:
    found = command(
        parsers,
        "tsa",
        "Run a time stamp authority (RFC 3161), or check its register.",
        "zhecai keys trial && zhecai tsa --port 8421",
        "zhecai tsa --reference https://tsa.example.org/ --reference https://tsa.example.net/",
        "zhecai tsa --check",
    )
    serving(found)
    found.add_argument("--policy", default=POLICY, metavar="OID", help="the policy it stamps under")
    found.add_argument(
        "--reference",
        action="append",
        default=[],
        metavar="URL",
        help="another authority whose time ours must agree with; several may be given",
    )
    found.add_argument("--check", action="store_true", help="read the register of issued tokens and check its chain")
    found.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    if arguments.port is None:
        arguments.port = _PORT
    settings = settings_of(arguments)
    configure_logging(settings.log_level, settings.log_format)
    if arguments.check:
        return _check(settings)
    run_loop(_serve(settings, arguments))
    return 0


def register_path(settings: Settings) -> Path:
    return settings.data_dir / "tsa" / "issued.jsonl"


def _check(settings: Settings) -> int:
    count, newest = 0, None
    for line in check_register(register_path(settings)):
        count, newest = line.n, line.at
    Console(highlight=False).print(
        f"[green]✓[/] {count} tokens, the newest of {newest}; each line follows the one before"
    )
    return 0


async def _serve(settings: Settings, arguments: argparse.Namespace) -> None:
    stop = stop_event()
    clock = SystemClock()
    authority = _authority(settings, arguments.policy)
    async with contextlib.AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx2.AsyncClient())
        rightness = Rightness(clock, [other_authority(url, http, clock) for url in arguments.reference])
        register = Register(register_path(settings), authority, rightness.now)
        register.open()
        stack.callback(register.close)
        listener = stack.enter_context(listen(settings))
        tasks = [asyncio.create_task(register.work(), name="register")]
        if arguments.reference:
            tasks.append(asyncio.create_task(rightness.watch(), name="references"))
        else:
            log.warning("tsa.no_reference", hint="the operating system's time service is trusted")
        app = create_authority_app(register, rightness, clock)
        server = Server(
            uvicorn.Config(
                app, http="httptools", ws="none", lifespan="off", access_log=False, log_config=None, server_header=False
            )
        )
        tasks.append(asyncio.create_task(server.serve([listener]), name="web"))
        log.info("tsa.ready", url=url_of(settings, listener), issued=register.issued)
        await _until(stop, tasks)
        server.should_exit = True
        await tasks[-1]
        await _cancelled(tasks[:-1])


async def _until(stop: asyncio.Event, tasks: list["asyncio.Task[Any]"]) -> None:
    """Wait for the signal; a task that ends before is a bug of ours, and the authority ends with it."""
    stopped = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    for task in done:
        task.result()


async def _cancelled(tasks: list["asyncio.Task[Any]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _authority(settings: Settings, policy: str) -> Authority:
    try:
        found = identities_of(settings).load(Service.TSA)
        if found is None:
            raise UnfitKeyError("there is none; see `zhecai keys request tsa`, or for a trial `zhecai keys trial`")
        if not isinstance(found.key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise UnfitKeyError("the key is neither RSA nor on a NIST curve")
        first, *chain = (x509.load_der_x509_certificate(one.der) for one in (found.certificate, *found.chain))
        return Authority(found.key, first, chain, policy=policy, accuracy=ACCURACY)
    except CryptoError as error:
        raise SettingsError(
            f"时间戳服务的密钥或证书不能使用：{error}。",
            f"The key or certificate of the time stamp authority cannot be used: {error}.",
        ) from error
