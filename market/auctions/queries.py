"""
Every statement about auctions.

States travel by raw asyncpg: a batch of offers to fifty auctions is one statement with seven texts, whatever the
number of offers.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.access.actors import Actor
from kernel.journal import lines
from kernel.journal import queries as journal
from kernel.journal.entry import Entry
from kernel.journal.streams import Change, Connection, StreamKind, Versioned
from kernel.paging import Page, decode_cursor, page_of
from market.auctions.lifecycle import (
    ENDED,
    OPEN,
    Auction,
    AuctionStage,
    AuctionTerms,
    Awarded,
    Cause,
    Event,
    Extended,
    Failed,
    Offered,
    Paused,
    Resumed,
    Rung,
    Standing,
    Started,
    Visibility,
    Withdrawn,
    due,
    evolve,
)
from market.auctions.rules import discloses_ranks, highest_allowed, rank
from market.auctions.tables import auction_standings, auctions
from registries.organisations.tables import organisations

_STORED: Final = (
    "number", "purchaser_id", "purchaser_name", "region", "created_at", "stage", "published_at", "live_from",
    "closes_at", "remaining_ms", "extensions", "short_extended", "awarded_to", "ended_at", "cause", "reason",
)  # fmt: skip
"""Fields of the state that are columns of ``auctions`` as they are."""

_DERIVED: Final = (
    "id", "terms", "admitted", "barred", "title", "ceiling_fen", "visibility", "starts_at", "bidder_ids", "next_due_at",
)  # fmt: skip
_COLUMNS: Final = (*_STORED, *_DERIVED)
_LOAD: Final = (
    f"select id, terms, admitted, barred, {', '.join(_STORED)}, version, offers, standings "
    "from auctions join auction_standings using (id) where id = any($1::uuid[])"
)
_SAVE: Final = (
    f"insert into auctions ({', '.join(_COLUMNS)}) values ({', '.join(f'${n}' for n in range(1, len(_COLUMNS) + 1))}) "
    f"on conflict (id) do update set {', '.join(f'{c} = excluded.{c}' for c in _COLUMNS if c != 'id')}"
)
_CHANGED: Final = """
select id::uuid, version::bigint, ceiling_fen::bigint, bidders::int, offers::bigint, nullif(best_fen, '0')::bigint,
       standings
from unnest(string_to_array($1, E'\\n'), string_to_array($2, E'\\n'), string_to_array($3, E'\\n'),
            string_to_array($4, E'\\n'), string_to_array($5, E'\\n'), string_to_array($6, E'\\n'),
            string_to_array(convert_from($7, 'UTF8'), E'\\n'))
    as u(id, version, ceiling_fen, bidders, offers, best_fen, standings)
"""
"""Rows of ``auction_standings``, each column a text with a line a row, as the journal's travel."""
_SAVE_STANDINGS: Final = f"""
insert into auction_standings (id, version, ceiling_fen, bidders, offers, best_fen, standings) {_CHANGED}
on conflict (id) do update set version = excluded.version, ceiling_fen = excluded.ceiling_fen,
    bidders = excluded.bidders, offers = excluded.offers, best_fen = excluded.best_fen, standings = excluded.standings
    where auction_standings.version < excluded.version
"""
"""A newer row stays: one that was put off may be written when another process has written one since."""
_DUE: Final = """
select id from auctions
where next_due_at <= $1 and (stage = 'published' or next_due_at <= $1 - $2::interval)
order by next_due_at limit $3
"""
_ACCEPTED_BEFORE: Final = """
select version, body from journal
where stream = $1 and version > $2 and kind = 'auction.offered'
  and convert_from(body, 'UTF8')::jsonb @> jsonb_build_object('supplier_id', $3::text, 'key', $4::text)
order by version desc limit 1
"""

_terms: Final = msgspec.json.Decoder(AuctionTerms).decode
_standings: Final = msgspec.json.Decoder(dict[UUID, Standing]).decode
_event: Final = msgspec.json.Decoder(Event).decode
_offered: Final = msgspec.json.Decoder(Offered).decode
_encode: Final = msgspec.json.Encoder().encode


