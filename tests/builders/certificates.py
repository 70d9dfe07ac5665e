"""A small public key infrastructure: root, issuing authority, one supplier, and their revocation lists."""

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from crypto import signatures, sm2
from crypto.certificates.authority import Authority, new_root
from crypto.certificates.certificate import Certificate
from crypto.certificates.names import Subject
from crypto.certificates.profiles import Profile
from crypto.certificates.validation import Trust, Use, Validated, validate
from crypto.signatures import PrivateKey

MADE_AT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
DAY = timedelta(days=1)
CREDIT_CODE = "91330106MA9901012G"
NEEDS_SM2 = pytest.mark.skipif(sm2.unavailable() is not None, reason=str(sm2.unavailable()))
KEY_KINDS = ("ecdsa-p256-sha256", "rsa-pkcs1v15-sha256", pytest.param("sm2-sm3", marks=NEEDS_SM2))


@functools.cache
def a_key(algorithm: str = "ecdsa-p256-sha256", number: int = 0) -> PrivateKey:
    """A key; the same for the same arguments, because RSA keys take a second to make."""
    assert number >= 0
    return signatures.generate(algorithm)


def spki_of(key: PrivateKey) -> bytes:
    return signatures.public_bytes(key.public_key())


@dataclass(frozen=True)
class Pki:
    root: Authority
    issuing: Authority
    key: PrivateKey
    certificate: Certificate
    at: datetime = MADE_AT

    @property
    def trust(self) -> Trust:
        return Trust((self.root.certificate,), (self.issuing.certificate,))

    @property
    def lists(self) -> list[bytes]:
        """Both lists, nothing revoked, written when everything was made."""
        return [authority.revocation_list([], number=1, at=self.at) for authority in (self.root, self.issuing)]

    def validated(self, **changes: object) -> Validated:
        """Validate the supplier's certificate a day after it was made, unless ``changes`` say otherwise."""
        arguments = {
            "certificate": self.certificate,
            "chain": [],
            "trust": self.trust,
            "at": self.at + DAY,
            "use": Use.SIGNING,
            "lists": self.lists,
        } | changes
        return validate(**arguments)  # type: ignore[arg-type]


def a_pki(
    algorithm: str = "ecdsa-p256-sha256",
    *,
    profile: Profile = Profile.SUPPLIER,
    at: datetime = MADE_AT,
    **changes: object,
) -> Pki:
    """Make one at ``at``; ``changes`` go to the issuing of the end entity's certificate."""
    root = new_root(Subject("浙采试用根证书", "浙江省财政厅"), a_key(algorithm, 1), at=at)
    issuing_key = a_key(algorithm, 2)
    named = Subject("浙采试用签发机构", "浙江省财政厅")
    issuing = Authority(root.issue(Profile.ISSUING, named, spki_of(issuing_key), at=at), issuing_key)
    key = a_key(algorithm, 3)
    subject = Subject("张三", "杭州云桥科技有限公司", CREDIT_CODE)
    issued = issuing.issue(profile, subject, spki_of(key), at=at, **changes)  # type: ignore[arg-type]
    return Pki(root, issuing, key, issued, at)
