"""
Organisations and their unified social credit codes.

Source: GB 32100-2015 法人和其他组织统一社会信用代码编码规则; GB 11714-1997 全国组织机构代码编制规则.
"""

import re
from datetime import datetime
from enum import StrEnum
from typing import Final, assert_never
from uuid import UUID

import msgspec
from stdnum.cn import uscc

from registries.regions.rules import REGIONS, successor_of

NAME_LENGTH_MAX: Final = 100

_ALPHABET: Final = "0-9A-HJ-NPQRTUW-Y"
_FORM: Final = re.compile(f"[{_ALPHABET}]{{2}}[0-9]{{6}}[{_ALPHABET}]{{10}}")
_ORGANISATION_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)


class Kind(StrEnum):
    """What an organisation takes part as."""

    PURCHASER = "purchaser"  # 采购人
    SUPPLIER = "supplier"  # 供应商
    AGENCY = "agency"  # 采购代理机构
    EXPERTS = "experts"  # 评审专家库: to which experts' accounts belong
    SUPERVISOR = "supervisor"  # 监督管理部门
    AUDITOR = "auditor"  # 审计机关
    OPERATOR = "operator"  # 平台运营机构


class Status(StrEnum):
    """Whether the organisation may trade."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


class Refusal(StrEnum):
    """Why a step is refused, in order of precedence."""

    EXISTS = "organisation-exists"
    UNKNOWN = "organisation-unknown"
    NAME_WRONG = "name-wrong"
    CREDIT_CODE_WRONG = "credit-code-wrong"
    REGION_UNKNOWN = "region-unknown"
    REGION_ABOLISHED = "region-abolished"
    NOTHING_CHANGES = "nothing-changes"


TEXTS: Final[dict[Refusal, tuple[str, str]]] = {
    Refusal.EXISTS: ("单位已登记", "The organisation is registered already"),
    Refusal.UNKNOWN: ("单位不存在", "There is no such organisation"),
    Refusal.NAME_WRONG: (f"名称须为1至{NAME_LENGTH_MAX}字", f"A name has 1 to {NAME_LENGTH_MAX} characters"),
    Refusal.CREDIT_CODE_WRONG: (
        "统一社会信用代码不正确，请核对18位代码及校验位",
        "The unified social credit code is wrong; check its 18 characters",
    ),
    Refusal.REGION_UNKNOWN: ("区划代码不存在", "There is no such region"),
    Refusal.REGION_ABOLISHED: ("区划已撤销，请使用新的代码", "The region was abolished; use the code of its successor"),
    Refusal.NOTHING_CHANGES: ("没有变化", "Nothing would change"),
}


class Organisation(msgspec.Struct, frozen=True):
    """An organisation as it stands; ``region`` is a current GB/T 2260 code."""

    id: UUID
    kind: Kind
    name: str
    credit_code: str
    region: str
    status: Status
    registered_at: datetime


class Registered(msgspec.Struct, frozen=True, tag_field="kind", tag="organisation.registered"):
    """The organisation was entered in the register (登记)."""

    id: UUID
    category: Kind
    name: str
    credit_code: str
    region: str


class Renamed(msgspec.Struct, frozen=True, tag_field="kind", tag="organisation.renamed"):
    """The organisation has another name; the credit code stays."""

    name: str


class Suspended(msgspec.Struct, frozen=True, tag_field="kind", tag="organisation.suspended"):
    """The organisation may not trade (暂停)."""

    reason: str


class Reinstated(msgspec.Struct, frozen=True, tag_field="kind", tag="organisation.reinstated"):
    """The organisation may trade again (恢复)."""

    reason: str


Event = Registered | Renamed | Suspended | Reinstated


def is_credit_code(text: str) -> bool:
    """
    Check a unified social credit code (统一社会信用代码): form and both check characters.

    Only the very 18 characters count: no spaces, no small letters. The first two characters may be letters
    (``N2`` for rural collectives), which a check for digits only would turn away.

    Source: GB 32100-2015 (last character), GB 11714-1997 (the seventeenth).
    """
    if not _FORM.fullmatch(text):
        return False
    return text[16] == _organisation_check(text[8:16]) and text[17] == uscc.calc_check_digit(text[:17])


def _organisation_check(body: str) -> str:
    total = sum(int(one, 36) * weight for one, weight in zip(body, _ORGANISATION_WEIGHTS, strict=True))
    return "0123456789X0"[11 - total % 11]


def may_trade(organisation: Organisation | None) -> bool:
    """Tell whether the organisation is there and not suspended."""
    return organisation is not None and organisation.status is Status.ACTIVE


def decide_register(organisation: Organisation | None, registered: Registered) -> Registered | Refusal:
    """Decide a registration."""
    if organisation is not None:
        return Refusal.EXISTS
    if not 0 < len(registered.name.strip()) <= NAME_LENGTH_MAX:
        return Refusal.NAME_WRONG
    if not is_credit_code(registered.credit_code):
        return Refusal.CREDIT_CODE_WRONG
    if registered.region not in REGIONS:
        return Refusal.REGION_UNKNOWN
    if successor_of(registered.region) != registered.region:
        return Refusal.REGION_ABOLISHED
    return registered


def decide_rename(organisation: Organisation | None, *, name: str) -> Renamed | Refusal:
    """Decide a new name."""
    if organisation is None:
        return Refusal.UNKNOWN
    if not 0 < len(name.strip()) <= NAME_LENGTH_MAX:
        return Refusal.NAME_WRONG
    if name == organisation.name:
        return Refusal.NOTHING_CHANGES
    return Renamed(name)


def decide_suspend(organisation: Organisation | None, *, reason: str) -> Suspended | Refusal:
    """Decide a suspension."""
    assert reason
    if organisation is None:
        return Refusal.UNKNOWN
    if organisation.status is Status.SUSPENDED:
        return Refusal.NOTHING_CHANGES
    return Suspended(reason)


def decide_reinstate(organisation: Organisation | None, *, reason: str) -> Reinstated | Refusal:
    """Decide the end of a suspension."""
    assert reason
    if organisation is None:
        return Refusal.UNKNOWN
    if organisation.status is Status.ACTIVE:
        return Refusal.NOTHING_CHANGES
    return Reinstated(reason)


def evolve(organisation: Organisation | None, event: Event, at: datetime) -> Organisation:
    """Apply what was decided."""
    if isinstance(event, Registered):
        return Organisation(
            id=event.id,
            kind=event.category,
            name=event.name,
            credit_code=event.credit_code,
            region=event.region,
            status=Status.ACTIVE,
            registered_at=at,
        )
    assert organisation is not None
    match event:
        case Renamed():
            return msgspec.structs.replace(organisation, name=event.name)
        case Suspended():
            return msgspec.structs.replace(organisation, status=Status.SUSPENDED)
        case Reinstated():
            return msgspec.structs.replace(organisation, status=Status.ACTIVE)
        case _:
            assert_never(event)