async def _load(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Versioned[Auction]]:
    found: dict[UUID, Versioned[Auction]] = {}
    for row in await connection.fetch(_LOAD, ids):
        places = _standings(row["standings"])
        ladder = sorted(Rung(p.price_fen, p.received_at, p.version, supplier) for supplier, p in places.items())
        fields = {name: row[name] for name in (*_STORED, "version", "offers")}
        fields["stage"] = AuctionStage(row["stage"])
        fields["cause"] = Cause(row["cause"]) if row["cause"] else None
        state = Auction(
            **fields,
            terms=_terms(row["terms"]),
            admitted=frozenset(row["admitted"]),
            barred=frozenset(row["barred"]),
            standings=places,
            ladder=tuple(ladder),
        )
        found[row["id"]] = Versioned(row["version"], state)
    return await _brought_up(connection, found)


async def _brought_up(connection: Connection, found: dict[UUID, Versioned[Auction]]) -> dict[UUID, Versioned[Auction]]:
    """Replay what the journal has behind the rows: they may lag while offers come by the hundred (ADR-0068)."""
    rows = {str(AUCTION.ref(id_)): id_ for id_ in found}
    behind = [(name, found[id_].version) for name, id_ in rows.items()]
    for entry in await journal.read_many(connection, behind) if behind else ():
        id_ = rows[entry.stream]
        found[id_] = Versioned(entry.version, evolve(found[id_].state, _event(entry.body), entry.at))
    return found


async def _save(connection: Connection, changes: Sequence[Change[Auction, Event]]) -> None:
    """Write the rows of ``changes``: where those who have bid before did so again, the narrow row alone."""
    wide = [_row(change) for change in changes if not _only_offers(change)]
    if wide:
        await connection.executemany(_SAVE, wide)
    await connection.execute(_SAVE_STANDINGS, *_standings_columns(changes))


def _only_offers(change: Change[Auction, Event]) -> bool:
    """Tell whether nothing but places has changed: offers of those who have bid before, and the close where it was."""
    before, after = change.before, change.after
    return (
        before is not None
        and len(before.standings) == len(after.standings)
        and before.extensions == after.extensions
        and after.offers - before.offers == len(change.events)
    )


def _standings_columns(changes: Sequence[Change[Auction, Event]]) -> list[str | bytes]:
    after = [change.after for change in changes]
    return [
        lines.plain([change.id for change in changes]),
        lines.numbers([change.version for change in changes]),
        lines.numbers([auction.terms.ceiling_fen for auction in after]),
        lines.numbers([len(auction.standings) for auction in after]),
        lines.numbers([auction.offers for auction in after]),
        lines.numbers([auction.ladder[0].price_fen if auction.ladder else 0 for auction in after]),
        b"\n".join([_encode(auction.standings) for auction in after]),
    ]


def _row(change: Change[Auction, Event]) -> tuple[Any, ...]:
    after = change.after
    assert after.version == change.version
    falls_due = due(after)
    terms = after.terms
    return (
        *(getattr(after, name) for name in _STORED),
        change.id,
        _encode(terms).decode(),
        sorted(after.admitted),
        sorted(after.barred),
        terms.title,
        terms.ceiling_fen,
        terms.visibility.value,
        terms.starts_at,
        list(after.standings),
        falls_due[0] if falls_due else None,
    )


AUCTION: Final[StreamKind[Auction, Event]] = StreamKind(
    "auction", Event, evolve, _load, _save, in_one=True, heard=True, may_lag=_only_offers
)

_a: Final = auctions.c
_s: Final = auction_standings.c


class AuctionScope(StrEnum):
    """Which auctions a list shows."""

    ALL = "all"
    OPEN = "open"  # announced, running or paused
    MINE = "mine"  # the purchaser's own; for a supplier those it has bid in
    INVITED = "invited"  # those that the supplier may bid in
    ENDED = "ended"


