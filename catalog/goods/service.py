"""
Importing goods from a file: read in slices, decided row by row, committed in batches.

An import may be stopped at any moment and started again: rows that are there already are recognised and
left alone. Nothing is half done, because a row's product and offer change in one command.
"""

import asyncio
import codecs
import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID
from zipfile import BadZipFile

import msgspec
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from catalog.agreements import service as agreements
from catalog.agreements.service import AGREEMENT
from catalog.classification import service as classification
from catalog.definitions.rules import Definition, Fault, definition_id
from catalog.definitions.service import DEFINITION, definitions_of, nearest
from catalog.goods.rules import (
    Deal,
    Draft,
    Known,
    Outcome,
    Plan,
    category_of,
    column_of,
    decide_row,
    digest_of,
    key_of,
    picture_names,
    product_id_of,
    read_row,
    unique_codes,
)
from catalog.offers.rules import QUOTA_MAX, offer_id_of
from catalog.offers.service import OFFER
from catalog.pictures.service import Files, picture_of
from catalog.products.rules import PICTURES_MAX
from catalog.products.service import PRODUCT, faulty
from kernel.access.actors import Actor
from kernel.commit.command import Command, Decided, Happened, States
from kernel.journal.streams import StreamRef
from kernel.problems import Invalid, Problem
from kernel.runtime import Kernel
from registries.organisations import service as organisations
from registries.organisations.service import ORGANISATION

__all__ = ["GoodsOptions", "GoodsReport", "Progress", "RejectedRow", "import_goods"]

FILE_BYTES_MAX: Final = 2 * 1024**3
SLICE_ROWS: Final = 512
REJECTED_SHOWN_MAX: Final = 10_000
QUOTA_DEFAULT: Final = 10_000
_CELL_LENGTH_MAX: Final = 32_767  # what a spreadsheet holds in one cell

_UNREADABLE: Final = (OSError, UnicodeDecodeError, csv.Error, BadZipFile, InvalidFileException, KeyError, SyntaxError)
"""What the readers of the formats raise for a file that is broken; ``SyntaxError`` is that of XML."""

Progress = Callable[[int, int], None]
"""Told how many rows are done, and of how many; called on the event loop, after each slice."""


class GoodsOptions(msgspec.Struct, frozen=True):
    """
    How to read a file.

    ``category`` is the code for rows whose category is not known, ``mapping`` maps the file's own words to
    codes. With ``agreement`` (its number) and ``supplier`` (its credit code) every row becomes an offer too;
    ``package`` names one, otherwise the narrowest fitting package is taken. ``pictures`` is a directory or a ZIP
    archive with the picture files that rows name.
    """

    edition: str = classification.EDITION
    category: str = ""
    mapping: dict[str, str] = {}
    agreement: str = ""
    supplier: str = ""
    package: int | None = None
    quota: int = QUOTA_DEFAULT
    dry_run: bool = False
    pictures: Path | None = None


class RejectedRow(msgspec.Struct, frozen=True):
    """A row that was not taken, and why: one for each fault."""

    line: int
    field: str
    zh: str
    en: str


class GoodsReport(msgspec.Struct, frozen=True):
    """
    What an import did, or with ``dry_run`` would do: every row is counted exactly once.

    ``faults`` are at most ``REJECTED_SHOWN_MAX``; ``ignored_columns`` are headers that mean nothing to us.
    """

    rows: int
    imported: int
    revised: int
    unchanged: int
    duplicates: int
    rejected: int
    faults: tuple[RejectedRow, ...]
    ignored_columns: tuple[str, ...]
    dry_run: bool


class _Row(NamedTuple):
    """A row as it stands in the file; ``fault`` says why its cells cannot be told."""

    line: int
    cells: dict[str, str]
    fault: Fault | None = None


class _Setting(NamedTuple):
    """All that rows are read and decided against."""

    known: Known
    parents: Mapping[str, str]
    definitions: Mapping[str, Definition]
    scope: str
    supplier_id: UUID | None
    agreement_id: UUID | None
    options: GoodsOptions
    files: Files | None


