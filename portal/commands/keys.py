"""``zhecai keys``: the platform's own keys and certificates (time stamps, seal, TLS)."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from crypto.certificates.names import Subject
from crypto.errors import CryptoError
from kernel.clock import BEIJING, Clock, SystemClock
from kernel.vault.identities import Identities, Service, identities_of
from portal.commands.options import Parsers, command, common, settings_of

_FAILED: Final = 1
_Options = Callable[[argparse.ArgumentParser], None]
_Step = Callable[[Identities, argparse.Namespace, Clock, Console], None]


def add(parsers: Parsers) -> None:
    found = command(
        parsers,
        "keys",
        "The keys of the platform's own services and their certificates; the keys are sealed and never leave.",
        "zhecai keys list",
        "zhecai keys request tsa --name 浙江政府采购时间戳 --out tsa.csr     # then have it issued, for example:",
        "zhecai ca issue time-stamping --name 浙江政府采购时间戳 --csr tsa.csr --out tsa.pem",
        "zhecai keys adopt tsa tsa.pem ca/issuing.pem",
        "zhecai keys trial --name 某市试用站 --host localhost",
    )
    what = found.add_subparsers(dest="what", required=True, metavar="WHAT")
    _step(what, "list", "show every service's certificate", _list, lambda _: None)
    _step(what, "request", "make a new key and write a request for its certificate", _request, _request_options)
    _step(what, "adopt", "take the certificate, with those above it", _adopt, _adopt_options)
    _step(
        what, "trial", "give every service a certificate of an authority made for the purpose", _trial, _trial_options
    )


def _step(what: Parsers, name: str, help_: str, step: _Step, options: _Options) -> None:
    one = what.add_parser(name, help=help_, description=help_)
    common(one)
    options(one)
    one.set_defaults(run=run, step=step)


def run(arguments: argparse.Namespace, clock: Clock | None = None) -> int:
    """Take one step; say in one sentence why it could not be taken."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        arguments.step(identities_of(settings_of(arguments)), arguments, clock or SystemClock(), console)
    except CryptoError as error:
        Console(stderr=True, highlight=False).print("[red]✗[/]", str(error))
        return _FAILED
    except OSError as error:
        Console(stderr=True, highlight=False).print("[red]✗[/]", f"{error.filename}: {error.strerror}")
        return _FAILED
    return 0


def _service(one: argparse.ArgumentParser) -> None:
    one.add_argument("service", type=Service, choices=list(Service), metavar="SERVICE", help=", ".join(Service))


def _request_options(one: argparse.ArgumentParser) -> None:
    _service(one)
    one.add_argument("--name", required=True, help="what the certificate is to be for; of tls the host")
    one.add_argument("--organisation", default="", help="whose service it is")
    one.add_argument("--credit-code", default="", help="its unified social credit code")
    one.add_argument("--out", type=Path, required=True, metavar="FILE", help="where to write the request")


def _adopt_options(one: argparse.ArgumentParser) -> None:
    _service(one)
    one.add_argument(
        "certificates", type=Path, nargs="+", metavar="FILE", help="the certificate, then those above it, as PEM"
    )


def _trial_options(one: argparse.ArgumentParser) -> None:
    one.add_argument("--name", default="浙采试用", help="for the certificates' names")
    one.add_argument("--host", action="append", metavar="HOST", help="a name of the web site (default: localhost)")


def _list(identities: Identities, _: argparse.Namespace, clock: Clock, console: Console) -> None:
    table = Table("service", "for", "issued by", "until", "serial number")
    for service in Service:
        found = identities.load(service)
        if found is None:
            table.add_row(service, "—", "", "", "")
            continue
        own = found.certificate
        until = f"{own.not_after.astimezone(BEIJING):%Y-%m-%d %H:%M}"
        shown = until if own.valid_at(clock.now()) else f"[red]{until}[/]"
        table.add_row(service, own.subject.common_name, own.issuer.common_name, shown, own.serial_hex)
    console.print(table)


def _request(identities: Identities, arguments: argparse.Namespace, _: Clock, console: Console) -> None:
    subject = Subject(arguments.name, arguments.organisation, arguments.credit_code)
    arguments.out.write_bytes(identities.request(arguments.service, subject))
    out = escape(str(arguments.out))
    console.print(f"[green]✓[/] {out}: have it issued, then `zhecai keys adopt {arguments.service} FILE…`")


def _adopt(identities: Identities, arguments: argparse.Namespace, _: Clock, console: Console) -> None:
    together = b"\n".join(file.read_bytes() for file in arguments.certificates)
    found = identities.adopt(arguments.service, together)
    console.print(f"[green]✓[/] {arguments.service} uses {found.certificate.serial_hex} from its next start")


def _trial(identities: Identities, arguments: argparse.Namespace, clock: Clock, console: Console) -> None:
    identities.make_trial(clock.now(), name=arguments.name, hosts=tuple(arguments.host or ["localhost"]))
    console.print(f"[green]✓[/] the root to trust is {identities.trial_root}")
