"""
Reverse auctions: what purchasers, suppliers and the worker can have done, and what can be read of it.

Every change goes through the committer of live trading, so that the host's acts and the offers to one auction are
decided from one cache and do not clash within a process.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from catalog.agreements.service import AGREEMENT
from catalog.products.service import PRODUCT
from kernel.access.actors import Actor, Role, system_actor
from kernel.commit.by import By
from kernel.commit.command import Command, Decided, Happened, Key, States
from kernel.ids import public_number, uuid7
from kernel.journal import queries as journal
from kernel.journal.streams import StreamRef, decoder
from kernel.paging import Page, decode_cursor, encode_cursor
from kernel.problems import Forbidden, Invalid, NotFound, Problem, Refused
from kernel.runtime import Kernel
from market.auctions import queries
from market.auctions.lifecycle import (
    ENDED,
    Admission,
    Auction,
    AuctionStage,
    AuctionTerms,
    Drafted,
    Event,
    evolve,
)
from market.auctions.queries import (
    AUCTION,
    AuctionDetail,
    AuctionRow,
    AuctionScope,
    Invited,
    RecordLine,
    You,
    record_line,
    you_of,
)
from market.auctions.rules import (
    TEXTS,
    Accepted,
    HostRefusal,
    Offer,
    Refusal,
    TermsFault,
    check_terms,
    decide_award,
    decide_close,
    decide_edit,
    decide_fail,
    decide_offer,
    decide_pause,
    decide_publish,
    decide_resume,
    decide_start,
    decide_withdraw,
    discloses_best,
    frozen_items,
    highest_allowed,
    repeated,
)
from registries.organisations.service import ORGANISATION

__all__ = [
    "AUCTION",
    "AuctionDetail",
    "AuctionDone",
    "AuctionRow",
    "AuctionScope",
    "Bidder",
    "RecordLine",
    "You",
    "you_of",
]

DUE_MAX: Final = 200
WORKER: Final = system_actor("worker")
RESENT_VERSIONS_MAX: Final = 20_000
"""How far back an offer that was sent again is looked for."""

Ref = StreamRef[Auction, Event]
_Decision = Decided[Accepted] | Problem  # named, for it would be made anew with each offer's function
Decide = Callable[[Auction, States], Event | tuple[Event, ...] | HostRefusal]


class Bidder(NamedTuple):
    """The organisation that offers, and the name it goes by in the record."""

    supplier_id: UUID
    name: str


class AuctionDone(msgspec.Struct, frozen=True):
    """Where an auction stands after an act."""

    auction_id: UUID
    number: str
    version: int
    stage: AuctionStage


def refused(refusal: Refusal, auction: Auction, supplier_id: UUID) -> Refused:
    """Say in both languages why an offer is refused, and what would not be."""
    zh, en = TEXTS[refusal]
    if refusal in (Refusal.STEP_TOO_SMALL, Refusal.ABOVE_CEILING):
        highest_fen = highest_allowed(auction, auction.standings.get(supplier_id))
        return Refused(zh, en, reason=refusal.value, highest_allowed_fen=highest_fen)
    return Refused(zh, en, reason=refusal.value)


def _faulty(fault: TermsFault) -> Invalid:
    zh, en = TEXTS[fault]
    return Invalid(zh, en, reason=fault.value, field="terms")


def _absent() -> NotFound:
    return NotFound("没有这场竞价，或您无权查看。", "There is no such auction, or it is not yours to see.")


# Commands.


async def create_draft(kernel: Kernel, by: By, terms: AuctionTerms) -> AuctionDone:
    """
    Draft an auction; items of the catalogue get their name and specification frozen.

    Raises:
        Forbidden: the caller belongs to no organisation.
        Invalid: the terms have a fault, or somebody invited is no supplier in good standing.
    """
    purchaser_id = _own_organisation(by.actor)
    terms = await _normal(kernel, terms)
    ref = AUCTION.ref(uuid7(by.at))
    number = public_number("JJ", by.at, ref.id)

    def decide(states: States) -> Decided[AuctionDone] | Problem:
        frozen = _frozen(terms, states, purchaser_id)
        if isinstance(frozen, TermsFault):
            return _faulty(frozen)
        event = Drafted(number, purchaser_id, by.actor.organisation_name, by.actor.region, frozen)
        return Decided(AuctionDone(ref.id, number, 1, AuctionStage.DRAFT), [Happened(ref, event)])

    return await kernel.live_committer.submit(by.command([ref, *_products(terms)], decide, AuctionDone))


async def edit_draft(kernel: Kernel, by: By, auction_id: UUID, terms: AuctionTerms) -> AuctionDone:
    """Replace the terms of a draft. Raises as :func:`create_draft`, and ``Refused`` once it is published."""
    terms = await _normal(kernel, terms)

    def edit(auction: Auction, states: States) -> Event | HostRefusal:
        frozen = _frozen(terms, states, auction.purchaser_id)
        if isinstance(frozen, TermsFault):
            raise _faulty(frozen)
        return decide_edit(auction, frozen)

    return await _host(kernel, by, auction_id, edit, reads=_products(terms))


async def publish(kernel: Kernel, by: By, auction_id: UUID) -> AuctionDone:
    """Announce a draft; from now on its terms and its bidders are frozen. Raises ``NotFound``, ``Refused``."""
    draft = await auction_of(kernel, by.actor, auction_id)
    purchaser, agreement_id = ORGANISATION.ref(draft.purchaser_id), draft.terms.agreement_id
    agreement = AGREEMENT.ref(agreement_id) if agreement_id else None

    def announce(auction: Auction, states: States) -> Event | HostRefusal:
        if auction.terms.agreement_id != agreement_id:
            return HostRefusal.AGREEMENT_INVALID  # edited since it was read: whoever publishes looks again
        admitting = states.get(agreement) if agreement else None
        return decide_publish(auction, states.get(purchaser), admitting, by.at)

    return await _host(kernel, by, auction_id, announce, reads=[purchaser, *([agreement] if agreement else [])])


async def withdraw(kernel: Kernel, by: By, auction_id: UUID, reason: str) -> AuctionDone:
    """Withdraw what has not started. Raises ``NotFound``, ``Refused``."""
    return await _host(kernel, by, auction_id, lambda auction, _: decide_withdraw(auction, reason, by.at))


async def pause(kernel: Kernel, by: By, auction_id: UUID, reason: str) -> AuctionDone:
    """Stop the clock of a running auction. Raises ``NotFound``, ``Refused``."""
    return await _host(kernel, by, auction_id, lambda auction, _: decide_pause(auction, reason, by.at))


async def resume(kernel: Kernel, by: By, auction_id: UUID, reason: str) -> AuctionDone:
    """Let a paused auction go on with the time that was left. Raises ``NotFound``, ``Refused``."""
    return await _host(kernel, by, auction_id, lambda auction, _: decide_resume(auction, reason, by.at))


async def award(kernel: Kernel, by: By, auction_id: UUID, reason: str) -> AuctionDone:
    """
    Award a closed auction to the first of its ranking, where the log's witnesses can see it.

    Raises:
        NotFound, Refused: as every act of the host.
        Unavailable: too few witnesses answer; or the award is recorded and they have not confirmed it yet.
    """
    auction = await auction_of(kernel, by.actor, auction_id)
    purchaser = ORGANISATION.ref(auction.purchaser_id)
    winner = ORGANISATION.ref(auction.ladder[0].supplier_id) if auction.ladder else None

    def settle(auction: Auction, states: States) -> Event | HostRefusal:
        first = states.get(winner) if winner and auction.ladder[0].supplier_id == winner.id else None
        return decide_award(auction, states.get(purchaser), first, reason)

    await kernel.transparency.require_witnesses()
    done = await _host(kernel, by, auction_id, settle, reads=[purchaser, *([winner] if winner else [])])
    await kernel.transparency.seal(str(AUCTION.ref(auction_id)), done.version, "auction.awarded")
    return done


async def fail(kernel: Kernel, by: By, auction_id: UUID, reason: str) -> AuctionDone:
    """Declare a closed or a paused auction failed. Raises ``NotFound``, ``Refused``."""
    return await _host(kernel, by, auction_id, lambda auction, _: decide_fail(auction, reason))


def bidder_of(actor: Actor) -> Bidder | None:
    """Tell for whom an actor may offer."""
    if actor.organisation_id is None or not actor.has(Role.SUPPLIER):
        return None
    return Bidder(actor.organisation_id, actor.organisation_name)


def offer_command(
    ref: Ref,
    bidder: Bidder,
    *,
    price_fen: int,
    offer_key: str,
    actor: str,
    origin: str,
    at: datetime,
    key: Key | None = None,
) -> Command[Accepted]:
    """Make the command of one offer; the hall posts it without a task of its own."""
    offer = Offer(bidder.supplier_id, bidder.name, price_fen, offer_key)

    def decide(states: States) -> _Decision:
        auction = states.get(ref)
        if auction is None or auction.published_at is None:
            return _absent()
        decision = decide_offer(auction, offer, at)
        if isinstance(decision, Refusal):
            return refused(decision, auction, bidder.supplier_id)
        accepted, events = decision
        return Decided(accepted, [Happened(ref, event) for event in events])

    return Command((ref,), decide, actor, origin, at, key, Accepted)


async def offer(kernel: Kernel, by: By, auction_id: UUID, *, price_fen: int, offer_key: str, resent: bool) -> Accepted:
    """
    Offer a price; answered once it is durable. A retry with the same ``offer_key`` never offers twice.

    ``resent`` says that an earlier try may have arrived: a refusal is then checked against the journal.

    Raises:
        Forbidden: the caller is no supplier.
        NotFound: there is no such auction for the caller.
        Refused: with the ``reason``, and with ``highest_allowed_fen`` where the price is the matter.
    """
    bidder = bidder_of(by.actor)
    if bidder is None:
        raise Forbidden("只有供应商可以报价。", "Only suppliers can offer.")
    command = offer_command(
        AUCTION.ref(auction_id),
        bidder,
        price_fen=price_fen,
        offer_key=offer_key,
        actor=by.actor.journal,
        origin=by.origin,
        at=by.at,
        key=by.key,
    )
    try:
        return await kernel.live_committer.submit(command)
    except Refused:
        found = await accepted_before(kernel, auction_id, bidder, price_fen, offer_key) if resent else None
        if found is None:
            raise
        return found


async def accepted_before(
    kernel: Kernel, auction_id: UUID, bidder: Bidder, price_fen: int, offer_key: str
) -> Accepted | None:
    """
    Find an accepted offer whose sender may not know of it, though it has offered again since.

    The state holds a bidder's last offer only; this asks the journal, ``RESENT_VERSIONS_MAX`` versions back.
    """
    found = (await AUCTION.load(kernel.db.pool, [auction_id])).get(auction_id)
    if found is None:
        return None
    after = max(0, found.version - RESENT_VERSIONS_MAX)
    before = await queries.accepted_before(kernel.db.pool, auction_id, bidder.supplier_id, offer_key, after=after)
    if before is None or before[1] != price_fen:
        return None
    return repeated(found.state, bidder.supplier_id, key=offer_key, version=before[0], price_fen=price_fen)


async def start_or_close(kernel: Kernel, auction_id: UUID, at: datetime) -> bool:
    """Start or close an auction if that is due at ``at``; tell whether anything happened. Twice is harmless."""
    ref = AUCTION.ref(auction_id)

    drain = timedelta(seconds=kernel.settings.drain_s)

    def decide(states: States) -> Decided[bool] | Problem:
        auction = states.get(ref)
        if auction is None:
            return _absent()
        events = decide_start(auction, at) or decide_close(auction, at, drain)
        return Decided(bool(events), [Happened(ref, event) for event in events])

    return await kernel.live_committer.submit(Command((ref,), decide, WORKER.journal, "local", at))


async def falling_due(kernel: Kernel, at: datetime) -> list[UUID]:
    """List at most ``DUE_MAX`` auctions that are to be started or closed."""
    drain = timedelta(seconds=kernel.settings.drain_s)
    return await queries.falling_due(kernel.db.pool, at, drain=drain, limit=DUE_MAX)


async def _host(kernel: Kernel, by: By, auction_id: UUID, act: Decide, *, reads: Sequence[Any] = ()) -> AuctionDone:
    """Have the purchaser's act decided; an auction of others is not found."""
    ref = AUCTION.ref(auction_id)
    purchaser_id = _own_organisation(by.actor)

    def decide(states: States) -> Decided[AuctionDone] | Problem:
        auction = states.get(ref)
        if auction is None or auction.purchaser_id != purchaser_id:
            return _absent()
        decision = act(auction, states)
        if isinstance(decision, HostRefusal):
            return Refused(*TEXTS[decision], reason=decision.value, stage=auction.stage.value)
        events = decision if isinstance(decision, tuple) else (decision,)
        after = auction
        for event in events:
            after = evolve(after, event, by.at)
        done = AuctionDone(auction_id, after.number, after.version, after.stage)
        return Decided(done, [Happened(ref, event) for event in events])

    return await kernel.live_committer.submit(by.command([ref, *reads], decide, AuctionDone))


