from uuid import UUID

import pytest

from registries.licences.rules import (
    BYTES_MAX,
    BYTES_MIN,
    SUFFIXES,
    TAKEN,
    TEXTS,
    Filed,
    Media,
    Unfit,
    evolve,
    media_of,
)
from tests.builders.registries import AT

BEGINNINGS = {Media.PDF: b"%PDF-", Media.JPEG: b"\xff\xd8\xff", Media.PNG: b"\x89PNG\r\n\x1a\n"}


@pytest.mark.parametrize("media", Media)
def test_a_file_is_what_it_begins_with(media: Media) -> None:
    assert media_of(BEGINNINGS[media].ljust(BYTES_MIN, b"x")) is media
    assert media_of((b"x" + BEGINNINGS[media]).ljust(BYTES_MIN, b"x")) is Unfit.MEDIA
    assert media_of(BEGINNINGS[media][:-1].ljust(BYTES_MIN, b"x")) is Unfit.MEDIA


@pytest.mark.parametrize(("size", "good"), [(BYTES_MIN - 1, 0), (BYTES_MIN, 1), (BYTES_MAX, 1), (BYTES_MAX + 1, 0)])
def test_a_file_has_a_size(size: int, good: int) -> None:
    assert media_of(b"%PDF-".ljust(size, b"x")) is (Media.PDF if good else Unfit.SIZE)


def test_a_copy_is_what_was_filed() -> None:
    filed = Filed(UUID(int=1), UUID(int=2), "0" * 64, Media.PDF, 100)
    licence = evolve(None, filed, AT)
    assert (licence.id, licence.organisation_id, licence.digest) == (UUID(int=1), UUID(int=2), "0" * 64)
    assert (licence.media, licence.size_bytes, licence.filed_at) == (Media.PDF, 100, AT)


def test_every_kind_has_its_ending_and_every_refusal_its_texts() -> None:
    assert set(SUFFIXES) == set(Media)
    assert tuple(Media) == TAKEN
    assert set(TEXTS) == set(Unfit)
