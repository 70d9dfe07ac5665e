"""What asn1crypto must be told about SM2, and which algorithm of the registry an X.509 signature was made with."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from asn1crypto import algos, core, keys, x509

from crypto.errors import AlgorithmUnknownError, CryptoError, KeyUnusableError, NotVerifiedError

SM2_SIGNATURE: Final = "1.2.156.10197.1.501"
"""SM2 with SM3 (GM/T 0006-2012)."""
SM2_CURVE: Final = "1.2.156.10197.1.301"
_ML_DSA_65: Final = "2.16.840.1.101.3.4.3.18"
_PSS_SALT_BYTES: Final = 32


UNREADABLE: Final = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError)
"""
What asn1crypto raises about bytes that are not what they should be, or whose times no calendar has, or that nest
without an end; ``tests/crypto/certificates/test_broken.py`` looks for more.
"""


@contextmanager
def reading(refusal: CryptoError) -> Iterator[None]:
    """Raise ``refusal`` where what stands inside finds bytes that asn1crypto cannot read; our own bugs go through."""
    try:
        yield
    except UNREADABLE as error:
        raise refusal from error


def parsed(kind: type[Any], der: bytes) -> Any:
    """Parse ``der`` to its depth: asn1crypto is lazy, and nothing may fail later. For inside of :func:`reading`."""
    found = kind.load(der, strict=True)
    found.native  # noqa: B018 - this is what parses
    return found


def octets(bits: core.OctetBitString) -> bytes:
    """
    Read a signature; raises ``NotVerifiedError`` where it is not of whole octets.

    What counts the bits that are left over is not signed: unless it must be 0, one signed thing has several forms.
    """
    found: bytes = bits.native
    if bits.unused_bits:
        raise NotVerifiedError("the signature is not of whole octets")
    return found


def _teach() -> None:
    """Asn1crypto keeps its names in class attributes; without these an SM2 certificate cannot be read."""
    ids = algos.SignedDigestAlgorithmId
    for oid, name in ((SM2_SIGNATURE, "sm2_sm3"), (_ML_DSA_65, "mldsa65")):
        ids._map[oid] = name  # noqa: SLF001 - there is no public way
        ids._reverse_map = None  # noqa: SLF001
    keys.NamedCurve.register("sm2", SM2_CURVE, 32)


_teach()

_OIDS: Final = {
    "ecdsa-p256-sha256": "1.2.840.10045.4.3.2",
    "ecdsa-p384-sha384": "1.2.840.10045.4.3.3",
    "rsa-pkcs1v15-sha256": "1.2.840.113549.1.1.11",
    "ed25519": "1.3.101.112",
    "ml-dsa-65": _ML_DSA_65,
    "sm2-sm3": SM2_SIGNATURE,
}
_IDS: Final = {oid: algorithm for algorithm, oid in _OIDS.items()}
_WITH_NULL: Final = frozenset({"rsa-pkcs1v15-sha256"})  # RFC 4055, 5: parameters are NULL


def signature_algorithm(algorithm: str) -> algos.SignedDigestAlgorithm:
    """Write an algorithm of the registry as an AlgorithmIdentifier; raises ``AlgorithmUnknownError``."""
    if algorithm not in _OIDS:
        raise AlgorithmUnknownError(f"certificates are not signed with {algorithm!r}")
    fields: dict[str, object] = {"algorithm": _OIDS[algorithm]}
    if algorithm in _WITH_NULL:
        fields["parameters"] = core.Null()
    return algos.SignedDigestAlgorithm(fields)


def algorithm_id(identifier: algos.SignedDigestAlgorithm) -> str:
    """Name the registry's algorithm behind an AlgorithmIdentifier; raises ``AlgorithmUnknownError``."""
    oid = identifier["algorithm"].dotted
    if oid in _IDS:
        return _IDS[oid]
    if identifier["algorithm"].native == "rsassa_pss":
        parameters = identifier["parameters"]
        if (
            parameters["hash_algorithm"]["algorithm"].native == "sha256"
            and parameters["mask_gen_algorithm"]["parameters"]["algorithm"].native == "sha256"
            and parameters["salt_length"].native == _PSS_SALT_BYTES
        ):
            return "rsa-pss-sha256"
    raise AlgorithmUnknownError(f"the signature algorithm {oid} is not accepted")


def public_key_info(spki: bytes) -> keys.PublicKeyInfo:
    """Parse a SubjectPublicKeyInfo; raises ``KeyUnusableError``."""
    with reading(KeyUnusableError("not a public key in DER")):
        found: keys.PublicKeyInfo = parsed(keys.PublicKeyInfo, spki)
    return found


def certificate(der: bytes) -> x509.Certificate:
    """
    Parse a certificate to its depth; raises ``NotVerifiedError`` when it is not one.

    Its names must be such as can be compared (RFC 4518): private and unassigned characters are refused here, not where
    a path is looked for.
    """
    with reading(NotVerifiedError("not a certificate in DER")):
        found: x509.Certificate = parsed(x509.Certificate, der)
    with reading(NotVerifiedError("a name in the certificate has characters that no name may have")):
        found.subject.hashable, found.issuer.hashable  # noqa: B018 - prepared when they are asked for
    octets(found["signature_value"])
    return found
