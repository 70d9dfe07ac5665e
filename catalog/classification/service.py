"""Reading the classification, and loading the compact table or the official list."""

import asyncio
import csv
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import msgspec

from catalog.classification import queries
from catalog.classification.queries import CLASSIFICATION, CategoryRow
from catalog.classification.rules import (
    REASONS,
    Category,
    Finding,
    ListRow,
    Reading,
    Severity,
    decide_load,
    edition_id,
    is_code,
    read_list,
)
from kernel.access.actors import Actor
from kernel.commit.command import Command, Decided, Happened, States
from kernel.problems import Invalid, NotFound
from kernel.runtime import Kernel

__all__ = [
    "CLASSIFICATION",
    "EDITION",
    "CategoryRow",
    "ClassificationReport",
    "children_of",
    "get_category",
    "import_classification",
    "load_common_codes",
    "name_words",
    "names_and_parents",
    "path_of",
    "reason_text",
]

EDITION: Final = "2022"
"""The edition in force, used where none is named."""
FILE_BYTES_MAX: Final = 64 * 1024 * 1024
_COMMON: Final = "gpc-common.tsv"


class ClassificationReport(msgspec.Struct, frozen=True):
    """
    What an import did, or with ``dry_run`` would do.

    ``acceptable`` counts the rows that ``accept_warnings`` takes; ``imported`` those that were new or changed,
    zero when findings kept the whole list out.
    """

    edition: str
    rows: int
    acceptable: int
    findings: tuple[Finding, ...]
    dry_run: bool
    accepted: bool
    imported: int


async def load_common_codes(kernel: Kernel, actor: Actor, *, origin: str = "local") -> int:
    """Load the compact table of commonly bought codes that ships with the product; a repeat does nothing."""
    text = files("catalog.classification").joinpath(_COMMON).read_text("utf-8")
    reading = read_list(_rows_of_table(text.splitlines(), delimiter="\t"))
    assert not reading.findings, reading.findings
    return await _load(kernel, actor, EDITION, reading.categories, origin=origin)


async def import_classification(
    kernel: Kernel,
    actor: Actor,
    path: Path,
    *,
    edition: str = EDITION,
    accept_warnings: bool = False,
    dry_run: bool = False,
    origin: str = "local",
) -> ClassificationReport:
    """
    Load the official list: JSON entries, or CSV/TSV with ``code``, ``parent``, ``name`` and ``description``.

    Any finding keeps the whole list out, so that nobody half-imports unawares. With ``accept_warnings`` the
    clean and the mended rows are loaded in one transaction, the rejected ones are not, and the report names
    every one of them. See ``docs/adr/0021-imports.md``.

    Raises:
        Invalid: the file is no list that we can read.
    """
    reading = await asyncio.to_thread(_read_file, path, edition)
    accepted = accept_warnings or not reading.findings
    imported = 0
    if accepted and not dry_run:
        imported = await _load(kernel, actor, edition, reading.categories, origin=origin)
    return ClassificationReport(
        edition, reading.rows, len(reading.categories), reading.findings, dry_run, accepted, imported
    )


def reason_text(finding: Finding) -> tuple[str, str]:
    """Say in Chinese and English what is the matter with a row and what becomes of it."""
    zh, en = REASONS[finding.reason]
    if finding.severity is Severity.MENDED:
        return f"{zh}：{finding.proposal}", f"{en}: {finding.proposal}"
    return zh, en


async def _load(kernel: Kernel, actor: Actor, edition: str, categories: Sequence[Category], *, origin: str) -> int:
    ref = CLASSIFICATION.ref(edition_id(edition))

    def decide(states: States) -> Decided[int]:
        loaded = decide_load(states.get(ref), edition, categories)
        return Decided(len(loaded.categories), [Happened(ref, loaded)]) if loaded else Decided(0)

    return await kernel.committer.submit(Command([ref], decide, actor.journal, origin, kernel.clock.now()))


def _read_file(path: Path, edition: str) -> Reading:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Invalid(f"文件无法读取：{path}", f"The file cannot be read: {path}: {error}", field="file") from error
    if len(raw) > FILE_BYTES_MAX:
        raise Invalid("文件过大", f"The file is over {FILE_BYTES_MAX} bytes", field="file")
    try:
        if path.suffix.lower() == ".json":
            rows = _rows_of_json(msgspec.json.decode(raw))
        else:
            delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
            rows = _rows_of_table(raw.decode("utf-8-sig").splitlines(), delimiter=delimiter, edition=edition)
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, csv.Error) as error:
        raise Invalid(
            "不是品目目录：需要编码、上级编码、名称（JSON 或 CSV/TSV，UTF-8）",
            f"Not a classification: code, parent and name are needed (JSON or CSV/TSV in UTF-8): {error!r}",
            field="file",
        ) from error
    return read_list(rows)


def _rows_of_json(document: Any) -> list[ListRow]:
    entries = document["entries"] if isinstance(document, dict) else document
    rows = []
    for number, entry in enumerate(entries, 1):
        code = entry["catalog_code"] if "catalog_code" in entry else entry["code"]
        parent = entry["parent_code"] if "parent_code" in entry else entry["parent"]
        name = entry["catalog_name"] if "catalog_name" in entry else entry["name"]
        rows.append(ListRow(number, str(code), str(parent or ""), str(name), str(entry.get("description") or "")))
    return rows


def _rows_of_table(lines: Sequence[str], *, delimiter: str, edition: str = EDITION) -> list[ListRow]:
    rows = []
    for number, row in enumerate(csv.DictReader(lines, delimiter=delimiter), 2):
        if row.get("edition", edition) != edition:
            continue
        rows.append(ListRow(number, row["code"], row["parent"] or "", row["name"] or "", row.get("description") or ""))
    return rows


async def children_of(kernel: Kernel, edition: str, parent: str) -> tuple[CategoryRow, ...]:
    """List what lies directly in a category; the top with an empty ``parent``."""
    if parent and not is_code(parent):
        raise Invalid("品目编码格式不正确", "Not a classification code", field="parent")
    async with kernel.db.read() as tx:
        return await queries.children_of(tx, edition, parent)


async def get_category(kernel: Kernel, edition: str, code: str) -> tuple[CategoryRow, tuple[Category, ...]]:
    """Read a category and what it lies in, nearest first; raises ``NotFound``."""
    async with kernel.db.read() as tx:
        row = await queries.get(tx, edition, code)
        path = await queries.path_of(tx, edition, code)
    if row is None:
        raise NotFound(f"{edition}版目录中没有品目 {code}。", f"The {edition} edition has no category {code}.")
    return row, path


async def path_of(kernel: Kernel, edition: str, code: str) -> tuple[Category, ...]:
    """List a category and what it lies in, nearest first; empty for an unknown one."""
    async with kernel.db.read() as tx:
        return await queries.path_of(tx, edition, code)


async def name_words(kernel: Kernel, candidates: Sequence[str]) -> set[str]:
    """Tell which of some words name a category, in any edition."""
    async with kernel.db.read() as tx:
        return await queries.name_words(tx, candidates)


async def names_and_parents(kernel: Kernel, edition: str) -> tuple[dict[str, str], dict[str, str]]:
    """Map every code of an edition to its name, and to the code it lies in."""
    async with kernel.db.read() as tx:
        return await queries.names(tx, edition), await queries.parents(tx, edition)
