"""``zhecai bench trust``: receipts, log appends and logins a second against their bare primitives."""

import asyncio
from pathlib import Path
from typing import Any, Final

from bench.logins import (
    ACCOUNTS,
    accounts_up,
    bare_certificate_s,
    bare_passwords_per_s,
    by_certificate,
    by_password,
    logins,
)
from bench.logins import check as check_logins
from bench.options import Measured, Options, Tell
from bench.primitives import primitives
from bench.receipts import BATCH, BEFORE, SIGNERS, House, appends, bare_append_s, bare_receipt_s, receipts
from bench.receipts import check as check_receipts
from bench.result import at_least, figure
from kernel.access.assurance import Assurance
from kernel.access.passwords import THREADS

TITLE: Final = "可信凭证 · trust"
RATIO_BAR: Final = 0.3
LEAVES_OUT: Final = (
    "of receipts and appends the database, the network and the disk: what is measured is one core's work",
    "witnesses: they sign once a checkpoint, in processes of their own",
    "of logins HTTP, and the limit of attempts from one address: each comes from its own",
)
_MEASURED: Final = {
    "receipts": "receipts/s, one core",
    "appends": "log appends/s, one core",
    "certificate_logins": "logins by certificate/s",
    "password_logins": "logins by password/s",
}


async def run(options: Options, directory: Path, tell: Tell) -> Measured:
    """Measure; each round has the primitives and the product, one after the other, in one process."""
    house = House()
    rounds: list[dict[str, Any]] = []
    failures: list[str] = []
    checked = found_again = 0
    async with accounts_up(directory) as (kernel, accounts):
        for number in range(options.rounds):
            primitive = await asyncio.to_thread(primitives, options.seconds / 8)
            appended = await asyncio.to_thread(appends, house, options.seconds / 4)
            made, found, cold = await asyncio.to_thread(receipts, house, options.seconds)
            checked += check_receipts(house, found, failures)
            signed = await logins(kernel, accounts, by_certificate, options.seconds)
            found_again += await check_logins(kernel, signed.opened, Assurance.CERTIFICATE, failures)
            bare_passwords = await asyncio.to_thread(bare_passwords_per_s, options.seconds / 2)
            typed = await logins(kernel, accounts, by_password, options.seconds)
            found_again += await check_logins(kernel, typed.opened, Assurance.PASSWORD, failures)
            bare_receipts = 1 / bare_receipt_s(primitive, receipts_of_a_signer=len(found) / SIGNERS)
            rounds.append(
                {
                    "primitives_us": {name: round(value * 1e6, 2) for name, value in primitive.items()},
                    "appends_per_s": round(appended),
                    "appends_bare_per_s": round(1 / bare_append_s(primitive)),
                    "receipts_per_s": round(made, 1),
                    "receipts_bare_per_s": round(bare_receipts, 1),
                    "chain_first_seen_per_s": round(cold, 1),
                    "certificate_logins_per_s": round(signed.per_s, 1),
                    "certificate_logins_bare_per_s": round(1 / bare_certificate_s(primitive), 1),
                    "password_logins_per_s": round(typed.per_s, 1),
                    "password_logins_bare_per_s": round(bare_passwords, 1),
                }
            )
            tell(
                f"round {number + 1}: {appended:,.0f} appends/s, {made:,.0f} receipts/s (bare {bare_receipts:,.0f}), "
                f"{signed.per_s:,.0f} logins/s by certificate, {typed.per_s:,.0f} by password"
            )

    def both(name: str) -> tuple[list[float], list[float]]:
        return [each[f"{name}_per_s"] for each in rounds], [each[f"{name}_bare_per_s"] for each in rounds]

    bars = (
        at_least(_MEASURED["receipts"], *both("receipts"), RATIO_BAR, "1/s"),
        *(figure(metric, *both(name), "1/s") for name, metric in _MEASURED.items() if name != "receipts"),
    )
    checks = {
        "receipts": {"ok": checked > 0, "checked": checked},
        "logins": {"ok": found_again > 0, "checked": found_again},
        "failures": failures,
    }
    return Measured(_load(options), LEAVES_OUT, tuple(rounds), checks, bars)


def _load(options: Options) -> dict[str, Any]:
    return {
        "words": "A receipt: the certificate's chain with revocation, the P-256 signature over the document, a leaf in "
        f"the log, its inclusion proof under a checkpoint that {BATCH} share, the signed statement, and an RFC 3161 "
        "time stamp of it. An append: the leaf's hash and its part of the tree, a signed checkpoint for each 256. "
        "A login by certificate: a challenge, its signature, the chain with a list written for it, the register, a "
        "session. A login by password: the account, Argon2id, a session. Both with PostgreSQL (fsync) and Valkey.",
        "baseline": "the primitives of cryptography and hashlib that this needs, each timed alone in the same run and "
        "added up: P-256 verifications of the document and, where a certificate is seen for the first time, of its "
        "chain and lists; P-256 and Ed25519 signatures; SHA-256. Of a login by certificate the signature, its "
        "verification and those of chain and lists, each time. Of a login by password Argon2id alone, with the same "
        f"parameters, in {THREADS} threads as in the service",
        "signers": SIGNERS,
        "accounts": ACCOUNTS,
        "chains": "each signer's chain is validated when it is first seen and remembered for a minute; "
        "chain_first_seen_per_s is without that",
        "log_size": BEFORE,
        "batch": BATCH,
        "rounds": options.rounds,
        "seconds_a_phase": options.seconds,
    }
