"""``zhecai ca``: a small certificate authority for trials and closed networks."""

import argparse
import getpass
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from crypto import signatures
from crypto.certificates import keyfiles
from crypto.certificates.authority import Authority, Reason
from crypto.certificates.names import Subject
from crypto.certificates.profiles import Profile
from crypto.certificates.requests import read_request
from crypto.errors import CryptoError
from kernel.clock import BEIJING, Clock, SystemClock
from kernel.trust.folder import AuthorityFolder, Entry, FolderError, write_file
from kernel.trust.passphrase import Passphrase
from portal.commands.options import Parsers, command, common, settings_of
from registries.organisations.rules import is_credit_code

_KEYS: Final = {"p256": "ecdsa-p256-sha256", "rsa": "rsa-pkcs1v15-sha256", "sm2": "sm2-sm3"}
_PROFILES: Final = tuple(one.value for one in Profile if one not in (Profile.ROOT, Profile.ISSUING))
_FAILED: Final = 1

_Options = Callable[[argparse.ArgumentParser], None]
_Step = Callable[[AuthorityFolder, argparse.Namespace, Clock, Console], None]


def add(parsers: Parsers) -> None:
    found = command(
        parsers,
        "ca",
        "A small certificate authority for trials and closed networks. In production, trust licensed ones.",
        "zhecai ca init --dir ca --organisation 浙江省财政厅",
        "zhecai ca issue supplier --dir ca --name 张三 --organisation 杭州云桥科技有限公司 \\",
        "    --credit-code 91330106MA9901012G --csr request.pem --out zhang.pem",
        "zhecai ca issue officer --dir ca --name 李四 --organisation 浙江省财政厅 --p12 li.p12",
        "zhecai ca issue service --dir ca --name zc.example.cn --dns zc.example.cn --csr tls.csr --out tls.pem",
        "zhecai ca renew 4F2A… --dir ca --out zhang-2027.pem",
        "zhecai ca revoke 4F2A… --dir ca --reason key_compromise",
        "zhecai ca crl --dir ca",
        "zhecai ca list --dir ca",
    )
    what = found.add_subparsers(dest="what", required=True, metavar="WHAT")
    _step(what, "init", "make root and issuing authority, with new keys", _init, _init_options)
    _step(what, "issue", "issue a certificate, for a request or with a new key as PKCS#12", _issue, _issue_options)
    _step(what, "renew", "issue it again with a new validity, for the same key or another", _renew, _renew_options)
    _step(what, "revoke", "revoke a certificate, and write the list anew", _revoke, _revoke_options)
    _step(what, "crl", "write the revocation lists anew, at least every seven days", _crl, _no_options)
    _step(what, "list", "show every certificate issued", _list, _list_options)


def _step(
    what: Parsers, name: str, help_: str, step: _Step, options: Callable[[argparse.ArgumentParser], None]
) -> None:
    one = what.add_parser(name, help=help_, description=help_)
    common(one)
    one.add_argument("--dir", type=Path, metavar="DIR", help="its folder (default: ca in the data directory)")
    one.add_argument(
        "--passphrase-file",
        type=Path,
        metavar="FILE",
        help="the keys' passphrase; else the service's, or asked for",
    )
    options(one)
    one.set_defaults(run=run, step=step)


def run(arguments: argparse.Namespace, clock: Clock | None = None) -> int:
    """Take one step; say in one sentence why it could not be taken."""
    folder = AuthorityFolder(arguments.dir or settings_of(arguments).data_dir / "ca")
    try:
        arguments.step(folder, arguments, clock or SystemClock(), Console(highlight=False, soft_wrap=True))
    except (FolderError, CryptoError) as error:
        Console(stderr=True, highlight=False).print("[red]✗[/]", str(error), markup=True)
        return _FAILED
    except OSError as error:
        Console(stderr=True, highlight=False).print("[red]✗[/]", f"{error.filename}: {error.strerror}")
        return _FAILED
    return 0


def _no_options(_: argparse.ArgumentParser) -> None:
    pass


def _init_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--organisation", required=True, help="who runs the authority")
    parser.add_argument("--name", default="浙采试用", help="how its certificates are called (default 浙采试用)")
    parser.add_argument("--key", choices=tuple(_KEYS), default="p256", help="kind of its keys (default p256)")


