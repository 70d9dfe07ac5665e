"""The bare primitives that baselines are added up from, each timed alone."""

import hashlib
from collections.abc import Callable
from time import perf_counter
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

CHAIN_VERIFICATIONS: Final = 4
"""P-256 verifications of a chain that is seen for the first time: two certificates, two revocation lists."""
_DIGEST: Final = ec.ECDSA(hashes.SHA256())
_CALLS: Final = 16


def per_call_s(work: Callable[[], object], seconds: float) -> float:
    """Give the seconds a call, over so many calls as fit."""
    calls, began = 0, perf_counter()
    while (took := perf_counter() - began) < seconds:
        for _ in range(_CALLS):
            work()
        calls += _CALLS
    return took / calls


def primitives(seconds: float) -> dict[str, float]:
    """Give the seconds a call of each primitive of ``cryptography`` and ``hashlib``, measured for ``seconds`` each."""
    key, ed = ec.generate_private_key(ec.SECP256R1()), Ed25519PrivateKey.generate()
    public, message, node = key.public_key(), b"x" * 512, b"\x01" + bytes(64)
    signature = key.sign(message, _DIGEST)
    return {
        "p256_verify": per_call_s(lambda: public.verify(signature, message, _DIGEST), seconds),
        "p256_sign": per_call_s(lambda: key.sign(message, _DIGEST), seconds),
        "ed25519_sign": per_call_s(lambda: ed.sign(message), seconds),
        "sha256": per_call_s(lambda: hashlib.sha256(node).digest(), seconds),
    }