class _Tally:
    """Counts what became of the rows and remembers which were seen."""

    def __init__(self) -> None:
        self.counts: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
        self.faults: list[RejectedRow] = []
        self.seen: dict[str, tuple[int, bytes]] = {}

    def reject(self, line: int, faults: Sequence[Fault]) -> None:
        self.counts[Outcome.REJECTED] += 1
        room = REJECTED_SHOWN_MAX - len(self.faults)
        self.faults += [RejectedRow(line, fault.field, fault.zh, fault.en) for fault in faults][:room]

    def first(self, line: int, draft: Draft) -> bool:
        """Tell whether the row is the first of its key; count it when it is not."""
        key, digest = key_of(draft), digest_of(draft)
        before = self.seen.setdefault(key, (line, digest))
        if before[0] == line:
            return True
        if before[1] == digest:
            self.counts[Outcome.DUPLICATE] += 1
        else:
            zh = f"与第{before[0]}行是同一商品，但内容不同"
            self.reject(line, [Fault("number", zh, f"The same goods as line {before[0]}, with other content")])
        return False


async def import_goods(
    kernel: Kernel,
    actor: Actor,
    path: Path,
    options: GoodsOptions | None = None,
    progress: Progress | None = None,
    *,
    origin: str = "local",
) -> GoodsReport:
    """
    Import goods from CSV, XLSX or JSON lines; for the columns see :data:`catalog.goods.rules.COLUMNS`.

    Raises:
        Invalid: the file cannot be read as what its name says, or an option names nothing.
        NotFound: there is no such agreement or supplier.
    """
    options = options or GoodsOptions()
    setting = await _setting(kernel, options)
    total = await asyncio.to_thread(_count, path)
    source = _Source(path)
    tally = _Tally()
    done = 0
    while rows := await asyncio.to_thread(lambda: list(islice(source, SLICE_ROWS))):
        drafts = []
        for found in rows:
            row = await _pictured(kernel, actor, found, setting)
            read = _read(row, setting)
            if isinstance(read, Draft):
                if tally.first(row.line, read):
                    drafts.append((row.line, read))
            else:
                tally.reject(row.line, read)
        await _settle(kernel, actor, drafts, setting, tally, origin=origin)
        done += len(rows)
        if progress:
            progress(done, max(total, done))
    counts = tally.counts
    return GoodsReport(
        rows=done,
        imported=counts[Outcome.IMPORTED],
        revised=counts[Outcome.REVISED],
        unchanged=counts[Outcome.UNCHANGED],
        duplicates=counts[Outcome.DUPLICATE],
        rejected=counts[Outcome.REJECTED],
        faults=tuple(sorted(tally.faults, key=lambda fault: fault.line)),
        ignored_columns=tuple(source.ignored),
        dry_run=options.dry_run,
    )


async def _setting(kernel: Kernel, options: GoodsOptions) -> _Setting:
    names, parents = await classification.names_and_parents(kernel, options.edition)
    unknown = [code for code in (options.category, *options.mapping.values()) if code and code not in names]
    if unknown:
        raise Invalid(
            f"{options.edition}版目录中没有品目 {'、'.join(unknown)}",
            f"The {options.edition} edition has no category {', '.join(unknown)}",
            field="category",
        )
    if bool(options.agreement) != bool(options.supplier):
        raise Invalid("框架协议与供应商须同时指定", "Agreement and supplier go together", field="agreement")
    if not 0 <= options.quota <= QUOTA_MAX:
        raise Invalid("数量超出范围", "The quota is out of range", field="quota")
    agreement_id = supplier_id = None
    if options.agreement:
        agreement_id = (await agreements.by_number(kernel, options.agreement)).agreement_id
        supplier_id = (await organisations.by_credit_code(kernel, options.supplier)).organisation_id
    known = Known(options.edition, names, unique_codes(names), options.mapping, options.category)
    definitions = await definitions_of(kernel, options.edition)
    files = await asyncio.to_thread(Files, options.pictures) if options.pictures else None
    return _Setting(known, parents, definitions, options.supplier, supplier_id, agreement_id, options, files)


async def _pictured(kernel: Kernel, actor: Actor, row: _Row, setting: _Setting) -> _Row:
    """Put the digests of a row's pictures in the place of their names; pictures belong to the supplier who offers."""
    digests: list[str] = []
    owner = msgspec.structs.replace(actor, organisation_id=setting.supplier_id or actor.organisation_id)
    for name in picture_names(row.cells)[: PICTURES_MAX + 1]:
        keep = not setting.options.dry_run
        found = await picture_of(kernel, owner, name, setting.files, at=kernel.clock.now(), keep=keep)
        if isinstance(found, Fault):
            return row._replace(fault=found)
        digests.append(found)
    return row._replace(cells={**row.cells, "pictures": " ".join(digests)}) if digests else row


