"""
The access table: role × action. Every route names its action; the scope is in the queries' ``WHERE``.

An action that no role holds cannot be declared, and a role that is not named here may not do it.
"""

from enum import StrEnum
from typing import Final

from kernel.access.actors import Role

_ALL: Final = frozenset(Role)
_KNOWN: Final = frozenset(Role) - {Role.PUBLIC}
_PURCHASER: Final = frozenset({Role.PURCHASER})
_SUPPLIER: Final = frozenset({Role.SUPPLIER})
_PARTIES: Final = frozenset({Role.PURCHASER, Role.SUPPLIER, Role.SUPERVISOR})


class Action(StrEnum):
    """What can be done, as ``noun.verb``."""

    SYSTEM_READ = "system.read"
    SESSION_OPEN = "session.open"
    SESSION_READ = "session.read"
    SESSION_CLOSE = "session.close"
    REGION_READ = "region.read"
    ORGANISATION_READ = "organisation.read"
    CLASSIFICATION_READ = "classification.read"
    PRODUCT_READ = "product.read"
    AGREEMENT_READ = "agreement.read"
    OFFER_READ = "offer.read"
    OFFER_CHANGE = "offer.change"
    BUDGET_READ = "budget.read"
    ORDER_PLACE = "order.place"
    ORDER_READ = "order.read"
    ORDER_FULFIL = "order.fulfil"
    ORDER_RECEIVE = "order.receive"
    ORDER_CANCEL = "order.cancel"
    AUCTION_READ = "auction.read"
    AUCTION_HOST = "auction.host"
    AUCTION_OFFER = "auction.offer"


ACCESS: Final[dict[Action, frozenset[Role]]] = {
    Action.SYSTEM_READ: _ALL,
    Action.SESSION_OPEN: _ALL,
    Action.SESSION_READ: _ALL,
    Action.SESSION_CLOSE: _KNOWN,
    Action.REGION_READ: _ALL,
    Action.ORGANISATION_READ: _ALL,
    Action.CLASSIFICATION_READ: _ALL,
    Action.PRODUCT_READ: _ALL,
    Action.AGREEMENT_READ: _ALL,
    Action.OFFER_READ: _SUPPLIER,
    Action.OFFER_CHANGE: _SUPPLIER,
    Action.BUDGET_READ: frozenset({Role.PURCHASER, Role.SUPERVISOR}),
    Action.ORDER_PLACE: _PURCHASER,
    Action.ORDER_READ: _PARTIES,
    Action.ORDER_FULFIL: _SUPPLIER,
    Action.ORDER_RECEIVE: _PURCHASER,
    Action.ORDER_CANCEL: frozenset({Role.PURCHASER, Role.SUPPLIER}),
    Action.AUCTION_READ: _ALL,
    Action.AUCTION_HOST: _PURCHASER,
    Action.AUCTION_OFFER: _SUPPLIER,
}
