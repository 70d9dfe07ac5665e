"""
Separation of duties (职责分离): who must not be whom, as pure predicates.

Buying, selling, judging, overseeing and operating are sides. One account stands on one side, an organisation too;
what one hand has prepared another one approves.

Source: 政府采购法 第十四条, 第六十条 (the supervising department may neither set up a purchasing agency nor take part),
第六十一条 (who handles and who examines are different persons, 经办与验收分离); 政府采购法实施条例 第九条 (avoidance);
网络安全等级保护 GB/T 22239-2019 8.1.5 (administrators apart from business).
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final
from uuid import UUID

from kernel.access.actors import Actor, Role
from kernel.access.table import Action, Nature, Rule


class Side(StrEnum):
    """Where somebody stands in a procurement."""

    BUYING = "buying"
    SELLING = "selling"
    JUDGING = "judging"
    OVERSEEING = "overseeing"
    OPERATING = "operating"
    NOBODY = "nobody"


SIDES: Final[dict[Role, Side]] = {
    Role.PURCHASER: Side.BUYING,
    Role.APPROVER: Side.BUYING,
    Role.AGENCY: Side.BUYING,
    Role.SUPPLIER: Side.SELLING,
    Role.SIGNATORY: Side.SELLING,
    Role.EXPERT: Side.JUDGING,
    Role.SUPERVISOR: Side.OVERSEEING,
    Role.AUDITOR: Side.OVERSEEING,
    Role.OPERATOR: Side.OPERATING,
    Role.ADMINISTRATOR: Side.NOBODY,
    Role.PUBLIC: Side.NOBODY,
}
PARTIES: Final = frozenset({Side.BUYING, Side.SELLING, Side.JUDGING})
"""Sides that act in a procurement; whoever oversees or operates is none of them."""


class Clash(StrEnum):
    """Why somebody may not be the second hand, in order of precedence."""

    SAME_PERSON = "same-person"
    OTHER_ORGANISATION = "other-organisation"
    NOT_APPROVER = "not-approver"


def one_side(roles: Iterable[Role]) -> bool:
    """Tell whether roles may be held together: all stand on one side; an administrator stands on its organisation's."""
    held = frozenset(roles)
    return bool(held) and len({SIDES[role] for role in held - {Role.ADMINISTRATOR}}) <= 1


def decide_second_hand(handler_id: UUID, organisation_id: UUID, second: Actor) -> Clash | None:
    """
    Decide whether ``second`` may approve what ``handler_id`` prepared for an organisation (经办与审批分离).

    Who holds both roles may approve what others prepared, never the own.
    """
    if second.user_id == handler_id:
        return Clash.SAME_PERSON
    if second.organisation_id != organisation_id:
        return Clash.OTHER_ORGANISATION
    return None if second.has(Role.APPROVER) else Clash.NOT_APPROVER


def faults_of(table: Mapping[Action, Rule]) -> list[str]:
    """Name what in an access table breaks the separation of duties; empty when nothing does."""
    faults: list[str] = []
    for action, rule in table.items():
        for role in sorted(rule.roles):
            side = SIDES[role]
            if rule.nature is Nature.BUSINESS_ACT and side not in PARTIES:
                faults.append(f"{action}: {role} acts as a party")
            if rule.nature is Nature.BUSINESS_READ and side in {Side.OPERATING, Side.NOBODY}:
                faults.append(f"{action}: {role} sees business data")
            if rule.nature is Nature.OVERSIGHT and side in PARTIES | {Side.NOBODY}:
                faults.append(f"{action}: {role} oversees")
            if rule.nature is Nature.OPERATION and side is not Side.OPERATING:
                faults.append(f"{action}: {role} operates")
    return faults