def _read(row: _Row, setting: _Setting) -> Draft | Sequence[Fault]:
    if row.fault:
        return [row.fault]
    code = category_of(row.cells.get("category", ""), setting.known)
    definition = None if isinstance(code, Fault) else nearest(setting.definitions, code, setting.parents)
    return read_row(row.cells, setting.known, definition)


async def _settle(
    kernel: Kernel,
    actor: Actor,
    drafts: Sequence[tuple[int, Draft]],
    setting: _Setting,
    tally: _Tally,
    *,
    origin: str,
) -> None:
    """Have the rows of a slice decided together: they share the transactions of the group commit."""
    commands = [_command(draft, setting, kernel, actor, origin) for _, draft in drafts]
    if setting.options.dry_run:
        outcomes: Sequence[Outcome | BaseException] = await _tried(kernel, commands)
    else:
        outcomes = await asyncio.gather(*map(kernel.committer.submit, commands), return_exceptions=True)
    for (line, _), outcome in zip(drafts, outcomes, strict=True):
        if isinstance(outcome, Outcome):
            tally.counts[outcome] += 1
        elif isinstance(outcome, Problem):
            tally.reject(line, _faults_of(outcome))
        else:
            raise outcome


def _command(draft: Draft, setting: _Setting, kernel: Kernel, actor: Actor, origin: str) -> Command[Outcome]:
    at = kernel.clock.now()
    details = draft.details
    product_id = product_id_of(setting.scope, draft)
    found = nearest(setting.definitions, details.category_code, setting.parents)
    code = found.code if found else details.category_code
    product, definition = PRODUCT.ref(product_id), DEFINITION.ref(definition_id(details.edition, code))
    streams: list[StreamRef[Any, Any]] = [product, definition]
    offer = agreement = supplier = None
    if setting.agreement_id and setting.supplier_id:
        offer = OFFER.ref(offer_id_of(product_id, setting.agreement_id, setting.supplier_id))
        agreement, supplier = AGREEMENT.ref(setting.agreement_id), ORGANISATION.ref(setting.supplier_id)
        streams += [offer, agreement, supplier]

    def decide(states: States) -> Decided[Outcome] | Problem:
        deal = None
        if agreement and supplier:
            deal = Deal(
                states.get(agreement),
                states.get(supplier),
                supplier.id,
                setting.options.package,
                setting.options.quota,
            )
        plan = decide_row(
            draft,
            product_id=product_id,
            product=states.get(product),
            offer=states.get(offer) if offer else None,
            definition=states.get(definition),
            deal=deal,
            at=at,
        )
        if not isinstance(plan, Plan):
            return faulty(plan)
        happened = [Happened(product, event) for event in plan.product]
        happened += [Happened(offer, event) for event in plan.offer if offer]
        return Decided(plan.outcome, happened)

    return Command(streams, decide, actor.journal, origin, at)


class _Snapshot:
    """States read once, to try commands on."""

    def __init__(self, states: Mapping[StreamRef[Any, Any], Any]) -> None:
        self._states = states

    def get(self, ref: StreamRef[Any, Any]) -> Any:
        return self._states.get(ref)


async def _tried(kernel: Kernel, commands: Sequence[Command[Outcome]]) -> list[Outcome | BaseException]:
    """Decide without doing: a dry run is the very decision, on the states as they are."""
    refs = {ref for command in commands for ref in command.streams}
    states: dict[StreamRef[Any, Any], Any] = {}
    async with kernel.db.pool.acquire() as connection:
        for kind in {ref.kind for ref in refs}:
            loaded = await kind.load(connection, [ref.id for ref in refs if ref.kind is kind])
            states |= {kind.ref(id_): versioned.state for id_, versioned in loaded.items()}
    snapshot = _Snapshot(states)
    decisions = [command.decide(snapshot) for command in commands]
    return [decision.answer if isinstance(decision, Decided) else decision for decision in decisions]


def _faults_of(problem: Problem) -> list[Fault]:
    faults = problem.members.get("faults")
    if isinstance(faults, list):
        return msgspec.convert(faults, list[Fault])
    return [Fault(str(problem.members.get("field", "")), *problem.detail)]


