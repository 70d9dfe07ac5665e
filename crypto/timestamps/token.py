"""
A time stamp token taken apart: CMS SignedData (RFC 5652) around a TSTInfo (RFC 3161 section 2.4.2).

Reading says what a token claims. Whether it is true says :mod:`crypto.timestamps.verify`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from crypto import der
from crypto.der import DerError, Reader
from crypto.errors import NotVerifiedError
from crypto.timestamps import oids
from crypto.timestamps.request import HASHES, Imprint, ImprintHash, StampRefused, read_imprint

TOKEN_BYTES_MAX: Final = 64 * 1024
"""A token with a chain of three RSA certificates has some 6 KiB."""
CERTIFICATES_MAX: Final = 8

_DIRECTORY_NAME: Final = der.context(4)


class BadToken(NotVerifiedError):
    """The token is malformed, or not what was asked for, or not to be trusted; the message says which."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a token says: that ``imprint`` existed at ``at``, give or take ``accuracy``."""

    imprint: Imprint
    at: datetime
    accuracy: timedelta | None
    serial: int
    policy: str
    nonce: int | None
    authority: bytes | None
    """The name that the authority gives itself, as DER (``x509.Name.from_bytes`` reads it)."""


@dataclass(frozen=True, slots=True)
class Signer:
    """The one signature of a token, with what it covers."""

    issuer: bytes
    """Name of who issued the signer's certificate, as DER."""
    serial: int
    digest: ImprintHash
    attributes: bytes
    """The signed attributes as they were signed: a SET OF."""
    message_digest: bytes
    certificate_hash: ImprintHash
    certificate_digest: bytes
    algorithm: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class Token:
    """A token's parts."""

    content: bytes
    """The TSTInfo as DER: what the message digest is over."""
    stamp: Stamp
    signer: Signer
    certificates: tuple[bytes, ...]
    """As DER, in no order, and worth nothing until one is the signer's and leads to somebody trusted."""


def read_token(data: bytes) -> Token:
    """
    Take a token apart.

    Raises:
        BadToken: it is not one.
    """
    if len(data) > TOKEN_BYTES_MAX:
        raise BadToken(f"the token has more than {TOKEN_BYTES_MAX} bytes")
    try:
        return _token(data)
    except DerError as error:
        raise BadToken(f"not a time stamp token: {error}") from error
    except StampRefused as error:
        raise BadToken(str(error)) from error


def _token(data: bytes) -> Token:
    outer = der.read(data)
    if outer.oid() != oids.SIGNED_DATA:
        raise DerError("the content is not signed data")
    explicit = outer.inner(der.context(0))
    outer.end()
    signed = explicit.inner(der.SEQUENCE)
    explicit.end()
    if signed.integer() != 3:  # noqa: PLR2004 - RFC 5652 section 5.1: the content is not plain data
        raise DerError("the version of the signed data is not 3")
    signed.take(der.SET)  # digest algorithms: a hint for streaming
    content = _content(signed.inner(der.SEQUENCE))
    certificates = _certificates(signed.optional(der.context(0)))
    signed.optional(der.context(1))  # revocation lists: trust comes from our own
    signers = signed.inner(der.SET)
    signed.end()
    signer = _signer(signers.inner(der.SEQUENCE))
    signers.end()
    return Token(content, _stamp(der.read(content)), signer, certificates)


def _content(reader: Reader) -> bytes:
    if reader.oid() != oids.TST_INFO:
        raise DerError("the signed content is not a TSTInfo")
    explicit = reader.inner(der.context(0))
    reader.end()
    content = explicit.take(der.OCTETS)
    explicit.end()
    return content


def _certificates(content: bytes | None) -> tuple[bytes, ...]:
    found: list[bytes] = []
    reader = Reader(content or b"")
    while reader.more():
        tag, whole = reader.any()
        if tag == der.SEQUENCE:  # else an attribute certificate, which nobody needs
            found.append(whole)
        if len(found) > CERTIFICATES_MAX:
            raise DerError(f"more than {CERTIFICATES_MAX} certificates")
    return tuple(found)


