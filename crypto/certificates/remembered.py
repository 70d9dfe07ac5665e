"""
Validations that are remembered for a minute: whoever signs ten things in a row has one certificate.

Only what was found good is remembered, for one certificate and one use, and for as long as every certificate of the
path is valid. New revocation lists make it all forgotten. So a revocation takes effect with the list that names it, and
a list that runs out is noticed at most ``kept_for`` later.

Cost: a hash of the certificate instead of some 2 ms; see ``bench/receipts.py``.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from crypto import signatures
from crypto.certificates.certificate import Certificate
from crypto.certificates.validation import Trust, Use, Validated, validate
from crypto.signatures import PublicKey

KEPT_FOR: Final = timedelta(seconds=60)
COUNT_MAX: Final = 10_000


class Holder(NamedTuple):
    """A certificate that was found good, its key, and when it must be looked at again."""

    validated: Validated
    key: PublicKey
    until: datetime


class Validations:
    """Validates certificates under one trust, with the revocation lists of the moment."""

    def __init__(self, trust: Trust, *, kept_for: timedelta = KEPT_FOR, count_max: int = COUNT_MAX) -> None:
        self._trust: Final = trust
        self._kept_for: Final = kept_for
        self._count_max: Final = count_max
        self._lists: tuple[bytes, ...] = ()
        self._answers: tuple[bytes, ...] = ()
        self._known: dict[tuple[bytes, Use], Holder] = {}

    def renew(self, *, lists: Iterable[bytes] = (), answers: Iterable[bytes] = ()) -> None:
        """Take new revocation lists and OCSP answers in the place of the old, and forget what was found with those."""
        self._lists, self._answers = tuple(lists), tuple(answers)
        self._known = {}

    def validate(self, der: bytes, chain: Sequence[Certificate], *, use: Use, at: datetime) -> Holder:
        """
        Return the holder of a certificate that was good at ``at``, or a moment before with the same lists.

        Raises:
            CertificateRefusedError: It was not.
            NotVerifiedError: It is no certificate.
        """
        name = (hashlib.sha256(der).digest(), use)
        known = self._known.get(name)
        if known and known.validated.at <= at <= known.until:
            return known
        self._known.pop(name, None)
        found = validate(Certificate(der), chain, self._trust, at=at, use=use, lists=self._lists, answers=self._answers)
        until = min(at + self._kept_for, *(one.not_after for one in found.path))
        holder = Holder(found, signatures.load_public_key(found.certificate.spki), until)
        if len(self._known) >= self._count_max:
            del self._known[next(iter(self._known))]
        self._known[name] = holder
        return holder