class AuctionRow(msgspec.Struct, frozen=True):
    """
    An auction as lists show it.

    ``best_fen`` is there for the purchaser, for all once the close has come, and before that as far as the terms
    let bidders see it. ``admitted`` tells whether the caller may bid.
    """

    auction_id: UUID
    number: str
    title: str
    purchaser_id: UUID
    purchaser_name: str
    region: str
    stage: AuctionStage
    starts_at: datetime
    closes_at: datetime | None
    ceiling_fen: int
    visibility: Visibility
    bidders: int
    offers: int
    best_fen: int | None
    admitted: bool
    created_at: datetime
    published_at: datetime | None
    ended_at: datetime | None


class You(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    A bidder's own place: ``label`` is empty before the first offer, ``rank`` also where the terms hide it.

    ``highest_allowed_fen`` is what the next offer may be at most; below 1 no lower offer is possible.
    """

    highest_allowed_fen: int
    label: int | None = None
    price_fen: int | None = None
    rank: int | None = None
    offers: int = 0


def you_of(auction: Auction, supplier_id: UUID) -> You:
    """Show a bidder its own place."""
    own = auction.standings.get(supplier_id)
    highest = highest_allowed(auction, own)
    if own is None:
        return You(highest)
    place = rank(auction, supplier_id) if discloses_ranks(auction, hosting=False) else None
    return You(highest, own.label, own.price_fen, place, own.offers)


class Invited(msgspec.Struct, frozen=True):
    organisation_id: UUID
    name: str


class AuctionDetail(msgspec.Struct, frozen=True):
    """
    An auction with its terms. ``terms.invited`` is empty and ``invited`` absent for all but the purchaser.

    ``server_at`` is when it was read: what is live comes from the hall.
    """

    auction_id: UUID
    number: str
    version: int
    purchaser_id: UUID
    purchaser_name: str
    region: str
    stage: AuctionStage
    terms: AuctionTerms
    created_at: datetime
    published_at: datetime | None
    closes_at: datetime | None
    remaining_ms: int | None
    extensions: int
    short_extended: bool
    bidders: int
    offers: int
    best_fen: int | None
    admitted: int
    hosting: bool
    you: You | None
    invited: tuple[Invited, ...]
    winner: str | None
    awarded_fen: int | None
    ended_at: datetime | None
    cause: Cause | None
    reason: str
    server_at: datetime


class RecordLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry of an auction's record, as the journal has it; ``leaf`` is its hash, in hex."""

    version: int
    at: datetime
    kind: str
    leaf: str
    label: int | None = None
    name: str | None = None
    price_fen: int | None = None
    closes_at: datetime | None = None
    reason: str | None = None
    cause: Cause | None = None


def record_line(entry: Entry, event: Event, after: Auction, *, named: bool) -> RecordLine:
    """Show one entry to everybody: a bidder by its label, and by its name once the award has been made."""
    supplier_id = event.supplier_id if isinstance(event, Offered | Awarded) else None
    bidder = after.standings[supplier_id] if supplier_id else None
    return RecordLine(
        version=entry.version,
        at=entry.at,
        kind=entry.kind,
        leaf=entry.leaf.hex(),
        label=bidder.label if bidder else None,
        name=bidder.name if bidder and named else None,
        price_fen=event.price_fen if isinstance(event, Offered | Awarded) else None,
        closes_at=event.closes_at if isinstance(event, Started | Offered | Resumed | Extended) else None,
        reason=event.reason if isinstance(event, Paused | Resumed | Awarded | Failed | Withdrawn) else None,
        cause=event.cause if isinstance(event, Failed) else None,
    )


def visible_to(actor: Actor) -> sa.ColumnElement[bool]:
    """Tell which auctions a caller may see: what was published, and the drafts of its own organisation."""
    if actor.organisation_id is None:
        return _a.published_at.is_not(None)
    return _a.published_at.is_not(None) | (_a.purchaser_id == actor.organisation_id)


async def is_visible(tx: AsyncConnection, actor: Actor, auction_id: UUID) -> bool:
    """Tell whether a caller may see an auction at all."""
    return (await tx.execute(sa.select(_a.id).where(_a.id == auction_id, visible_to(actor)))).first() is not None


async def find(
    tx: AsyncConnection,
    actor: Actor,
    *,
    scope: AuctionScope,
    stage: AuctionStage | None,
    text: str,
    cursor: str | None,
    limit: int,
) -> Page[AuctionRow]:
    """List auctions, the newest first; ``text`` is a part of the title or the number."""
    own: Any = _a.purchaser_id == actor.organisation_id if actor.organisation_id else sa.false()
    may_bid: Any = _a.admitted.contains([actor.organisation_id]) if actor.organisation_id else sa.false()
    disclosed = own | _a.stage.in_(ENDED) | _a.visibility.in_([Visibility.BEST, Visibility.BOTH])
    statement = (
        sa.select(
            _a.id.label("auction_id"),
            *(_a.number, _a.title, _a.purchaser_id, _a.purchaser_name, _a.region, _a.stage, _a.starts_at),
            *(_a.closes_at, _a.ceiling_fen, _a.visibility, _s.offers, _a.created_at, _s.bidders),
            *(_a.published_at, _a.ended_at, may_bid.label("admitted")),
            sa.case((disclosed, _s.best_fen)).label("best_fen"),
        )
        .join_from(auctions, auction_standings, _a.id == _s.id)
        .where(visible_to(actor), *_within(scope, actor, own, may_bid))
        .order_by(_a.id.desc())
        .limit(limit + 1)
    )
    if stage:
        statement = statement.where(_a.stage == stage)
    if text:
        matches = _a.title.icontains(text, autoescape=True) | _a.number.contains(text.upper(), autoescape=True)
        statement = statement.where(matches)
    if cursor:
        statement = statement.where(_a.id < decode_cursor(cursor, (UUID,))[0])
    rows = (await tx.execute(statement)).all()
    return page_of(rows, limit, _listed, lambda row: (row.auction_id,))


def _within(scope: AuctionScope, actor: Actor, own: Any, may_bid: Any) -> Iterable[sa.ColumnElement[bool]]:
    match scope:
        case AuctionScope.ALL:
            return ()
        case AuctionScope.OPEN:
            return (_a.stage.in_(OPEN),)
        case AuctionScope.MINE:
            return (own | _a.bidder_ids.contains([actor.organisation_id]),)
        case AuctionScope.INVITED:
            return (may_bid, _a.published_at.is_not(None))
        case AuctionScope.ENDED:
            return (_a.stage.in_(ENDED),)


def _listed(row: object) -> AuctionRow:
    return msgspec.convert(row, AuctionRow, from_attributes=True)


async def names_of(tx: AsyncConnection, ids: Iterable[UUID]) -> dict[UUID, str]:
    """Name those of ``ids`` that are suppliers in good standing."""
    o = organisations.c
    found = sa.select(o.id, o.name).where(o.id.in_(tuple(ids)), o.kind == "supplier", o.status == "active")
    return {row.id: row.name for row in await tx.execute(found)}


async def falling_due(connection: Connection, now: datetime, *, drain: timedelta, limit: int) -> list[UUID]:
    """List the auctions that are to be started, or closed after the drain time, the longest overdue first."""
    return [row[0] for row in await connection.fetch(_DUE, now, drain, limit)]


async def accepted_before(
    connection: Connection, auction_id: UUID, supplier_id: UUID, key: str, *, after: int
) -> tuple[int, int] | None:
    """Find the (version, price in fen) of an accepted offer by its key, behind version ``after``."""
    row = await connection.fetchrow(_ACCEPTED_BEFORE, f"auction/{auction_id}", after, str(supplier_id), key)
    return (row["version"], _offered(row["body"]).price_fen) if row else None
