"""
The log over HTTP: checkpoint and tiles for everybody's tools (C2SP tlog-tiles), receipts and search as JSON.

The first three routes are no part of the API document: their form is the specification's.
"""

import csv
import io
from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from crypto.log.receipts import Receipt
from crypto.log.tiles import Place, read_path, width_of
from kernel.access.rates import Pace
from kernel.access.table import Action
from kernel.clock import BEIJING
from kernel.paging import LIMIT_DEFAULT, Limit, Page
from kernel.problems import Invalid, NotFound, Unavailable
from kernel.runtime import Kernel
from kernel.transparency import queries
from kernel.transparency.receipts import Opened, commitments_of, proof_of_leaf, receipt_of
from kernel.transparency.search import LogRow, Wanted, find
from kernel.web.context import Context
from kernel.web.render import problem_response
from kernel.web.routes import Download, op

EXPORT_MAX: Final = 10_000
"""Rows of one export."""

_FOR_EVER: Final = "public, max-age=31536000, immutable"
_BRIEFLY: Final = "public, max-age=1"
_EXPORT_PAGE: Final = 200

_STREAM: Final = r"[a-z]{1,40}\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
Entry = Annotated[str, Meta(pattern=rf"^{_STREAM}\.[1-9][0-9]{{0,17}}$")]
"""An entry's stream and version with dots between: ``order.0190….2``."""
Stream = Annotated[str, Meta(pattern=f"^{_STREAM}$")]
Size = Annotated[int, Meta(ge=0)]
Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Text = Annotated[str, Meta(max_length=100)]
Cursor = Annotated[str, Meta(max_length=400)]


class WitnessOut(msgspec.Struct, frozen=True):
    """A witness that this site shows its checkpoints to."""

    url: str
    key: str


class LogOut(msgspec.Struct, frozen=True):
    """
    The log's public keys (``name+id+key``, C2SP signed-note) and its latest checkpoint with all signatures.

    ``keys`` is empty and ``checkpoint`` absent before anything was logged.
    """

    keys: tuple[str, ...]
    receipt_keys: tuple[str, ...]
    witnesses: tuple[WitnessOut, ...]
    witnesses_required: int
    checkpoint: str | None


class ProofOut(msgspec.Struct, frozen=True):
    """A proof file (C2SP tlog-proof) and the log's key."""

    proof: str
    key: str


class ConsistencyOut(msgspec.Struct, frozen=True):
    """The hashes, in hexadecimal, that prove one tree to begin with another (RFC 6962)."""

    proof: tuple[str, ...]


async def _checkpoint(request: Request) -> Response:
    kernel: Kernel = request.app.state.kernel
    head = await queries.head(kernel.db.pool)
    if head is None:
        return problem_response(_absent(), request)
    note = await kernel.transparency.note_of(head)
    return PlainTextResponse(str(note), headers={"Cache-Control": _BRIEFLY})


async def _tile(request: Request) -> Response:
    kernel: Kernel = request.app.state.kernel
    asked = read_path(request.path_params["path"])
    head = await queries.head(kernel.db.pool)
    if asked is None or head is None or width_of(Place(asked.level, asked.number), head.size) < asked.width:
        return problem_response(_absent(), request)
    place = Place(asked.level, asked.number)
    tiles = await queries.tiles(kernel.db.pool, [place], head.size)
    return _bytes(tiles[place][: 32 * asked.width])


async def _entries(request: Request) -> Response:
    kernel: Kernel = request.app.state.kernel
    asked = read_path(f"0/{request.path_params['path']}")
    head = await queries.head(kernel.db.pool)
    if asked is None or head is None or width_of(Place(0, asked.number), head.size) < asked.width:
        return problem_response(_absent(), request)
    data, count = await queries.bundle(kernel.db.pool, asked.number, asked.width)
    if count != asked.width:  # the journal lacks what the log has: zhecai verify says what
        return problem_response(_absent(), request)
    return _bytes(data)


def _bytes(content: bytes) -> Response:
    return Response(content, media_type="application/octet-stream", headers={"Cache-Control": _FOR_EVER})


def _absent() -> NotFound:
    return NotFound("日志中没有这一部分。", "The log has no such part.")


@op(
    "GET",
    "/api/log",
    action=Action.LOG_READ,
    tag="log",
    summary="Keys, witnesses and latest checkpoint of the transparency log / 透明日志",
)
async def get_log(ctx: Context) -> LogOut:
    log = ctx.kernel.transparency
    async with ctx.kernel.db.pool.acquire() as connection:
        head = await queries.head(connection)
        keys = tuple(await queries.keys(connection, "log"))
        receipt_keys = tuple(await queries.keys(connection, "receipts"))
    return LogOut(
        keys=keys,
        receipt_keys=receipt_keys,
        witnesses=tuple(WitnessOut(witness.url, str(witness.key)) for witness in log.witnesses),
        witnesses_required=log.required,
        checkpoint=str(await log.note_of(head)) if head else None,
    )


@op(
    "GET",
    "/api/log/receipts/{entry}",
    action=Action.LOG_RECEIPT,
    tag="log",
    summary="A signed receipt of an entry of one's own / 回执",
    problems=(Unavailable,),
)
async def get_receipt(ctx: Context, entry: Entry) -> Receipt:
    return await receipt_of(ctx.kernel, ctx.actor.journal, *_place(entry), at=ctx.received_at)


