"""
Writes the documents that follow from the code: settings, routes, pictures of lifecycles.

    python docs/generate.py            # write them
    python docs/generate.py --check    # only say whether they are what the code says
"""

import argparse
import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from starlette.routing import WebSocketRoute

import kernel.settings
from kernel.access.actors import Role
from kernel.access.duties import SIDES
from kernel.access.table import ACCESS, CONDITIONS, TABLE, Action, Grant, Scope
from kernel.settings import NAMES, Settings
from kernel.web.routes import TypedRoute
from market.approvals import lifecycle as approval
from market.auctions import lifecycle as auction
from market.orders import lifecycle as order
from market.signings import lifecycle as signing
from portal.app import API
from registries.organisations import lifecycle as organisation

DOCS: Final = Path(__file__).parent
_WRITTEN: Final = "Written by `make docs`; do not edit."


def settings() -> str:
    """Describe every setting: its default, what is allowed, what it is for."""
    purposes = dict(_purposes())
    rows = [
        f"| `ZHECAI_{name.upper()}` | {_default(name)} | {_allowed(name)} | {purposes.get(name, '')} |"
        for name in NAMES
    ]
    return "\n".join(
        [
            "# Settings",
            "",
            f"From `kernel/settings.py`. {_WRITTEN}",
            "",
            "A setting is a variable of the environment, or a key of that name in lower case without `ZHECAI_` in the TOML",
            "file that `--config` or `ZHECAI_CONFIG` names. Options of a command win over the environment, that wins over the",
            "file. An unknown name is refused. `zhecai doctor` shows every value, where it comes from, and masks passwords.",
            "",
            "| variable | default | allowed | what it is for |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _purposes() -> Iterator[tuple[str, str]]:
    """Yield each field's docstring: the string that follows it."""
    source = ast.parse(inspect.getsource(kernel.settings))
    fields = next(node for node in source.body if isinstance(node, ast.ClassDef) and node.name == "Settings").body
    for field, after in pairwise(fields):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(after, ast.Expr):
            assert isinstance(after.value, ast.Constant)
            text = re.sub(r":\w+:`(\w+)`", r"`\1`", str(after.value.value)).replace("``", "`")
            yield field.target.id, " ".join(text.split())


def _default(name: str) -> str:
    if name == "data_dir":
        return "see `zhecai doctor`"
    value: Any = getattr(Settings(), name)
    if value is None or value == ():
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _allowed(name: str) -> str:
    return kernel.settings._allowance(name)[1].replace("|", "\\|")  # noqa: SLF001 - its only other reader


def routes() -> str:
    """List every route with its action and who may."""
    rows: list[str] = []
    for route in API:
        if isinstance(route, TypedRoute):
            found = route.operation
            rows.append(_row(found.method, found.path, found.summary, found.action))
        elif isinstance(route, WebSocketRoute):
            action: Action = inspect.getclosurevars(route.endpoint).nonlocals["action"]
            rows.append(_row("WebSocket", route.path, "A live hall: a snapshot, then numbered deltas", action))
    return "\n".join(
        [
            "# Routes",
            "",
            f"From the signatures of the endpoints. {_WRITTEN}",
            "",
            "The whole description, with every field and problem, is `GET /api/openapi.json` (or `zhecai openapi`). Every write",
            "takes an `Idempotency-Key` header unless doing it twice does no harm. What a caller may see of a list or an object",
            "is decided by the query; somebody else's object answers 404.",
            "",
            "| method | path | what | action | who |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _row(method: str, path: str, summary: str, action: Action) -> str:
    permitted = ACCESS[action]
    who = "everybody" if Role.PUBLIC in permitted else ", ".join(role for role in Role if role in permitted)
    return f"| {method} | `{path}` | {summary} | `{action}` | {who} |"


def access() -> str:
    """Write the access table: what each role may do, and how far."""
    roles = list(Role)
    rows = [
        f"| `{action}` | {rule.text[1]} · {rule.text[0]} | {rule.nature} | {rule.level}{', fresh' if rule.fresh else ''} | "
        + " | ".join(_grant(next((grant for grant in rule.grants if grant.role is role), None)) for role in roles)
        + " |"
        for action, rule in TABLE.items()
    ]
    return "\n".join(
        [
            "# Who may do what",
            "",
            f"From `kernel/access/table.py`. {_WRITTEN}",
            "",
            "Every route names one of these actions ([routes.md](routes.md)). A cell says how far the role's right reaches; an empty",
            "one, that it has none. Somebody else's object answers 404. Overseers see the region of their organisation and those",
            "below it (GB/T 2260): a province everything, a city its counties, a county itself.",
            "",
            "| scope | reaches |",
            "|---|---|",
            *(f"| {scope} | {text} |" for scope, text in _SCOPES.items()),
            "",
            "Sides that nobody may combine (`kernel/access/duties.py`): "
            + "; ".join(
                f"{side}: {', '.join(r for r in Role if SIDES[r] is side)}" for side in dict.fromkeys(SIDES.values())
            )
            + ".",
            "",
            "*Proof* is what the session must have shown, as far as the setting `assurance` goes: in a demonstration a password is",
            "enough, elsewhere nothing is done with less than a second factor. *Fresh*: shown within `step_up_s`. What lacks is",
            "asked for with a 403 problem `step-up-needed`; then the same request is sent again.",
            "",
            f"| action | what | nature | proof | {' | '.join(roles)} |",
            "|---|---|---|---|" + "---|" * len(roles),
            *rows,
            "",
            "| condition | means | decided by |",
            "|---|---|---|",
            *(f"| {name} | {meaning.en} · {meaning.zh} | `{meaning.where}` |" for name, meaning in CONDITIONS.items()),
            "",
        ]
    )


_SCOPES: Final = {
    Scope.PUBLIC: "what everybody may see",
    Scope.OWN: "the account's own",
    Scope.ORGANISATION: "what belongs to the actor's organisation",
    Scope.REGION: "what belongs to the actor's region and those below it",
    Scope.PLATFORM: "everything",
}


def _grant(grant: Grant | None) -> str:
    if grant is None:
        return ""
    return f"{grant.scope}, {grant.condition}" if grant.condition else str(grant.scope)


DOCUMENTS: Final[dict[str, Callable[[], str]]] = {
    "settings.md": settings,
    "routes.md": routes,
    "access.md": access,
    "lifecycles/approval.md": approval.picture,
    "lifecycles/auction.md": auction.picture,
    "lifecycles/order.md": order.picture,
    "lifecycles/organisation.md": organisation.picture,
    "lifecycles/signing.md": signing.picture,
}


def main() -> int:
    """Write or compare; 1 when something is not up to date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a document is out of date")
    check = parser.parse_args().check
    stale = [name for name, write in DOCUMENTS.items() if not _same(DOCS / name, write())]
    if check:
        for name in stale:
            print(f"docs/{name} is not what the code says: make docs", file=sys.stderr)  # noqa: T201 - a command
        return 1 if stale else 0
    for name in stale:
        (DOCS / name).write_text(DOCUMENTS[name](), "utf-8")
    return 0


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