def _stamp(reader: Reader) -> Stamp:
    if reader.integer() != 1:
        raise DerError("the version of the TSTInfo is not 1")
    policy = reader.oid()
    imprint = read_imprint(reader)
    serial = reader.integer()
    at = reader.generalized_time()
    accuracy = _accuracy(reader.inner(der.SEQUENCE)) if reader.next_is(der.SEQUENCE) else None
    if reader.next_is(der.BOOLEAN):
        reader.boolean()  # ordering: nothing here rests on it
    nonce = reader.integer() if reader.next_is(der.INTEGER) else None
    authority = _name(reader.inner(der.context(0))) if reader.next_is(der.context(0)) else None
    if reader.next_is(der.context(1)):
        raise DerError("extensions of a TSTInfo are not known here")
    reader.end()
    return Stamp(imprint, at, accuracy, serial, policy, nonce, authority)


def _accuracy(reader: Reader) -> timedelta:
    seconds = reader.integer() if reader.next_is(der.INTEGER) else 0
    fractions = [reader.optional(der.context(number, constructed=False)) for number in (0, 1)]
    reader.end()
    millis, micros = (int.from_bytes(fraction or b"") for fraction in fractions)
    if not (0 <= seconds <= 86_400 and millis < 1000 and micros < 1000):  # noqa: PLR2004 - of a second, and a day
        raise DerError("an accuracy is out of range")
    return timedelta(seconds=seconds, milliseconds=millis, microseconds=micros)


def _name(reader: Reader) -> bytes | None:
    tag, whole = reader.any()
    reader.end()
    return Reader(whole).take(tag) if tag == _DIRECTORY_NAME else None


def _signer(reader: Reader) -> Signer:
    if reader.integer() != 1:
        raise DerError("the signer is not named by issuer and serial number")
    identifier = reader.inner(der.SEQUENCE)
    issuer, serial = identifier.whole(der.SEQUENCE), identifier.integer()
    identifier.end()
    digest = _hash(reader.inner(der.SEQUENCE))
    attributes = reader.take(der.context(0))
    message_digest, certificate_hash, certificate_digest = _attributes(Reader(attributes))
    algorithm = reader.inner(der.SEQUENCE).oid()
    signature = reader.take(der.OCTETS)
    reader.optional(der.context(1))  # unsigned attributes prove nothing
    reader.end()
    return Signer(
        issuer=issuer,
        serial=serial,
        digest=digest,
        attributes=der.tlv(der.SET, attributes),
        message_digest=message_digest,
        certificate_hash=certificate_hash,
        certificate_digest=certificate_digest,
        algorithm=algorithm,
        signature=signature,
    )


def _attributes(reader: Reader) -> tuple[bytes, ImprintHash, bytes]:
    """Read the signed attributes: each once and with one value (RFC 5652 section 11)."""
    found: dict[str, Reader] = {}
    while reader.more():
        attribute = reader.inner(der.SEQUENCE)
        kind = attribute.oid()
        if kind in found:
            raise DerError(f"the signed attribute {kind} is there twice")
        found[kind] = attribute.inner(der.SET)
        attribute.end()
    for kind in (oids.CONTENT_TYPE, oids.MESSAGE_DIGEST, oids.SIGNING_CERTIFICATE_V2):
        if kind not in found:
            raise DerError(f"the signed attribute {kind} is missing")
    if found[oids.CONTENT_TYPE].oid() != oids.TST_INFO:
        raise DerError("the signed content type is not a TSTInfo")
    message_digest = found[oids.MESSAGE_DIGEST].take(der.OCTETS)
    signing = found[oids.SIGNING_CERTIFICATE_V2].inner(der.SEQUENCE)
    for kind in (oids.CONTENT_TYPE, oids.MESSAGE_DIGEST, oids.SIGNING_CERTIFICATE_V2):
        found[kind].end()
    first = signing.inner(der.SEQUENCE).inner(der.SEQUENCE)  # RFC 5035: the first one is the signer's
    hash_ = _hash(first.inner(der.SEQUENCE)) if first.next_is(der.SEQUENCE) else ImprintHash.SHA256
    return message_digest, hash_, first.take(der.OCTETS)


def _hash(reader: Reader) -> ImprintHash:
    dotted = reader.oid()
    if dotted not in HASHES:
        raise DerError(f"the hash {dotted} is not accepted")
    return HASHES[dotted]
