"""Audiences: who watches decides what is shown, and one frame serves a whole audience."""

from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID


class Standing(StrEnum):
    """As what somebody watches."""

    PUBLIC = "public"
    BIDDER = "bidder"
    HOST = "host"


class Audience(NamedTuple):
    """Those who see the same: the public, the host, or one bidder (named by ``supplier_id``)."""

    kind: Standing
    supplier_id: UUID | None = None


PUBLIC: Final = Audience(Standing.PUBLIC)
HOST: Final = Audience(Standing.HOST)