def _own_organisation(actor: Actor) -> UUID:
    if actor.organisation_id is None:
        raise Forbidden("您的账号不属于任何单位。", "Your account belongs to no organisation.")
    return actor.organisation_id


async def _normal(kernel: Kernel, terms: AuctionTerms) -> AuctionTerms:
    """Check that who is invited can be, and write the start in UTC."""
    if terms.admission is Admission.INVITED and terms.invited:
        async with kernel.db.read() as tx:
            known = await queries.names_of(tx, terms.invited)
        unknown = [str(supplier_id) for supplier_id in terms.invited if supplier_id not in known]
        if unknown:
            raise Invalid(
                "邀请名单中有不存在或已暂停的供应商。",
                "The invited include unknown or suspended suppliers.",
                field="terms.invited",
                unknown=list[Any](unknown),
            )
    return msgspec.structs.replace(terms, starts_at=terms.starts_at.astimezone(UTC))


def _products(terms: AuctionTerms) -> list[Any]:
    return [PRODUCT.ref(product_id) for product_id in {item.product_id for item in terms.items if item.product_id}]


def _frozen(terms: AuctionTerms, states: States, purchaser_id: UUID) -> AuctionTerms | TermsFault:
    products = {ref.id: states.get(ref) for ref in _products(terms)}
    items = frozen_items(terms.items, products)
    if isinstance(items, TermsFault):
        return items
    frozen = msgspec.structs.replace(terms, items=items)
    return check_terms(frozen, purchaser_id=purchaser_id) or frozen


