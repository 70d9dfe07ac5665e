"""Making offers, and what a supplier may change about its own."""

from functools import partial
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec

from catalog.agreements.service import AGREEMENT
from catalog.offers import queries
from catalog.offers.queries import OFFER, OfferRow
from catalog.offers.rules import (
    TEXTS,
    Event,
    Listed,
    Offer,
    Refusal,
    decide_list,
    decide_quota,
    decide_regions,
    decide_reprice,
    decide_shelve,
    decide_unshelve,
    evolve,
    offer_id_of,
)
from catalog.products.service import PRODUCT
from kernel.access.actors import Actor
from kernel.commit.by import By
from kernel.commit.command import Command, Decided, Happened, Key, States
from kernel.journal.streams import StreamRef
from kernel.paging import Page
from kernel.problems import NotFound, Problem, Refused
from kernel.runtime import Kernel
from registries.organisations.service import ORGANISATION

__all__ = [
    "OFFER",
    "OfferRow",
    "OfferState",
    "get_own",
    "list_offer",
    "own",
    "reprice",
    "set_quota",
    "set_regions",
    "shelve",
    "unshelve",
]

_ABSENT: Final = frozenset({Refusal.UNKNOWN, Refusal.NOT_YOURS})


async def list_offer(  # noqa: PLR0913  each by name
    kernel: Kernel,
    actor: Actor,
    *,
    product_id: UUID,
    supplier_id: UUID,
    agreement_id: UUID,
    package: int,
    agreement_price_fen: int,
    quota: int,
    regions: tuple[str, ...],
    price_fen: int | None = None,
    origin: str = "local",
    key: Key | None = None,
) -> UUID:
    """
    Put an offer on the shelf; without ``price_fen`` at the agreement price.

    Raises:
        Refused: see :class:`~catalog.offers.rules.Refusal`.
    """
    id_ = offer_id_of(product_id, agreement_id, supplier_id)
    price_fen = agreement_price_fen if price_fen is None else price_fen
    listed = Listed(id_, product_id, supplier_id, agreement_id, package, agreement_price_fen, price_fen, quota, regions)
    ref, product = OFFER.ref(id_), PRODUCT.ref(product_id)
    agreement, supplier = AGREEMENT.ref(agreement_id), ORGANISATION.ref(supplier_id)

    def decide(states: States) -> Decided[UUID] | Problem:
        decision = decide_list(
            states.get(ref),
            listed,
            product=states.get(product),
            agreement=states.get(agreement),
            supplier=states.get(supplier),
        )
        if isinstance(decision, Refusal):
            return _problem(decision)
        return Decided(id_, [Happened(ref, decision)])

    streams: list[StreamRef[Any, Any]] = [ref, product, agreement, supplier]
    return await kernel.committer.submit(Command(streams, decide, actor.journal, origin, kernel.clock.now(), key, UUID))


class OfferState(msgspec.Struct, frozen=True):
    """An offer as a change leaves it: a retry with the same key gets the very same answer."""

    offer_id: UUID
    revision: int
    agreement_price_fen: int
    price_fen: int
    quota: int
    reserved: int
    consumed: int
    available: int
    regions: tuple[str, ...]
    on_shelf: bool


async def reprice(kernel: Kernel, by: By, offer_id: UUID, price_fen: int) -> OfferState:
    """Change the price of an own offer, never above the agreement price; raises ``NotFound``, ``Refused``."""
    return await _change(kernel, by, offer_id, partial(decide_reprice, price_fen=price_fen))


async def set_quota(kernel: Kernel, by: By, offer_id: UUID, quota: int) -> OfferState:
    """Change the quota of an own offer, never below what is reserved and sold; raises ``NotFound``, ``Refused``."""
    return await _change(kernel, by, offer_id, partial(decide_quota, quota=quota))


async def set_regions(kernel: Kernel, by: By, offer_id: UUID, regions: tuple[str, ...]) -> OfferState:
    """Change where an own offer is delivered to; raises ``NotFound``, ``Refused``."""
    return await _change(kernel, by, offer_id, partial(decide_regions, regions=regions))


async def shelve(kernel: Kernel, by: By, offer_id: UUID) -> OfferState:
    """Put an own offer back on the shelf (上架); raises ``NotFound``, ``Refused``."""
    return await _change(kernel, by, offer_id, decide_shelve)


async def unshelve(kernel: Kernel, by: By, offer_id: UUID, reason: str) -> OfferState:
    """Take an own offer off the shelf (下架); running orders go on; raises ``NotFound``, ``Refused``."""
    return await _change(kernel, by, offer_id, partial(decide_unshelve, reason=reason))


class _Decide(Protocol):
    def __call__(self, offer: Offer | None, *, supplier_id: UUID | None) -> Event | Refusal: ...


async def _change(kernel: Kernel, by: By, offer_id: UUID, decide: _Decide) -> OfferState:
    ref = OFFER.ref(offer_id)

    def decided(states: States) -> Decided[OfferState] | Problem:
        offer = states.get(ref)
        decision = decide(offer, supplier_id=by.actor.organisation_id)
        if isinstance(decision, Refusal):
            return _problem(decision)
        return Decided(_state(evolve(offer, decision, by.at)), [Happened(ref, decision)])

    return await kernel.committer.submit(by.command([ref], decided, OfferState))


def _state(offer: Offer) -> OfferState:
    return OfferState(
        offer_id=offer.id,
        revision=offer.revision,
        agreement_price_fen=offer.agreement_price_fen,
        price_fen=offer.price_fen,
        quota=offer.quota,
        reserved=offer.reserved,
        consumed=offer.consumed,
        available=offer.available,
        regions=offer.regions,
        on_shelf=offer.on_shelf,
    )


def _problem(refusal: Refusal) -> Problem:
    if refusal in _ABSENT:
        return NotFound("没有这个报价，或不是本单位的报价。", "There is no such offer, or it is not yours.")
    return Refused(*TEXTS[refusal], reason=refusal.value)


async def own(
    kernel: Kernel,
    actor: Actor,
    *,
    on_shelf: bool | None = None,
    text: str = "",
    cursor: str | None = None,
    limit: int = 20,
) -> Page[OfferRow]:
    """List the offers of the actor's organisation, the newest first."""
    if actor.organisation_id is None:
        return Page((), None)
    async with kernel.db.read() as tx:
        return await queries.own(
            tx, actor.organisation_id, on_shelf=on_shelf, text=text.strip(), cursor=cursor, limit=limit
        )


async def get_own(kernel: Kernel, actor: Actor, offer_id: UUID) -> OfferRow:
    """Read an own offer; raises ``NotFound``."""
    row = None
    if actor.organisation_id is not None:
        async with kernel.db.read() as tx:
            row = await queries.get_own(tx, actor.organisation_id, offer_id)
    if row is None:
        raise _problem(Refusal.UNKNOWN)
    return row
