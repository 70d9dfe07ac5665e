"""Writing receipts, and finding out who may have which."""

from base64 import b64encode
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from crypto.log.checkpoints import InclusionFile
from crypto.log.merkle import leaf_hash
from crypto.log.notes import NoteKey
from crypto.log.receipts import Receipt, Statement, make_receipt
from crypto.timestamps.request import imprint_of
from kernel.journal.streams import Connection
from kernel.problems import NotFound, Unavailable
from kernel.runtime import Kernel
from kernel.transparency import queries
from kernel.transparency.policy import COMMITTED
from kernel.transparency.queries import Head

_ENTRY: Final = """
select j.kind, j.at, j.actor, j.leaf, e.number, e.salt
from journal j left join log_entries e on e.stream = j.stream and e.version = j.version
where j.stream = $1 and j.version = $2 and ($3::text is null or j.actor = $3)
"""
_OF_HASH: Final = "select number from log_entries where hash = $1 order by number limit 1"
_PUBLISHED: Final = """
select e.version, e.number, e.salt, j.leaf from log_entries e join journal j using (stream, version)
where e.stream = $1 and e.version > $2 and e.salt is not null
and exists (select from journal done where done.stream = e.stream and done.kind = any($3::text[]))
order by e.version limit $4
"""
COMMITMENTS_MAX: Final = 1_000


class Opened(msgspec.Struct, frozen=True):
    """A commitment that may be public: the leaf that it commits to and the salt, both in hexadecimal."""

    version: int
    number: int
    salt: str
    leaf: str


class _Entry(NamedTuple):
    kind: str
    at: datetime
    actor: str
    leaf: bytes
    number: int | None
    salt: bytes | None


async def receipt_of(kernel: Kernel, maker: str | None, stream: str, version: int, *, at: datetime) -> Receipt:
    """
    Write a receipt of an entry that ``maker`` made (as the journal names people), or of any for those who search.

    It rests on the latest checkpoint that as many witnesses as are required have cosigned, else on the latest; and it
    carries a time stamp (RFC 3161) where an authority is named.

    Raises:
        NotFound: There is no such entry, or it is not the caller's.
        Unavailable: It is not in a checkpoint yet.
    """
    log = kernel.transparency
    async with kernel.db.pool.acquire() as connection:
        row = await connection.fetchrow(_ENTRY, stream, version, maker)
    if row is None:
        raise NotFound("没有这条记录，或您无权查看。", "There is no such entry, or it is not yours to see.")
    entry = _Entry(*row)
    head = await log.covering(stream, version, cosigned=log.required) or await log.covering(stream, version)
    if head is None or entry.number is None:
        raise Unavailable(
            "该记录尚未进入日志检查点，请稍后再取回执。",
            "The entry is not in a checkpoint of the log yet; ask for the receipt in a moment.",
            reason="log-not-yet",
            headers={"Retry-After": "1"},
        )
    signer = await log.receipt_signer()
    async with kernel.db.pool.acquire() as connection:
        (key,) = await queries.keys(connection, "log")
        proof = await log.prover.inclusion(connection, entry.number, head.size)
    statement = Statement(
        origin=NoteKey.read(key).name,
        number=entry.number,
        stream=stream,
        version=version,
        kind=entry.kind,
        at=entry.at,
        leaf=entry.leaf.hex(),
        salt=entry.salt.hex() if entry.salt else None,
        issued_at=at,
    )
    note = await log.note_of(head)
    receipt = make_receipt(statement, signer, proof=proof, checkpoint=note, log=NoteKey.read(key))
    return msgspec.structs.replace(receipt, token=await _token(kernel, receipt))


async def _token(kernel: Kernel, receipt: Receipt) -> str | None:
    """Have the signed note of a receipt time-stamped, where an authority is named and answers: it proves without."""
    if kernel.stamps is None:
        return None
    try:
        stamped = await kernel.stamps.stamp(imprint_of(receipt.receipt.encode()))
    except Unavailable:
        return None  # the client has logged why
    return b64encode(stamped.token).decode()


async def proof_of_leaf(kernel: Kernel, leaf: bytes) -> InclusionFile:
    """
    Prove that somebody's leaf is in the log, without saying what it is of.

    Raises:
        NotFound: It is not, or stands there as a commitment, which only a receipt can open.
    """
    log = kernel.transparency
    async with kernel.db.pool.acquire() as connection:
        number = await connection.fetchval(_OF_HASH, leaf_hash(leaf))
        head = None if number is None else await _head_over(connection, number)
        if number is None or head is None:
            raise NotFound(
                "日志中没有这个摘要；若该记录仍在保密期，请使用回执文件核验。",
                "The log has no such hash; what is still secret can only be checked with its receipt file.",
            )
        proof = await log.prover.inclusion(connection, number, head.size)
    return InclusionFile(number, tuple(proof), await log.note_of(head))


async def commitments_of(kernel: Kernel, stream: str, *, after: int) -> tuple[Opened, ...]:
    """List the commitments of a stream behind a version, once they may be public; at most ``COMMITMENTS_MAX``."""
    opening = sorted({kind for kinds in COMMITTED.values() for kind in kinds})
    rows = await kernel.db.pool.fetch(_PUBLISHED, stream, after, opening, COMMITMENTS_MAX)
    return tuple(Opened(row[0], row[1], row[2].hex(), row[3].hex()) for row in rows)


async def _head_over(connection: Connection, number: int) -> Head | None:
    head = await queries.head(connection)
    return head if head and head.size > number else None
