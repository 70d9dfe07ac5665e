"""``zhecai doctor``: the settings with secrets masked, and whether what they name is there."""

import argparse
import platform
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import asyncpg
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import DBAPIError

from crypto.certificates.validation import valid_until
from crypto.errors import CryptoError
from kernel.clock import SystemClock
from kernel.db.database import Database, connections_max, room_of
from kernel.db.skew import Skew
from kernel.engines.embedded import EmbeddedEngines, running
from kernel.engines.errors import EngineError
from kernel.revocation import queries
from kernel.settings import Settings
from kernel.trust.folder import FolderError
from kernel.trust.store import TrustStore
from portal.app import VERSION
from portal.commands.options import Parsers, command, serving, settings_of
from portal.migrate import current_revision, newest_revision
from portal.pages import STATIC
from portal.server import listen
from portal.server import run as run_loop
from portal.tls import speaks_tls

_FREE_BYTES_MIN = 1 << 30
_BLOCKED = (
    "until this is mended nobody logs in or signs by certificate (503): fetch the file anew from its authority, or "
    "move it out of the directory; a list that is missing is asked for where certificates name an address"
)
Check = tuple[bool, str, str]


def add(parsers: Parsers) -> None:
    found = command(
        parsers,
        "doctor",
        "Show every setting and check that the service can run.",
        "zhecai doctor",
        "zhecai doctor --data var",
    )
    serving(found)
    found.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    console = Console(highlight=False)
    table = Table("setting", "value", "from", title=f"zhecai {VERSION}, Python {platform.python_version()}")
    for name, value, source in settings.describe():
        table.add_row(name, value, source.value)
    console.print(table)
    good = True
    for ok, what, detail in [*_machine(settings), _rates(settings), _trust(settings), *run_loop(_engines(settings))]:
        good = good and ok
        console.print(f"{'[green]✓[/]' if ok else '[red]✗[/]'} {what}: {detail}")
    return 0 if good else 1


def _machine(settings: Settings) -> Iterator[Check]:
    yield sys.version_info >= (3, 11), "python", platform.python_version()
    built = (STATIC / "index.html").is_file()
    yield built, "web pages", "built" if built else "not built: run `make setup`"
    directory = settings.data_dir
    while not directory.exists():
        directory = directory.parent
    free = shutil.disk_usage(directory).free
    yield free >= _FREE_BYTES_MIN, "disk", f"{free / (1 << 30):.1f} GiB free below {settings.data_dir}"
    try:
        listen(settings).close()
    except EngineError as error:
        yield False, "port", " ".join(error.detail)
    else:
        yield True, "port", f"{settings.bind}:{settings.port} is free"


@asynccontextmanager
async def _addresses(settings: Settings) -> AsyncIterator[str]:
    """Give the database's address: of the service that runs here if there is one, else of engines of our own."""
    postgres, valkey = running(settings.data_dir)
    if settings.database_url or not (postgres and postgres.url and valkey and valkey.url):
        async with EmbeddedEngines(settings, SystemClock()) as engines:
            yield engines.database_url
    else:
        yield postgres.url


def _trust(settings: Settings) -> Check:
    """Whom certificates are believed from, and whether every list is fresh: an old one shuts its certificates out."""
    clock = SystemClock()
    store = TrustStore(settings, clock)
    if settings.trust_dir is None and not store.folder.exists:
        return True, "certificates", "no authority is trusted; logins by certificate are off"
    try:
        roots = store.trust().roots
        ends = [valid_until(one) for one in store.lists()]
    except (FolderError, CryptoError, OSError) as error:
        return False, "certificates", f"{error}\n  {_BLOCKED}"
    old = sum(end <= clock.now() for end in ends)
    outside = ", ".join(sorted(one.subject.common_name for one in store.outside()))
    detail = f"{len(roots)} roots, {len(ends)} revocation lists, {old} of them out of date"
    detail += f"; outside authorities: {outside}" if outside else ""
    return old == 0, "certificates", detail


def _rates(settings: Settings) -> Check:
    """How much an account and an address may send, and whether addresses tell anybody apart behind a proxy."""
    paces = ("reads", "acts", "heavy", "frames")
    account = ", ".join(f"{getattr(settings, f'account_{pace}_per_min')} {pace}" for pace in paces)
    address = ", ".join(f"{getattr(settings, f'address_{pace}_per_min')} {pace}" for pace in (*paces, "public"))
    detail = f"a minute for an account {account}; for an address {address}"
    if settings.public_url and not settings.trusted_proxies and not speaks_tls(settings):
        return False, "rate limits", f"{detail}; behind a proxy all count as one address: name it in trusted_proxies"
    return True, "rate limits", detail


async def _engines(settings: Settings) -> list[Check]:
    found: list[Check] = []
    try:
        async with _addresses(settings) as database_url:
            database = Database(database_url, role=None)
            await database.open()
            try:
                found.append((True, "database", str(await database.pool.fetchval("select version()"))))
                revision = await current_revision(database_url)
                newest = newest_revision()
                note = "" if revision == newest else f", newest is {newest} (applied at the next start)"
                found.append((True, "schema", f"{revision or 'empty'}{note}"))
                offset = await Skew(database, SystemClock()).measure()
                async with database.pool.acquire() as connection:
                    room = await room_of(connection)
                needed = settings.workers * connections_max(settings.pool_size)
                found.append((room >= needed, "connections", f"{needed} at most, the database allows {room}"))
                if revision == newest:
                    found.append(_revocation(await queries.states(database.pool, SystemClock().now())))
                exact = f"{offset.offset_s * 1000:+.2f} ms off the database (within {offset.error_s * 1000:.2f} ms)"
                found.append((not offset.is_off, "clock", exact))
            finally:
                await database.close()
    except EngineError as error:
        found.append((False, "engines", " ".join(error.detail)))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, DBAPIError) as error:
        found.append((False, "engines", f"{error}"))
    return found


def _revocation(states: list[queries.State]) -> Check:
    """Say how fresh the lists and answers of outside authorities are, and which do not come."""
    now = SystemClock().now()
    ages = [now - one.fetched_at for one in states if one.fetched_at is not None]
    old = [one for one in states if one.next_update is None or one.next_update < now]
    oldest = f", the oldest fetched {int(max(ages).total_seconds()) // 60} min ago" if ages else ""
    failing = "".join(f"\n  {one.failures} failures: {one.failure}" for one in states if one.failures)
    detail = f"{len(states)} lists and answers of outside authorities in use{oldest}, {len(old)} out of date{failing}"
    return not old, "revocation", detail