def _whose(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--csr", type=Path, metavar="FILE", help="a certification request (PKCS#10)")
    source.add_argument("--p12", type=Path, metavar="FILE", help="make a new key; write both here")
    parser.add_argument("--p12-passphrase-file", type=Path, metavar="FILE", help="passphrase of the PKCS#12 file")
    parser.add_argument("--key", choices=("p256", "rsa"), default="p256", help="kind of the new key (default p256)")
    parser.add_argument("--days", type=int, help="how long it is valid (default 365)")
    parser.add_argument("--crl-url", default="", help="where others find the revocation list")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the certificate here (default: print it)")


def _issue_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("profile", choices=_PROFILES)
    parser.add_argument("--name", required=True, help="the person, the post or the host")
    parser.add_argument("--organisation", default="")
    parser.add_argument("--credit-code", default="", help="unified social credit code of the organisation")
    parser.add_argument("--dns", action="append", default=[], metavar="NAME", help="host name of a service; may repeat")
    _whose(parser)


def _renew_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("serial", help="serial number, as `zhecai ca list` shows it")
    _whose(parser)


def _revoke_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("serial", help="serial number, as `zhecai ca list` shows it")
    parser.add_argument("--reason", choices=tuple(one.value for one in Reason), default=Reason.UNSPECIFIED.value)


def _list_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the list as JSON")


def _init(folder: AuthorityFolder, arguments: argparse.Namespace, clock: Clock, console: Console) -> None:
    passphrase = _passphrase(arguments.passphrase_file, "New passphrase of the authority's keys: ", new=True)
    folder.create(
        organisation=arguments.organisation,
        name=arguments.name,
        passphrase=passphrase,
        at=clock.now(),
        algorithm=_KEYS[arguments.key],
    )
    console.print(f"[green]✓[/] root and issuing authority in {folder.path}")
    console.print("  Give root.pem to whoever is to trust it. Keep root.key elsewhere: issuing does not need it.")


def _issue(folder: AuthorityFolder, arguments: argparse.Namespace, clock: Clock, console: Console) -> None:
    if arguments.credit_code and not is_credit_code(arguments.credit_code):
        raise FolderError(f"{arguments.credit_code!r} is not a unified social credit code: check its 18 characters")
    if arguments.dns and arguments.profile != Profile.SERVICE:
        raise FolderError("--dns is for the certificate of a service")
    if not arguments.csr and not arguments.p12:
        raise FolderError("say for which key: --csr FILE for a request, or --p12 FILE for a new one")
    subject = Subject(arguments.name, arguments.organisation, arguments.credit_code)
    authority = folder.open(_authority_passphrase(arguments))
    profile = Profile(arguments.profile)
    _hand_over(
        folder, authority, arguments, clock.now(), console, _Wanted(profile, subject, tuple(arguments.dns), None)
    )


def _renew(folder: AuthorityFolder, arguments: argparse.Namespace, clock: Clock, console: Console) -> None:
    old = folder.entry(arguments.serial)
    if old.revoked_at is not None:
        raise FolderError("a revoked certificate is not renewed; issue a new one")
    alternatives = old.certificate.parsed.subject_alt_name_value
    dns_names = tuple(one.native for one in alternatives) if alternatives is not None else ()
    authority = folder.open(_authority_passphrase(arguments))
    wanted = _Wanted(old.profile, old.certificate.subject, dns_names, old.certificate.spki)
    _hand_over(folder, authority, arguments, clock.now(), console, wanted)


class _Wanted(NamedTuple):
    """What is to be issued; ``spki`` is the key it had, when it is renewed."""

    profile: Profile
    subject: Subject
    dns_names: tuple[str, ...]
    spki: bytes | None


def _hand_over(
    folder: AuthorityFolder,
    authority: Authority,
    arguments: argparse.Namespace,
    at: datetime,
    console: Console,
    wanted: _Wanted,
) -> None:
    """Issue the certificate for the request, the new key, or the key it had; then write where it was asked for."""
    key, passphrase, spki, subject = None, "", wanted.spki, wanted.subject
    if arguments.csr:
        spki = read_request(arguments.csr.read_bytes(), at=at).spki
    elif arguments.p12:
        key = signatures.generate(_KEYS[arguments.key])
        spki = signatures.public_bytes(key.public_key())
        passphrase = _passphrase(arguments.p12_passphrase_file, f"New passphrase of {arguments.p12}: ", new=True)
    assert spki is not None
    made = folder.issue(
        authority,
        wanted.profile,
        subject,
        spki,
        at=at,
        days=arguments.days,
        dns_names=wanted.dns_names,
        crl_url=arguments.crl_url,
    )
    if key is not None:
        chain = [folder.certificate("issuing").der, folder.certificate("root").der]
        data = keyfiles.pkcs12_file(key, made.der, chain, name=subject.common_name, passphrase=passphrase)
        write_file(arguments.p12, data, mode=0o600)
    if arguments.out:
        write_file(arguments.out, made.pem())
    elif not arguments.p12:
        print(made.pem().decode(), end="")  # noqa: T201 - the command's output
        return
    where = arguments.out or arguments.p12
    whom = escape(subject.common_name)
    console.print(f"[green]✓[/] {made.serial_hex} for {whom}, until {_day(made.not_after)}: {where}")


def _revoke(folder: AuthorityFolder, arguments: argparse.Namespace, clock: Clock, console: Console) -> None:
    authority = folder.open(_authority_passphrase(arguments))
    entry = folder.revoke(arguments.serial, Reason(arguments.reason), at=clock.now())
    folder.write_list(authority, at=clock.now())
    console.print(f"[green]✓[/] {entry.certificate.serial_hex} is revoked; publish {folder.path / 'issuing.crl'}")


def _crl(folder: AuthorityFolder, arguments: argparse.Namespace, clock: Clock, console: Console) -> None:
    passphrase = _authority_passphrase(arguments)
    folder.write_list(folder.open(passphrase), at=clock.now())
    console.print(f"[green]✓[/] {folder.path / 'issuing.crl'}, good for 7 days")
    if (folder.path / "root.key").is_file():
        folder.write_root_list(folder.open(passphrase, "root"), at=clock.now())
        console.print(f"[green]✓[/] {folder.path / 'root.crl'}, good for 180 days")
    else:
        console.print("  The root's key is not here; its list stays as it is. It must be written within 180 days.")


def _list(folder: AuthorityFolder, arguments: argparse.Namespace, clock: Clock, console: Console) -> None:
    folder.certificate()
    entries = folder.entries()
    if arguments.json:
        rows = [_row(entry, clock.now()) for entry in entries.values()]
        print(msgspec.json.encode(rows).decode())  # noqa: T201 - the command's output
        return
    table = Table("serial", "kind", "for", "organisation", "until", "state")
    for entry in entries.values():
        row = _row(entry, clock.now())
        until = _day(entry.certificate.not_after)
        table.add_row(row["serial"], row["profile"], row["name"], row["organisation"], until, row["state"])
    console.print(table)


def _row(entry: Entry, at: datetime) -> dict[str, str]:
    certificate = entry.certificate
    state = "revoked" if entry.revoked_at else "valid" if certificate.valid_at(at) else "expired"
    return {
        "serial": certificate.serial_hex,
        "profile": entry.profile.value,
        "name": certificate.subject.common_name,
        "organisation": certificate.subject.organisation,
        "credit_code": certificate.subject.credit_code,
        "not_after": certificate.not_after.isoformat(),
        "state": state,
    }


def _authority_passphrase(arguments: argparse.Namespace) -> str:
    """Give the passphrase: of the site's own authority the one that the service uses, unless a file is named."""
    if arguments.dir is None and arguments.passphrase_file is None:
        kept = Passphrase(settings_of(arguments)).find()
        if kept is not None:
            return kept
    return _passphrase(arguments.passphrase_file, "Passphrase of the authority's keys: ", new=False)


def _passphrase(file: Path | None, prompt: str, *, new: bool) -> str:
    """Read a passphrase from a file's first line, or ask for it; a new one twice."""
    if file is not None:
        lines = file.read_text("utf-8").splitlines()
        return lines[0] if lines else ""
    if not sys.stdin.isatty():
        raise FolderError("there is nobody to ask for the passphrase; name a file with it")
    given = getpass.getpass(prompt)
    if new and getpass.getpass("Again: ") != given:
        raise FolderError("the two passphrases differ")
    return given


def _day(at: datetime) -> str:
    return at.astimezone(BEIJING).date().isoformat()
