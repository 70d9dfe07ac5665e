"""What a document says, without how it looks: blocks of plain text, never markup."""

from enum import StrEnum
from typing import Final

import msgspec

ROWS_MAX: Final = 5000
"""Rows of one table; a longer one would take seconds to set."""


class Column(StrEnum):
    """How a column is set."""

    TEXT = "text"
    NUMBER = "number"
    """To the right."""
    HASH = "hash"
    """Small, of one width, broken where it must be."""


class Heading(msgspec.Struct, frozen=True, tag_field="kind", tag="heading"):
    text: str


class Paragraph(msgspec.Struct, frozen=True, tag_field="kind", tag="paragraph"):
    text: str


class Facts(msgspec.Struct, frozen=True, tag_field="kind", tag="facts"):
    """Names and values, one pair a line."""

    rows: tuple[tuple[str, str], ...]


class Table(msgspec.Struct, frozen=True, tag_field="kind", tag="table"):
    """
    Rows under heads, which are repeated on each page.

    ``widths`` are shares of what is left over; 0 is as wide as its content.
    """

    heads: tuple[str, ...]
    columns: tuple[Column, ...]
    widths: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        assert len(self.heads) == len(self.columns) == len(self.widths)
        assert all(len(row) == len(self.heads) for row in self.rows)
        assert len(self.rows) <= ROWS_MAX


Block = Heading | Paragraph | Facts | Table


class Document(msgspec.Struct, frozen=True):
    """A document: ``footer`` stands on each page beside its number."""

    title: str
    number: str
    issuer: str
    footer: str
    blocks: tuple[Block, ...]
