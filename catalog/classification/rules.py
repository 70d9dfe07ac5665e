"""
The classification of procurement items (政府采购品目分类目录).

The key is (edition, code): A02010105 is a laptop in the edition of 2013 and a desktop in that of 2022.

Source: 财政部 政府采购品目分类目录 (2022 edition: 财库〔2022〕31号).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

import msgspec

_NAMESPACE: Final = UUID("6f1c9f3e-5a55-5d0b-9d64-6a2f0a6b2c11")
"""Fixed for ever: the identifier of an edition is derived from its name."""

_CODE: Final = re.compile(r"[ABC](?:[0-9]{8}(?:[0-9]{2})?)?")


class Subject(StrEnum):
    """The first letter of a code."""

    GOODS = "goods"  # A 货物
    WORKS = "works"  # B 工程
    SERVICES = "services"  # C 服务


_SUBJECTS: Final = {"A": Subject.GOODS, "B": Subject.WORKS, "C": Subject.SERVICES}


class Category(msgspec.Struct, frozen=True, order=True):
    """One item (品目) of an edition; ``parent`` is empty at the top."""

    code: str
    parent: str
    name: str
    description: str = ""


class Classification(msgspec.Struct, frozen=True):
    """One edition as it stands, sorted by code. ``loads`` counts how often it was loaded."""

    id: UUID
    edition: str
    loads: int
    categories: tuple[Category, ...]


class Loaded(msgspec.Struct, frozen=True, tag_field="kind", tag="classification.loaded"):
    """
    Rows were added to an edition or renamed in it; what is not among them stays.

    The rows are in the event, so that the state follows from the journal alone. Codes are never taken
    away: products and orders refer to them for as long as files are kept.
    """

    id: UUID
    edition: str
    categories: tuple[Category, ...]


def subject_of(code: str) -> Subject:
    """Tell goods, works and services apart."""
    return _SUBJECTS[code[0]]


def is_code(text: str) -> bool:
    """Tell whether a text has the form of a code: a letter, or a letter and 8 or 10 digits."""
    return _CODE.fullmatch(text) is not None


def subtree_prefix(code: str) -> str:
    """
    Return what the codes of a category and all below it begin with: ``A0201`` for ``A02010000``.

    A pair of zeros at the end stands for "all of it". A code of ten digits is a leaf.
    """
    while code.endswith("00"):
        code = code[:-2]
    return code


def ancestors_of(code: str, parents: Mapping[str, str]) -> tuple[str, ...]:
    """List a code and what it lies in, nearest first, as far as ``parents`` knows; loops end."""
    path: list[str] = []
    while code and code not in path:
        path.append(code)
        code = parents.get(code, "")
    return tuple(path)


def edition_id(edition: str) -> UUID:
    """Name the stream of an edition."""
    return uuid5(_NAMESPACE, f"edition/{edition}")


def decide_load(classification: Classification | None, edition: str, categories: Sequence[Category]) -> Loaded | None:
    """
    Decide what a load changes; ``None`` when every row is there already, so that a repeat does nothing.

    Descriptions that a later list lacks are kept.
    """
    known = {category.code: category for category in classification.categories} if classification else {}
    fresh = []
    for category in categories:
        before = known.get(category.code)
        if before is not None and not category.description:
            category = msgspec.structs.replace(category, description=before.description)  # noqa: PLW2901  the same row, completed
        if category != before:
            fresh.append(category)
    return Loaded(edition_id(edition), edition, tuple(fresh)) if fresh else None


def evolve(classification: Classification | None, event: Loaded, _at: datetime) -> Classification:
    """Apply a load."""
    rows = {category.code: category for category in classification.categories} if classification else {}
    rows |= {category.code: category for category in event.categories}
    loads = classification.loads + 1 if classification else 1
    return Classification(event.id, event.edition, loads, tuple(rows[code] for code in sorted(rows)))


# Reading an official list


class Severity(StrEnum):
    """What becomes of a row with a finding, once warnings are accepted."""

    NOTED = "noted"  # taken as it is, a person should look
    MENDED = "mended"  # taken with the proposed name
    REJECTED = "rejected"  # not taken


class Reason(StrEnum):
    """What is the matter with a row."""

    CODE_WRONG = "code-wrong"
    CODE_TWICE = "code-twice"
    NAME_EMPTY = "name-empty"
    NAME_SPILLED = "name-spilled"
    NAME_UNREADABLE = "name-unreadable"
    NAME_DOUBTFUL = "name-doubtful"
    PARENT_DANGLING = "parent-dangling"
    PARENT_MISPLACED = "parent-misplaced"
    PARENT_REJECTED = "parent-rejected"


REASONS: Final[dict[Reason, tuple[str, str]]] = {
    Reason.CODE_WRONG: ("编码格式不正确", "The code has not the form of a code"),
    Reason.CODE_TWICE: ("编码重复", "The code occurs twice"),
    Reason.NAME_EMPTY: ("名称为空", "The name is empty"),
    Reason.NAME_SPILLED: ("名称混入说明文字，已截取", "Text of the description spilled into the name; it was cut off"),
    Reason.NAME_UNREADABLE: ("名称为说明文字，无法辨认", "The name is text of the description; it cannot be told"),
    Reason.NAME_DOUBTFUL: ("名称含逗号，请核对", "The name has a comma in it; please check"),
    Reason.PARENT_DANGLING: ("上级编码不在目录中", "The parent is not in the list"),
    Reason.PARENT_MISPLACED: ("上级编码与本编码不符", "The code does not lie within its parent"),
    Reason.PARENT_REJECTED: ("上级编码未被接受", "The parent was rejected"),
}


class ListRow(msgspec.Struct, frozen=True):
    """A row as it stands in the file; ``row`` is its line, or its place among the entries, from 1."""

    row: int
    code: str
    parent: str
    name: str
    description: str = ""


class Finding(msgspec.Struct, frozen=True):
    """Something that is the matter with a row; ``proposal`` is the name it would be given."""

    row: int
    code: str
    name: str
    severity: Severity
    reason: Reason
    proposal: str = ""


class Reading(msgspec.Struct, frozen=True):
    """What a list comes to: the categories that can be taken, and all findings in the order of the rows."""

    rows: int
    categories: tuple[Category, ...]
    findings: tuple[Finding, ...]


_BREAK: Final = re.compile(r"(?<=[^\x00-\x7f])\s+(?=[^\x00-\x7f])")
_PUNCTUATION: Final = "、，。；：（）"
_SENTENCE: Final = re.compile(r"[。；：]|——|^(?:包括|不包括)|(?:[、，]|等|[及和与的])$")
_RELATED: Final = re.compile(r"，(?!相关)")


def read_name(text: str) -> tuple[str, Reason | None]:
    """
    Read the name of a category out of a cell into which its description may have spilled.

    A gap between two Chinese characters is where the description begins. What reads like a sentence and has
    no such gap, or has several that are no pauses, cannot be told.
    """
    name = text.strip()
    if not name:
        return "", Reason.NAME_EMPTY
    gaps = [gap for gap in _BREAK.finditer(name) if not _is_pause(name, gap)]
    if len(gaps) > 1:
        return name, Reason.NAME_UNREADABLE
    first = _BREAK.search(name)
    if first is None and _SENTENCE.search(name):  # 激光视盘机 VCD、DVD 等设备入此。
        first = re.search(r"\s", name)
    head = name[: first.start()] if first else name
    if _SENTENCE.search(head):
        return name, Reason.NAME_UNREADABLE
    if first:
        return head, Reason.NAME_SPILLED
    return head, Reason.NAME_DOUBTFUL if _RELATED.search(head) else None


def read_list(rows: Iterable[ListRow]) -> Reading:
    """
    Read an official list: nothing is swallowed, every row is either a category or has a finding that says why not.

    A row below a rejected one is rejected too, because it would hang in the air.
    """
    rows = list(rows)
    codes = {row.code for row in rows}
    taken: dict[str, Category] = {}
    findings: list[Finding] = []
    rejected: set[str] = set()
    seen: set[str] = set()
    for row in sorted(rows, key=lambda one: (len(one.code) > 1, subtree_prefix(one.code), one.row)):
        name, about_name = read_name(row.name)
        reason = _fault_of(row, codes, seen, rejected)
        seen.add(row.code)
        if reason is None and about_name in {Reason.NAME_EMPTY, Reason.NAME_UNREADABLE}:
            reason = about_name
        if reason:
            findings.append(Finding(row.row, row.code, row.name, Severity.REJECTED, reason))
            rejected.add(row.code)
            continue
        if about_name:
            severity = Severity.MENDED if about_name is Reason.NAME_SPILLED else Severity.NOTED
            findings.append(Finding(row.row, row.code, row.name, severity, about_name, name))
        taken[row.code] = Category(row.code, row.parent, name, row.description.strip())
    ordered = tuple(taken[code] for code in sorted(taken))
    return Reading(len(rows), ordered, tuple(sorted(findings, key=lambda finding: finding.row)))


def _is_pause(name: str, gap: re.Match[str]) -> bool:
    return name[gap.start() - 1] in _PUNCTUATION or name[gap.end()] in _PUNCTUATION


def _fault_of(row: ListRow, codes: set[str], seen: set[str], rejected: set[str]) -> Reason | None:
    if not is_code(row.code):
        return Reason.CODE_WRONG
    if row.code in seen:
        return Reason.CODE_TWICE
    if not row.parent:
        return None if len(row.code) == 1 else Reason.PARENT_DANGLING
    if row.parent not in codes:
        return Reason.PARENT_DANGLING
    if row.parent == row.code or not row.code.startswith(subtree_prefix(row.parent)):
        return Reason.PARENT_MISPLACED
    return Reason.PARENT_REJECTED if row.parent in rejected else None
