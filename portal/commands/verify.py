"""``zhecai verify``: states rebuilt from the journal, the log from its leaves, files hashed again; or one receipt."""

import argparse
from collections.abc import AsyncIterator
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn

from crypto.log.notes import KeyKind, NoteError, NoteKey
from crypto.log.proofs import ProofError
from crypto.log.receipts import Checked, ReceiptError, read_receipt, verify_receipt
from kernel.blobs.store import Blobs
from kernel.blobs.verify import strays, verify_blobs
from kernel.journal.streams import Connection
from kernel.journal.verify import Difference, Progress, strangers, verify_kind
from kernel.runtime import Kernel
from kernel.settings import Settings
from kernel.transparency.keys import public_key
from kernel.transparency.verify import LogProgress, verify_log
from portal.app import BLOB_COLUMNS, KINDS, STATE_TABLES
from portal.commands.options import Parsers, command, settings_of
from portal.server import kernel_up
from portal.server import run as run_loop

_SHOWN_MAX = 20


def add(parsers: Parsers) -> None:
    found = command(
        parsers,
        "verify",
        "Rebuild every state from the journal and the transparency log from its leaves, hash every file, and name what "
        "differs.",
        "zhecai verify",
        "zhecai verify --kind order --kind budget",
        "zhecai verify receipt receipt.json",
    )
    found.add_argument("--kind", action="append", choices=[kind.name for kind in KINDS], help="only these kinds")
    found.set_defaults(run=run)
    parts = found.add_subparsers(metavar="receipt FILE")
    receipt = parts.add_parser(
        "receipt",
        help="check one receipt offline, without a database",
        description="Check a receipt with nothing but its file and the keys that you trust.",
    )
    receipt.add_argument("file", type=Path, metavar="FILE")
    receipt.add_argument("--log-key", metavar="KEY", help="the log's key, from the site's /api/log (name+id+key)")
    receipt.add_argument("--receipt-key", metavar="KEY", help="the key that signs receipts, from there too")
    receipt.add_argument(
        "--witness", metavar="KEY", action="append", default=[], help="a witness that must have cosigned"
    )
    receipt.set_defaults(run=run_receipt)


def run(arguments: argparse.Namespace) -> int:
    return run_loop(_verify(settings_of(arguments), arguments.kind))


async def _verify(settings: Settings, wanted: list[str] | None) -> int:
    console = Console(highlight=False)
    differences: list[Difference] = []
    said: list[str] = []
    stray: list[Path] = []
    bar = Bar(SpinnerColumn(), TextColumn("{task.description}"), console=console, transient=True)
    async with kernel_up(settings) as kernel, kernel.db.pool.acquire() as connection:
        with bar:
            task = bar.add_task("…")
            async for found in _look(connection, kernel, wanted, said):
                if isinstance(found, Difference):
                    differences.append(found)
                else:
                    bar.update(task, description=found)
            if not wanted:
                stray = await strays(connection, kernel.blobs, BLOB_COLUMNS)
    for difference in differences[:_SHOWN_MAX]:
        what = escape(f"{difference.stream} at version {difference.version}: {difference.what}")
        console.print(f"[red]✗[/] {what}", soft_wrap=True)
    if len(differences) > _SHOWN_MAX:
        console.print(f"… and {len(differences) - _SHOWN_MAX} more")
    for good in said if not differences else ():
        console.print(f"[green]✓[/] {good}", soft_wrap=True)
    if stray:
        console.print(f"{len(stray)} files that nothing refers to, which is no fault:", soft_wrap=True)
        for file in stray[:_SHOWN_MAX]:
            console.print(f"  {escape(str(file))}", soft_wrap=True)
    return 1 if differences else 0


