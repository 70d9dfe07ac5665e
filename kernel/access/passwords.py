"""Passwords as Argon2id hashes (RFC 9106), with the parameters inside the hash."""

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from kernel.problems import Unauthenticated

PASSWORD_LEN_MAX: Final = 256
"""Characters; more would only let a stranger buy time on our processor."""

_hasher: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)  # OWASP's second choice: 19 MiB
_UNKNOWN: Final = _hasher.hash(hashlib.sha256(b"nobody has this password").hexdigest())
THREADS: Final = 2
"""So many hashes are computed at once: each holds 19 MiB and a core."""
_threads: Final = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")


def hash_password(password: str) -> str:
    """Hash a password for storage. Cost: some 30 ms, meant."""
    return _hasher.hash(password)


async def verify_password(stored: str | None, password: str) -> None:
    """
    Check a password against its stored hash, off the event loop.

    With ``stored`` ``None`` (no such account) it takes the same time and fails the same way.

    Raises:
        Unauthenticated: they do not match.
    """
    good = await asyncio.get_running_loop().run_in_executor(_threads, _matches, stored or _UNKNOWN, password)
    if not good or stored is None:
        raise Unauthenticated(
            "账号或密码不正确。", "The account or the password is not right.", reason="wrong-credentials"
        )


def _matches(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
