"""Audiences: who watches decides what is shown, and one frame serves a whole audience."""

from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID


class Standing(StrEnum):
    """As what somebody watches."""

    PUBLIC = "public"
    BIDDER = "bidder"
    HOST = "host"
    SUPERVISOR = "supervisor"  # sees what the host sees, and changes nothing


class Audience(NamedTuple):
    """Those who see the same: the public, the host, supervisors, or one bidder (named by ``supplier_id``)."""

    kind: Standing
    supplier_id: UUID | None = None

    @property
    def sees_as_host(self) -> bool:
        """Tell whether this audience is shown what the host is shown."""
        return self.kind is Standing.HOST or self.kind is Standing.SUPERVISOR


PUBLIC: Final = Audience(Standing.PUBLIC)
HOST: Final = Audience(Standing.HOST)
SUPERVISOR: Final = Audience(Standing.SUPERVISOR)