class _Source(Iterator[_Row]):
    """The rows of a file, one at a time; ``ignored`` names the headers that mean nothing to us."""

    def __init__(self, path: Path) -> None:
        self.ignored: list[str] = []
        self._rows = _FORMATS[_suffix(path)](path, self.ignored)

    def __next__(self) -> _Row:
        try:
            return next(self._rows)
        except _UNREADABLE as error:
            raise _unreadable(error) from error


def _csv_rows(path: Path, ignored: list[str]) -> Iterator[_Row]:
    csv.field_size_limit(_CELL_LENGTH_MAX * 4)
    with path.open(encoding=_encoding(path), newline="") as file:
        reader = csv.reader(file)
        columns = _columns(next(reader, []), ignored)
        while True:
            line = reader.line_num + 1
            cells = next(reader, None)
            if cells is None:
                return
            if any(cells):
                yield _row(line, columns, cells)


def _xlsx_rows(path: Path, ignored: list[str]) -> Iterator[_Row]:
    book = load_workbook(path, read_only=True, data_only=True)
    try:
        rows = book.worksheets[0].iter_rows(values_only=True)
        columns = _columns([_text(cell) for cell in next(rows, ())], ignored)
        for line, row in enumerate(rows, 2):
            cells = [_text(cell) for cell in row]
            if any(cells):
                yield _row(line, columns, cells)
    finally:
        book.close()


def _jsonl_rows(path: Path, ignored: list[str]) -> Iterator[_Row]:
    decode = msgspec.json.Decoder(dict[str, Any], float_hook=str).decode
    seen: set[str] = set()
    with path.open("rb") as file:
        for line, raw in enumerate(file, 1):
            if not raw.strip():
                continue
            try:
                entry = decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                yield _Row(line, {}, Fault("", "不是有效的JSON对象", f"Not a JSON object: {error}"))
                continue
            cells = {column: _text(value) for name, value in entry.items() if (column := column_of(name))}
            for name in entry.keys() - seen:
                seen.add(name)
                if column_of(name) is None:
                    ignored.append(name)
            yield _Row(line, cells)


_FORMATS: Final = {".csv": _csv_rows, ".xlsx": _xlsx_rows, ".jsonl": _jsonl_rows, ".ndjson": _jsonl_rows}


def _columns(headers: Sequence[str], ignored: list[str]) -> list[str | None]:
    columns = [column_of(header) for header in headers]
    ignored += [header for header, column in zip(headers, columns, strict=True) if column is None and header]
    named = [column for column in columns if column]
    twice = {column for column in named if named.count(column) > 1}
    if "name" not in named or twice:
        raise Invalid(
            f"首行须为列名，须有“名称”列，且列名不重复{'：' + '、'.join(sorted(twice)) if twice else ''}",
            f"The first line names the columns; a name column is needed, and each once {sorted(twice) or ''}",
            field="file",
        )
    return columns


def _row(line: int, columns: Sequence[str | None], cells: Sequence[str]) -> _Row:
    if len(cells) > len(columns) and any(cells[len(columns) :]):
        zh, en = f"有{len(cells)}列，标题行只有{len(columns)}列", f"{len(cells)} cells under {len(columns)} headers"
        return _Row(line, {}, Fault("", zh, en))
    return _Row(line, {column: cell for column, cell in zip(columns, cells, strict=False) if column})


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float):  # a spreadsheet keeps 12.3 as a binary fraction; six places are what people typed
        return f"{cell:.6f}".rstrip("0").rstrip(".")
    return str(cell)


def _encoding(path: Path) -> str:
    """Tell UTF-8 from what Chinese spreadsheets save: UTF-8 does not happen by chance."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8-sig"


def _count(path: Path) -> int:
    """Count rows roughly, for the progress only. Raises ``Invalid`` for a file that cannot be an import."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise Invalid("文件过大", f"The file is over {FILE_BYTES_MAX} bytes", field="file")
        if _suffix(path) == ".xlsx":
            book = load_workbook(path, read_only=True)
            rows = book.worksheets[0].max_row or 0  # what the file says of itself
            book.close()
            return int(rows)
        with path.open("rb") as file:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
    except _UNREADABLE as error:
        raise _unreadable(error) from error


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        known = "、".join(sorted(_FORMATS))
        raise Invalid(f"文件格式须为 {known}", f"The file must be one of {', '.join(sorted(_FORMATS))}", field="file")
    return suffix


def _unreadable(error: Exception) -> Invalid:
    return Invalid("文件无法读取，请检查格式与编码", f"The file cannot be read: {error!r}", field="file")
