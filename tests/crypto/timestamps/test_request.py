"""Requests: what is read is what was asked, and what cannot be stamped is refused with its reason."""

import pytest

from crypto import der
from crypto.timestamps.request import (
    NONCE_BITS_MAX,
    REQUEST_BYTES_MAX,
    Failure,
    ImprintHash,
    StampRefused,
    StampRequest,
    imprint_of,
    read_request,
)

IMPRINT = imprint_of(b"contract")


def refusal(data: bytes) -> Failure | None:
    with pytest.raises(StampRefused) as refused:
        read_request(data)
    return refused.value.failure


def encoded(*parts: bytes, version: int = 1) -> bytes:
    return der.sequence(der.integer(version), *parts)


@pytest.mark.parametrize("hash_", ImprintHash)
@pytest.mark.parametrize("nonce", [None, 0, 1, (1 << NONCE_BITS_MAX) - 1])
@pytest.mark.parametrize("policy", [None, "1.2.3"])
@pytest.mark.parametrize("certificates", [True, False])
def test_what_was_asked_is_read(hash_: ImprintHash, nonce: int | None, policy: str | None, certificates: bool) -> None:  # noqa: FBT001
    request = StampRequest(imprint_of(b"contract", hash_), nonce, policy, certificates)
    assert read_request(request.encode()) == request


def test_sm3_is_that_of_the_standard() -> None:
    """GM/T 0004-2012, appendix A.1."""
    digest = ImprintHash.SM3.digest(b"abc")
    assert digest.hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


@pytest.mark.parametrize("null", [True, False])
def test_the_imprint_is_repeated_as_it_was_written(null: bool) -> None:  # noqa: FBT001
    parameters = der.tlv(der.NULL) if null else b""
    algorithm = der.sequence(der.oid(ImprintHash.SHA256.dotted), parameters)
    written = der.sequence(algorithm, der.tlv(der.OCTETS, IMPRINT.digest))

    assert read_request(encoded(written)).imprint.encode() == written


def test_a_request_of_another_version_is_refused() -> None:
    assert refusal(encoded(IMPRINT.encode(), version=2)) is Failure.BAD_REQUEST


def test_an_unknown_hash_is_refused() -> None:
    sha1 = der.sequence(der.sequence(der.oid("1.3.14.3.2.26"), der.tlv(der.NULL)), der.tlv(der.OCTETS, bytes(20)))
    assert refusal(encoded(sha1)) is Failure.BAD_ALGORITHM


@pytest.mark.parametrize("length", [31, 33])
def test_a_digest_of_another_length_is_refused(length: int) -> None:
    written = der.sequence(der.sequence(der.oid(ImprintHash.SHA256.dotted)), der.tlv(der.OCTETS, bytes(length)))
    assert refusal(encoded(written)) is Failure.BAD_FORMAT


@pytest.mark.parametrize("nonce", [-1, 1 << NONCE_BITS_MAX])
def test_a_nonce_out_of_range_is_refused(nonce: int) -> None:
    assert refusal(encoded(IMPRINT.encode(), der.integer(nonce))) is Failure.BAD_REQUEST


def test_an_extension_is_refused() -> None:
    assert refusal(encoded(IMPRINT.encode(), der.tlv(der.context(0)))) is Failure.UNACCEPTED_EXTENSION


@pytest.mark.parametrize("data", [b"", b"\x30\x00", b"hello", encoded(IMPRINT.encode(), der.tlv(der.UTF8, b"?"))])
def test_what_is_no_request_is_refused(data: bytes) -> None:
    assert refusal(data) is Failure.BAD_FORMAT


def test_a_request_may_have_so_many_bytes_and_no_more() -> None:
    padded = encoded(IMPRINT.encode(), der.tlv(der.UTF8, bytes(REQUEST_BYTES_MAX)))
    with pytest.raises(StampRefused, match=str(REQUEST_BYTES_MAX)):
        read_request(padded)


def test_a_null_with_content_is_refused() -> None:
    algorithm = der.sequence(der.oid(ImprintHash.SHA256.dotted), der.tlv(der.NULL, b"\x00"))
    written = der.sequence(algorithm, der.tlv(der.OCTETS, IMPRINT.digest))
    assert refusal(encoded(written)) is Failure.BAD_FORMAT
