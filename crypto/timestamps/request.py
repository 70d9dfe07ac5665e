"""What is stamped, and the request for a stamp (RFC 3161 section 2.4.1)."""

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Final

from cryptography.hazmat.primitives import hashes

from crypto import der, suites
from crypto.der import DerError, Reader
from crypto.errors import CryptoError

REQUEST_BYTES_MAX: Final = 4096
"""A request with a SHA-512 imprint, a nonce and a policy has some 120 bytes."""
NONCE_BITS_MAX: Final = 160


class ImprintHash(Enum):
    """The functions that an imprint may be made with: id in the registry of algorithms, object identifier."""

    SHA256 = ("sha-256", "2.16.840.1.101.3.4.2.1", hashes.SHA256())
    SHA384 = ("sha-384", "2.16.840.1.101.3.4.2.2", hashes.SHA384())
    SHA512 = ("sha-512", "2.16.840.1.101.3.4.2.3", hashes.SHA512())
    SM3 = ("sm3", "1.2.156.10197.1.401", hashes.SM3())

    def __init__(self, id: str, dotted: str, algorithm: hashes.HashAlgorithm) -> None:
        self.id: Final = id
        self.dotted: Final = dotted
        self.algorithm: Final = algorithm
        self.length: Final = algorithm.digest_size

    def digest(self, data: bytes) -> bytes:
        return suites.digest(self.id, data)


HASHES: Final = {found.dotted: found for found in ImprintHash}


class Failure(IntEnum):
    """Why an authority does not stamp: the bit of PKIFailureInfo (RFC 3161 section 2.4.2)."""

    BAD_ALGORITHM = 0
    BAD_REQUEST = 2
    BAD_FORMAT = 5
    TIME_NOT_AVAILABLE = 14
    UNACCEPTED_POLICY = 15
    UNACCEPTED_EXTENSION = 16
    ADDITIONAL_INFORMATION_NOT_AVAILABLE = 17
    SYSTEM_FAILURE = 25


class StampRefused(CryptoError):
    """The authority does not stamp: ``failure`` says why, the message is for the operator's eyes."""

    def __init__(self, failure: Failure | None, text: str) -> None:
        super().__init__(text)
        self.failure: Final = failure


@dataclass(frozen=True, slots=True)
class Imprint:
    """
    The hash of what is stamped; the authority never sees the thing itself.

    ``null`` says whether the hash's absent parameters were written as a null: a token repeats the very bytes of the
    request, and some clients compare them.
    """

    hash: ImprintHash
    digest: bytes
    null: bool = field(default=True, compare=False)

    def __post_init__(self) -> None:
        assert len(self.digest) == self.hash.length

    def encode(self) -> bytes:
        algorithm = der.sequence(der.oid(self.hash.dotted), der.tlv(der.NULL) if self.null else b"")
        return der.sequence(algorithm, der.tlv(der.OCTETS, self.digest))


def imprint_of(data: bytes, hash_: ImprintHash = ImprintHash.SHA256) -> Imprint:
    return Imprint(hash_, hash_.digest(data))


@dataclass(frozen=True, slots=True)
class StampRequest:
    """
    A request for a stamp.

    ``nonce``, drawn anew for each request, ties the answer to it. ``certificates`` asks for the authority's
    certificate inside the token, which whoever checks it later will need.
    """

    imprint: Imprint
    nonce: int | None = None
    policy: str | None = None
    certificates: bool = True

    def encode(self) -> bytes:
        assert self.nonce is None or 0 <= self.nonce < 1 << NONCE_BITS_MAX
        return der.sequence(
            der.integer(1),
            self.imprint.encode(),
            der.oid(self.policy) if self.policy is not None else b"",
            der.integer(self.nonce) if self.nonce is not None else b"",
            der.boolean(True) if self.certificates else b"",  # noqa: FBT003 - the value; false is the default
        )


def read_request(data: bytes) -> StampRequest:
    """
    Read a request.

    Raises:
        StampRefused: it is not one, or asks for what is not known.
    """
    if len(data) > REQUEST_BYTES_MAX:
        raise StampRefused(Failure.BAD_FORMAT, f"the request has more than {REQUEST_BYTES_MAX} bytes")
    try:
        return _request(der.read(data))
    except DerError as error:
        raise StampRefused(Failure.BAD_FORMAT, f"not a time stamp request: {error}") from error


def _request(reader: Reader) -> StampRequest:
    if reader.integer() != 1:
        raise StampRefused(Failure.BAD_REQUEST, "the version of the request is not 1")
    imprint = read_imprint(reader)
    policy = reader.oid() if reader.next_is(der.OID) else None
    nonce = reader.integer() if reader.next_is(der.INTEGER) else None
    if nonce is not None and not 0 <= nonce < 1 << NONCE_BITS_MAX:
        raise StampRefused(Failure.BAD_REQUEST, f"the nonce is negative or has more than {NONCE_BITS_MAX} bits")
    certificates = reader.boolean() if reader.next_is(der.BOOLEAN) else False
    if reader.next_is(der.context(0)):
        raise StampRefused(Failure.UNACCEPTED_EXTENSION, "extensions are not supported")
    reader.end()
    return StampRequest(imprint, nonce, policy, certificates)


def read_imprint(reader: Reader) -> Imprint:
    """
    Read an imprint; parameters of the hash may be absent or null (RFC 5754 section 2).

    Raises:
        DerError: it is none.
        StampRefused: the hash is not one of ours, or the digest has another length.
    """
    inner = reader.inner(der.SEQUENCE)
    algorithm = inner.inner(der.SEQUENCE)
    dotted = algorithm.oid()
    null = algorithm.more()
    if null and algorithm.take(der.NULL):
        raise DerError("a null has content")
    algorithm.end()
    digest = inner.take(der.OCTETS)
    inner.end()
    hash_ = HASHES.get(dotted)
    if hash_ is None:
        raise StampRefused(Failure.BAD_ALGORITHM, f"the hash {dotted} is not accepted")
    if len(digest) != hash_.length:
        raise StampRefused(Failure.BAD_FORMAT, f"a {hash_.id} digest has {hash_.length} bytes, not {len(digest)}")
    return Imprint(hash_, digest, null)