@op(
    "GET",
    "/api/log/entries/{entry}/receipt",
    action=Action.LOG_SEARCH,
    tag="log",
    summary="A signed receipt of any entry / 任一记录的回执",
    problems=(Unavailable,),
)
async def get_receipt_of_any(ctx: Context, entry: Entry) -> Receipt:
    return await receipt_of(ctx.kernel, None, *_place(entry), at=ctx.received_at)


@op(
    "GET",
    "/api/log/proofs/{leaf}",
    action=Action.LOG_READ,
    tag="log",
    summary="Prove that a leaf is in the log / 按摘要核验",
)
async def get_proof(ctx: Context, leaf: Hash) -> ProofOut:
    file = await proof_of_leaf(ctx.kernel, bytes.fromhex(leaf))
    (key,) = await queries.keys(ctx.kernel.db.pool, "log")
    return ProofOut(str(file), key)


@op(
    "GET",
    "/api/log/consistency",
    action=Action.LOG_READ,
    tag="log",
    summary="Prove that the tree of one size begins with that of another / 一致性证明",
    problems=(NotFound,),
)
async def get_consistency(ctx: Context, old: Size, new: Size) -> ConsistencyOut:
    async with ctx.kernel.db.pool.acquire() as connection:
        head = await queries.head(connection)
        if head is None or not old <= new <= head.size:
            raise _absent()
        proof = await ctx.kernel.transparency.prover.consistency(connection, old, new)
    return ConsistencyOut(tuple(hash_.hex() for hash_ in proof))


@op(
    "GET",
    "/api/log/commitments/{stream}",
    action=Action.LOG_READ,
    tag="log",
    summary="Leaves and salts of commitments that may be public / 已公开的承诺",
)
async def list_commitments(ctx: Context, stream: Stream, after: Size = 0) -> tuple[Opened, ...]:
    return await commitments_of(ctx.kernel, stream.replace(".", "/", 1), after=after)


@op(
    "GET",
    "/api/log/entries",
    action=Action.LOG_SEARCH,
    tag="log",
    summary="Search the log, the latest first / 日志检索",
    pace=Pace.HEAVY,
)
async def list_log_entries(
    ctx: Context,
    stream: Text = "",
    kind: Text = "",
    actor: Text = "",
    since: datetime | None = None,
    before: datetime | None = None,
    cursor: Cursor | None = None,
    limit: Limit = LIMIT_DEFAULT,
) -> Page[LogRow]:
    wanted = _wanted(stream, kind, actor, since, before)
    async with ctx.kernel.db.pool.acquire() as connection:
        return await find(connection, wanted, cursor=cursor, limit=limit)


@op(
    "GET",
    "/api/log/entries.csv",
    action=Action.LOG_SEARCH,
    tag="log",
    summary="The same as a table, at most 10 000 rows / 导出",
)
async def export_log_entries(
    ctx: Context,
    stream: Text = "",
    kind: Text = "",
    actor: Text = "",
    since: datetime | None = None,
    before: datetime | None = None,
) -> Download:
    wanted = _wanted(stream, kind, actor, since, before)
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(
        ["序号 number", "业务流 stream", "版本 version", "事项 kind", "时间 at", "操作人 actor", "摘要 leaf"]
    )
    count, cursor = 0, None
    async with ctx.kernel.db.pool.acquire() as connection:
        while count < EXPORT_MAX:
            page = await find(connection, wanted, cursor=cursor, limit=min(_EXPORT_PAGE, EXPORT_MAX - count))
            for row in page.items:
                at = row.at.astimezone(BEIJING).isoformat(timespec="microseconds")
                table.writerow([row.number, row.stream, row.version, row.kind, at, row.actor, row.leaf])
            count, cursor = count + len(page.items), page.next
            if cursor is None:
                break
    return Download("\ufeff".encode() + out.getvalue().encode(), "text/csv", "log.csv")


def _place(entry: str) -> tuple[str, int]:
    """Read an entry's place: its stream and its version."""
    kind, id_, version = entry.split(".")
    return f"{kind}/{id_}", int(version)


def _wanted(stream: str, kind: str, actor: str, since: datetime | None, before: datetime | None) -> Wanted:
    for name, at in (("since", since), ("before", before)):
        if at is not None and at.tzinfo is None:
            raise Invalid(
                f"{name} 须带时区，例如 2026-11-23T09:00:00+08:00。",
                f"{name} needs a time zone, such as 2026-11-23T09:00:00+08:00.",
                field=name,
            )
    return Wanted(stream, kind, actor, since, before)


ROUTES: Final[tuple[BaseRoute, ...]] = (
    Route("/checkpoint", _checkpoint, methods=["GET"]),
    Route("/tile/entries/{path:path}", _entries, methods=["GET"]),
    Route("/tile/{path:path}", _tile, methods=["GET"]),
    get_log,
    get_receipt,
    get_receipt_of_any,
    get_proof,
    get_consistency,
    list_commitments,
    export_log_entries,
    list_log_entries,
)
