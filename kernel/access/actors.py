"""Who is asking: one value that every service and every query gets."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from kernel.access.assurance import Method


class Role(StrEnum):
    """
    What somebody acts as. One account may have several, of one side only (:mod:`kernel.access.duties`).

    A supervisor's and an auditor's level and region are those of their organisation: a province sees all of it, a city
    its counties, a county itself (GB/T 2260).
    """

    PURCHASER = "purchaser"  # 采购人经办
    APPROVER = "approver"  # 采购人审批
    AGENCY = "agency"  # 采购代理机构
    SUPPLIER = "supplier"  # 供应商经办
    SIGNATORY = "signatory"  # 供应商签署人（法定代表人或授权代表）
    EXPERT = "expert"  # 评审专家
    SUPERVISOR = "supervisor"  # 监督管理部门
    AUDITOR = "auditor"  # 审计机关
    OPERATOR = "operator"  # 平台运营
    ADMINISTRATOR = "administrator"  # 单位管理员: of the own organisation and its accounts, whatever its side
    PUBLIC = "public"  # 社会公众: whoever is not logged in


PURCHASERS: Final = (Role.PURCHASER, Role.APPROVER)
SUPPLIERS: Final = (Role.SUPPLIER, Role.SIGNATORY)
OVERSEERS: Final = (Role.SUPERVISOR, Role.AUDITOR)


class Actor(msgspec.Struct, frozen=True):
    """The person (or the machine) behind a request; ``region`` is a GB/T 2260 code, empty for none."""

    user_id: UUID | None
    login: str
    name: str
    organisation_id: UUID | None
    organisation_name: str
    region: str
    roles: tuple[Role, ...]
    methods: tuple[Method, ...] = ()
    """How the account can prove who it is."""
    must_enrol: bool = False
    """Whether its second factors were reset, and none has been set up since."""

    def has(self, role: Role) -> bool:
        """Tell whether the actor may act as ``role``."""
        return role in self.roles

    def has_any(self, roles: Iterable[Role]) -> bool:
        """Tell whether the actor may act as one of ``roles``."""
        return any(role in self.roles for role in roles)

    @property
    def journal(self) -> str:
        """The name that goes into the journal: ``user/<uuid>``, ``system/<name>`` or ``public``."""
        return f"user/{self.user_id}" if self.user_id else self.login


PUBLIC_ACTOR: Final = Actor(None, "public", "", None, "", "", (Role.PUBLIC,))


def system_actor(name: str) -> Actor:
    """Make the actor of a worker or a command of ours, such as ``system/worker``."""
    return Actor(None, f"system/{name}", name, None, "", "", (Role.OPERATOR,))
