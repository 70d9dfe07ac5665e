"""``zhecai vault``: the master keys of secrets at rest, and changing them while the service runs."""

import argparse
from collections.abc import Callable, Coroutine
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from kernel.db.database import Database
from kernel.problems import Refused
from kernel.settings import Settings
from kernel.vault.files import secrets_of
from kernel.vault.keys import MasterKey, new_key, write_keys
from kernel.vault.vault import Vault, vault_of
from portal.app import SEALED_COLUMNS
from portal.commands.options import Parsers, command, settings_of
from portal.server import kernel_up
from portal.server import run as run_loop


def add(parsers: Parsers) -> None:
    found = command(
        parsers,
        "vault",
        "Show, add, use and remove the master keys that secrets at rest are sealed under; none of it needs a restart.",
        "zhecai vault status",
        "zhecai vault rotate && zhecai vault reseal      # a new key, then everything under it",
        "zhecai vault retire 0f1e2d3c4b5a6978            # refuses while anything is sealed under it",
    )
    found.add_argument(
        "act",
        choices=_ACTS,
        help="status; rotate: add a key, which seals from now on; "
        "reseal: bring everything under it; retire: remove a key that nothing needs",
    )
    found.add_argument("key", nargs="?", metavar="KEY", help="the key to retire, by its id")
    found.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    return run_loop(_ACTS[arguments.act](settings, arguments.key))


async def _status(settings: Settings, _: str | None) -> int:
    vault = vault_of(settings)
    table = Table("key", "use", "secrets", title=f"{vault.path}")
    async with kernel_up(settings) as kernel:
        for place, key in enumerate(vault.keys()):
            use = "opens" if place else "seals and opens"
            table.add_row(key.id.hex(), use, str(await _sealed_under(kernel.db, vault, settings, key)))
    Console(highlight=False).print(table)
    return 0


async def _rotate(settings: Settings, _: str | None) -> int:
    vault = vault_of(settings)
    key = new_key()
    write_keys(vault.path, [key, *vault.keys()])
    Console(highlight=False).print(
        f"[green]✓[/] {key.id.hex()} seals from now on. Copy {vault.path} to every machine of the site and to its "
        "backup, then: zhecai vault reseal",
        soft_wrap=True,
    )
    return 0


async def _reseal(settings: Settings, _: str | None) -> int:
    vault = vault_of(settings)
    async with kernel_up(settings) as kernel:
        done = secrets_of(settings, vault).reseal()
        for column in SEALED_COLUMNS:
            done += await column.reseal(kernel.db, vault)
    Console(highlight=False).print(f"[green]✓[/] {done} secrets sealed anew under {vault.keys()[0].id.hex()}")
    return 0


async def _retire(settings: Settings, wanted: str | None) -> int:
    vault = vault_of(settings)
    keys = vault.keys()
    key = next((known for known in keys if known.id.hex() == wanted), None)
    if key is None or key == keys[0]:
        raise Refused(
            "请指明一个存在且不再用于加密的主密钥（见 zhecai vault status）。",
            "Name a master key that is there and no longer seals (zhecai vault status shows them).",
            reason="not-retirable",
        )
    async with kernel_up(settings) as kernel:
        left = await _sealed_under(kernel.db, vault, settings, key)
    if left:
        raise Refused(
            f"仍有 {left} 项机密由该主密钥加密，请先执行 zhecai vault reseal。",
            f"{left} secrets are still sealed under that key; first: zhecai vault reseal.",
            reason="still-needed",
        )
    write_keys(vault.path, [known for known in keys if known != key])
    Console(highlight=False).print(f"[green]✓[/] {key.id.hex()} is removed from {vault.path}", soft_wrap=True)
    return 0


async def _sealed_under(db: Database, vault: Vault, settings: Settings, key: MasterKey) -> int:
    return secrets_of(settings, vault).under(key.id) + sum(
        [await column.under(db, key.id) for column in SEALED_COLUMNS]
    )


_ACTS: Final[dict[str, Callable[[Settings, str | None], Coroutine[Any, Any, int]]]] = {
    "status": _status,
    "rotate": _rotate,
    "reseal": _reseal,
    "retire": _retire,
}
