"""Logins: through the service's own code on a real database, and the primitives that they cannot do without."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple

from argon2.low_level import Type, verify_secret

from bench.primitives import CHAIN_VERIFICATIONS
from bench.seeds import PASSWORD, Seeds
from crypto import signatures
from crypto.certificates.names import Subject
from crypto.certificates.requests import make_request
from crypto.signatures import PrivateKey
from kernel.access.assurance import Assurance
from kernel.access.passwords import THREADS, hash_password
from kernel.commit.by import By
from kernel.ids import uuid7
from kernel.log import configure_logging
from kernel.runtime import Kernel
from kernel.settings import load_settings
from portal.server import kernel_up
from registries.certificates import service as certificates
from registries.challenges import service as challenges
from registries.challenges.rules import Purpose
from registries.organisations.rules import Kind
from registries.users import service as users
from registries.users.service import Opened

ACCOUNTS: Final = 16
"""Each logs in again as soon as it is logged in."""
_ALGORITHM: Final = "ecdsa-p256-sha256"
_SITE: Final = "https://bench.example"


class Account(NamedTuple):
    """Somebody with a password and with a certificate of the site's own authority (DER)."""

    login: str
    key: PrivateKey
    certificate: bytes


Login = Callable[[Kernel, Account, str], Awaitable[Opened]]
"""Logs an account in from an address."""


@asynccontextmanager
async def accounts_up(directory: Path) -> AsyncIterator[tuple[Kernel, list[Account]]]:
    """Open a kernel on engines of its own in ``directory``, and accounts in it."""
    configure_logging("error", "json")
    async with kernel_up(load_settings({}, None, {"data_dir": str(directory)})) as kernel:
        await kernel.trust.create_trial()
        seeds = Seeds(kernel)
        yield kernel, [await _account(kernel, seeds) for _ in range(ACCOUNTS)]


async def _account(kernel: Kernel, seeds: Seeds) -> Account:
    actor, _ = await seeds.party(Kind.SUPPLIER)
    key, said = signatures.generate(_ALGORITHM), await certificates.particulars_of(kernel, actor)
    request = make_request(Subject(said.name, said.organisation_name, said.credit_code), key)
    by = By(actor, "bench", kernel.clock.now())
    made = await certificates.enrol(kernel, by, request, replaces=None)
    return Account(actor.login, key, certificates.der_of(made))


async def by_certificate(kernel: Kernel, account: Account, origin: str) -> Opened:
    """Ask for a challenge, sign it as the holder does, and log in with it."""
    binding = challenges.binding_of(account.login)
    asked = await challenges.challenge(
        kernel,
        purpose=Purpose.LOGIN,
        site=_SITE,
        binding=binding,
        about="",
        at=kernel.clock.now(),
        origin=origin,
    )
    signature = signatures.sign(_ALGORITHM, account.key, asked.message(_ALGORITHM))
    proof = challenges.Proof(asked.nonce, _ALGORITHM, signature, account.certificate)
    at = kernel.clock.now()
    return await challenges.log_in(kernel, proof, site=_SITE, binding=binding, at=at, origin=origin, user_agent="bench")


async def by_password(kernel: Kernel, account: Account, origin: str) -> Opened:
    """Log in with the password."""
    return await users.log_in(kernel, login=account.login, password=PASSWORD, origin=origin, user_agent="bench")


class Logins(NamedTuple):
    """Logins a second, and the sessions that they opened, each beside whose it must be."""

    per_s: float
    opened: list[tuple[Account, Opened]]


async def logins(kernel: Kernel, accounts: list[Account], log_in: Login, seconds: float) -> Logins:
    """Have every account log in again and again, each time from an address of its own: limits are not what is asked."""
    opened: list[tuple[Account, Opened]] = []
    began = perf_counter()

    async def again(account: Account) -> None:
        while perf_counter() - began < seconds:
            opened.append((account, await log_in(kernel, account, f"bench/{uuid7(kernel.clock.now())}")))

    await asyncio.gather(*(again(account) for account in accounts))
    return Logins(len(opened) / (perf_counter() - began), opened)


async def check(kernel: Kernel, found: list[tuple[Account, Opened]], level: Assurance, failures: list[str]) -> int:
    """Find a sample of the sessions again, as the next request of each would."""
    sample = found[:: max(1, len(found) // 100)]
    for account, opened in sample:
        session = await kernel.sessions.find(opened.token)
        if session is None or session.actor.login != account.login or session.level is not level:
            failures.append(f"the session of {account.login} is not what was logged in")
    return len(sample)


def bare_certificate_s(primitive: dict[str, float]) -> float:
    """Add up one signature, its verification, and those of the chain with its lists."""
    return primitive["p256_sign"] + (1 + CHAIN_VERIFICATIONS) * primitive["p256_verify"]


def bare_passwords_per_s(seconds: float) -> float:
    """Verify an Argon2id hash of ours with nothing around it, in as many threads as the service has for it."""
    stored, password = hash_password(PASSWORD).encode(), PASSWORD.encode()
    began = perf_counter()

    def again(_: int) -> int:
        done = 0
        while perf_counter() - began < seconds:
            verify_secret(stored, password, Type.ID)
            done += 1
        return done

    with ThreadPoolExecutor(THREADS) as threads:
        done = sum(threads.map(again, range(THREADS)))
    return done / (perf_counter() - began)
