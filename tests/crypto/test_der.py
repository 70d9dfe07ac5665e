"""DER in the small: what is written is read again, and nothing else is."""

from datetime import UTC, datetime
from typing import Final

import pytest
from asn1crypto import core
from hypothesis import given
from hypothesis import strategies as st

from crypto import der
from crypto.der import DerError, Reader

AT: Final = datetime(2026, 11, 23, 4, 5, 6, tzinfo=UTC)


@given(st.integers(-(1 << 200), 1 << 200))
def test_an_integer_is_written_as_others_write_it_and_read_again(number: int) -> None:
    assert der.integer(number) == core.Integer(number).dump()
    assert Reader(der.integer(number)).integer() == number


@given(st.integers(0, 1), st.integers(0, 39), st.lists(st.integers(0, 1 << 130), max_size=5))
def test_an_object_identifier_is_written_as_others_write_it_and_read_again(
    first: int, second: int, rest: list[int]
) -> None:
    dotted = ".".join(map(str, (first, second, *rest)))
    assert der.oid(dotted) == core.ObjectIdentifier(dotted).dump()
    assert Reader(der.oid(dotted)).oid() == dotted


def test_an_identifier_made_of_a_uuid_is_read_again() -> None:
    dotted = "2.25.329800735698586629295641978511506172918"
    assert Reader(der.oid(dotted)).oid() == dotted


@pytest.mark.parametrize("length", [0, 1, 127, 128, 255, 256, 65_535, 65_536])
def test_a_length_is_written_as_others_write_it(length: int) -> None:
    content = bytes(length)
    assert der.tlv(der.OCTETS, content) == core.OctetString(content).dump()
    assert Reader(der.tlv(der.OCTETS, content)).take(der.OCTETS) == content


@pytest.mark.parametrize(
    ("micros", "written"),
    [
        (0, b"20261123040506Z"),
        (999, b"20261123040506Z"),
        (100_000, b"20261123040506.1Z"),
        (7_000, b"20261123040506.007Z"),
    ],
)
def test_a_moment_has_milliseconds_without_trailing_zeros(micros: int, written: bytes) -> None:
    assert der.generalized_time(AT.replace(microsecond=micros))[2:] == written


def test_a_finer_moment_is_read_to_the_microsecond() -> None:
    read = Reader(der.tlv(der.GENERALIZED_TIME, b"20261123040506.1234567Z")).generalized_time()
    assert read == AT.replace(microsecond=123_456)


@pytest.mark.parametrize(
    "written",
    [
        b"20261123040506",
        b"20261123040506+0800",
        b"202611230405Z",
        b"20261123040506.Z",
        b"20261123040506.10Z",
        b"20261323040506Z",
        b"2026112304050 Z",
        b"20261123040506.1.2Z",
    ],
)
def test_a_time_in_another_form_is_refused(written: bytes) -> None:
    with pytest.raises(DerError):
        Reader(der.tlv(der.GENERALIZED_TIME, written)).generalized_time()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\x80\x00\x00",  # indefinite length
        b"\x30\x81\x01\x00",  # length in a longer form than needed
        b"\x30\x82\x00\x80" + bytes(128),  # the same
        b"\x30\x85\x00\x00\x00\x00\x01\x00",  # more than four bytes of length
        b"\x30\x02\x00",  # cut off
        b"\x30\x81",  # cut off in the length
        b"\x31\x00",  # another tag
        b"\x30\x00\x00",  # something after it
    ],
)
def test_a_document_that_is_not_one_strict_element_is_refused(data: bytes) -> None:
    with pytest.raises(DerError):
        der.read(data)


@pytest.mark.parametrize("data", [b"\x02\x00", b"\x02\x02\x00\x7f", b"\x02\x02\xff\x80"])
def test_an_integer_in_another_form_than_the_shortest_is_refused(data: bytes) -> None:
    with pytest.raises(DerError):
        Reader(data).integer()


@pytest.mark.parametrize("data", [b"\x06\x00", b"\x06\x01\x80", b"\x06\x03\x2a\x80\x01"])
def test_an_identifier_in_another_form_than_the_shortest_is_refused(data: bytes) -> None:
    with pytest.raises(DerError):
        Reader(data).oid()


@pytest.mark.parametrize("data", [b"\x01\x01\x01", b"\x01\x00"])
def test_a_boolean_of_another_form_is_refused(data: bytes) -> None:
    with pytest.raises(DerError):
        Reader(data).boolean()


def test_a_set_is_written_in_the_order_of_its_bytes() -> None:
    assert der.set_of(b"\x02\x01\x02", b"\x02\x01\x01") == b"\x31\x06\x02\x01\x01\x02\x01\x02"


@given(st.binary(max_size=64))
def test_whatever_is_read_either_parses_or_is_refused(data: bytes) -> None:
    reader = Reader(data)
    try:
        while reader.more():
            reader.any()
        reader.end()
    except DerError:
        pass
