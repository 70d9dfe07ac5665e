"""Who is asking: one value that every service and every query gets."""

from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec


class Role(StrEnum):
    """What somebody acts as. One account may have several."""

    PURCHASER = "purchaser"  # 采购人
    SUPPLIER = "supplier"  # 供应商
    SUPERVISOR = "supervisor"  # 监督管理部门
    OPERATOR = "operator"  # 平台运营
    PUBLIC = "public"  # 社会公众: whoever is not logged in


class Actor(msgspec.Struct, frozen=True):
    """The person (or the machine) behind a request; ``region`` is a GB/T 2260 code, empty for none."""

    user_id: UUID | None
    login: str
    name: str
    organisation_id: UUID | None
    organisation_name: str
    region: str
    roles: tuple[Role, ...]

    def has(self, role: Role) -> bool:
        """Tell whether the actor may act as ``role``."""
        return role in self.roles

    @property
    def journal(self) -> str:
        """The name that goes into the journal: ``user/<uuid>``, ``system/<name>`` or ``public``."""
        return f"user/{self.user_id}" if self.user_id else self.login


PUBLIC_ACTOR: Final = Actor(None, "public", "", None, "", "", (Role.PUBLIC,))


def system_actor(name: str) -> Actor:
    """Make the actor of a worker or a command of ours, such as ``system/worker``."""
    return Actor(None, f"system/{name}", name, None, "", "", (Role.OPERATOR,))