# What can be read.


async def list_auctions(
    kernel: Kernel,
    actor: Actor,
    *,
    scope: AuctionScope,
    stage: AuctionStage | None,
    text: str,
    cursor: str | None,
    limit: int,
) -> Page[AuctionRow]:
    """List the auctions that a caller may see. Raises ``Invalid`` on a bad cursor."""
    async with kernel.db.read() as tx:
        return await queries.find(tx, actor, scope=scope, stage=stage, text=text, cursor=cursor, limit=limit)


async def auction_of(kernel: Kernel, actor: Actor, auction_id: UUID) -> Auction:
    """Read the state of an auction that a caller may see. Raises ``NotFound``."""
    async with kernel.db.read() as tx:
        if not await queries.is_visible(tx, actor, auction_id):
            raise _absent()
    found = await AUCTION.load(kernel.db.pool, [auction_id])
    return found[auction_id].state


async def detail(kernel: Kernel, actor: Actor, auction_id: UUID) -> AuctionDetail:
    """Show an auction to a caller who may see it. Raises ``NotFound``."""
    auction = await auction_of(kernel, actor, auction_id)
    hosting = auction.purchaser_id == actor.organisation_id
    invited: tuple[Invited, ...] = ()
    if hosting:
        async with kernel.db.read() as tx:
            names = await queries.names_of(tx, auction.admitted or auction.terms.invited)
        invited = tuple(Invited(id_, name) for id_, name in sorted(names.items(), key=lambda each: each[1]))
    bidder = bidder_of(actor)
    may_bid = bidder is not None and bidder.supplier_id in auction.admitted
    winner = auction.standings[auction.awarded_to] if auction.awarded_to else None
    best = auction.ladder[0].price_fen if auction.ladder and discloses_best(auction, hosting=hosting) else None
    return AuctionDetail(
        auction_id=auction_id,
        number=auction.number,
        version=auction.version,
        purchaser_id=auction.purchaser_id,
        purchaser_name=auction.purchaser_name,
        region=auction.region,
        stage=auction.stage,
        terms=auction.terms if hosting else msgspec.structs.replace(auction.terms, invited=()),
        created_at=auction.created_at,
        published_at=auction.published_at,
        closes_at=auction.closes_at,
        remaining_ms=auction.remaining_ms,
        extensions=auction.extensions,
        short_extended=auction.short_extended,
        bidders=len(auction.standings),
        offers=auction.offers,
        best_fen=best,
        admitted=len(auction.admitted),
        hosting=hosting,
        you=you_of(auction, bidder.supplier_id) if bidder and may_bid else None,
        invited=invited,
        winner=winner.name if winner else None,
        awarded_fen=winner.price_fen if winner else None,
        ended_at=auction.ended_at,
        cause=auction.cause,
        reason=auction.reason,
        server_at=kernel.clock.now(),
    )