async def _look(
    connection: Connection, kernel: Kernel, wanted: list[str] | None, said: list[str]
) -> AsyncIterator[str | Difference]:
    """Look at everything: yield differences and where we are; what was found in order goes into ``said``."""
    kinds = [kind.name for kind in KINDS if not wanted or kind.name in wanted]
    async for found in _states(connection, kinds, said):
        yield found
    async for found in _files(connection, kernel.blobs, kinds, said):
        yield found
    if wanted:
        return
    for strange in await strangers(connection, kinds):
        yield strange
    async for found in _log(connection, kernel.settings, said):
        yield found


async def _states(connection: Connection, kinds: list[str], said: list[str]) -> AsyncIterator[str | Difference]:
    streams = entries = 0
    for kind in (kind for kind in KINDS if kind.name in kinds):
        done = Progress(kind.name, 0, 0)
        async for found in verify_kind(connection, kind, STATE_TABLES[kind.name]):
            if isinstance(found, Difference):
                yield found
            else:
                done = found
                yield f"{done.kind}: {done.streams} streams, {done.entries} entries"
        streams, entries = streams + done.streams, entries + done.entries
    said.append(f"{streams} streams with {entries} entries: every state follows from the journal")


async def _files(
    connection: Connection, blobs: Blobs, kinds: list[str], said: list[str]
) -> AsyncIterator[str | Difference]:
    columns = {kind: named for kind, named in BLOB_COLUMNS.items() if kind in kinds}
    files = 0
    async for found in verify_blobs(connection, blobs, columns):
        if isinstance(found, Difference):
            yield found
        else:
            files = found.files
            yield f"files: {files}"
    if columns:
        said.append(f"{files} files that are referred to: each is there, with its hash")


async def _log(connection: Connection, settings: Settings, said: list[str]) -> AsyncIterator[str | Difference]:
    logged = LogProgress(0, 0)
    async for step in verify_log(connection, public_key(settings)):
        if isinstance(step, Difference):
            yield step
        else:
            logged = step
            yield f"log: {step.entries} leaves, {step.checkpoints} checkpoints"
    waiting = f"; {logged.waiting} entries wait for the next one" if logged.waiting else ""
    said.append(f"{logged.entries} leaves under {logged.checkpoints} checkpoints: the log is the journal's{waiting}")


def run_receipt(arguments: argparse.Namespace) -> int:
    """Check a receipt: 0 it is good, 1 it is not, and why is printed."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        receipt = read_receipt(arguments.file.read_bytes())
        log = NoteKey.read(arguments.log_key or receipt.keys.log)
        signer = NoteKey.read(arguments.receipt_key or receipt.keys.receipts)
        witnesses = [NoteKey.read(text) for text in arguments.witness]
        checked = verify_receipt(receipt, log=log, receipts=[signer], witnesses=witnesses)
    except (OSError, NoteError, ProofError, ReceiptError) as error:
        console.print(f"[red]✗[/] {escape(str(error))}")
        return 1
    missing = [key for key in witnesses if key not in [found.key for found in checked.cosignatures]]
    for key in missing:
        console.print(f"[red]✗[/] {escape(key.name)} has not cosigned the checkpoint")
    _show(console, checked, log, signer)
    if not (arguments.log_key and arguments.receipt_key):
        console.print(
            "The keys are those in the file: compare them with the site's, or give --log-key and --receipt-key."
        )
    return 1 if missing else 0


def _show(console: Console, checked: Checked, log: NoteKey, signer: NoteKey) -> None:
    statement, checkpoint = checked.statement, checked.checkpoint
    console.print(f"[green]✓[/] {statement.kind}, {escape(statement.stream)} version {statement.version}")
    console.print(f"  decided at {statement.at.isoformat()}, hash {statement.leaf}")
    console.print(f"[green]✓[/] signed by {escape(str(signer))}")
    console.print(f"[green]✓[/] leaf {statement.number} of the {checkpoint.size} that {escape(str(log))} signed")
    for found in checked.cosignatures:
        assert found.key.kind is KeyKind.COSIGNATURE
        console.print(f"[green]✓[/] cosigned by {escape(found.key.name)} at {found.time_s} s since 1970")