async def record(kernel: Kernel, actor: Actor, auction_id: UUID, *, cursor: str | None, limit: int) -> Page[RecordLine]:
    """
    Replay an auction's record from the journal alone, once no offer can come any more.

    Bidders are labels until the award, then names as well. Raises ``NotFound``, ``Refused`` before the close.
    """
    auction = await auction_of(kernel, actor, auction_id)
    if auction.stage not in ENDED:
        raise Refused(
            "竞价截止后才能查看完整记录。", "The record opens once the auction has closed.", reason="not-closed"
        )
    after = decode_cursor(cursor, (int,))[0] if cursor else 0
    ref = AUCTION.ref(auction_id)
    decode = decoder(AUCTION)
    lines: list[RecordLine] = []
    state: Auction | None = None
    version = 0
    named = auction.stage is AuctionStage.AWARDED
    while len(lines) <= limit:
        entries = await journal.read(kernel.db.pool, str(ref), after=version, limit=2_000)
        for entry in entries:
            event = decode(entry.body)
            state = evolve(state, event, entry.at)
            version = entry.version
            if version > after and len(lines) <= limit:
                lines.append(record_line(entry, event, state, named=named))
        if not entries:
            break
    more = len(lines) > limit
    shown = tuple(lines[:limit])
    return Page(shown, encode_cursor((shown[-1].version,)) if more else None)
