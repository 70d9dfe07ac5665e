"""
Framework agreements: who may sell what, to whom, until when and at most for how much.

Source: 政府采购框架协议采购方式管理暂行办法 (财政部令第110号), 第十三条 (price limit), 第十五条 (term),
第十九条 (removal).
"""

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final, assert_never
from uuid import UUID

import msgspec

from registries.regions.rules import REGIONS, covered_by_any

_TERM_YEARS: Final = {"goods": 1, "services": 2}  # 110号令 第十五条


class Subject(StrEnum):
    """What the agreement is about; it decides how long it may run."""

    GOODS = "goods"  # 货物
    SERVICES = "services"  # 服务


class Status(StrEnum):
    """Whether the agreement stands; whether it is valid on a day is :func:`valid_on`."""

    CONCLUDED = "concluded"
    TERMINATED = "terminated"


class Refusal(StrEnum):
    """Why a step is refused, in order of precedence."""

    EXISTS = "agreement-exists"
    UNKNOWN = "agreement-unknown"
    PERIOD_REVERSED = "period-reversed"
    PERIOD_TOO_LONG = "period-too-long"
    REGION_UNKNOWN = "region-unknown"
    PACKAGES_WRONG = "packages-wrong"
    TERMINATED = "agreement-terminated"
    PACKAGE_UNKNOWN = "package-unknown"
    REMOVED_BEFORE = "supplier-removed-before"
    ALREADY_ADMITTED = "already-admitted"
    NOT_ADMITTED = "not-admitted"


TEXTS: Final[dict[Refusal, tuple[str, str]]] = {
    Refusal.EXISTS: ("框架协议已存在", "The agreement exists already"),
    Refusal.UNKNOWN: ("框架协议不存在", "There is no such agreement"),
    Refusal.PERIOD_REVERSED: ("有效期的起始日不得晚于截止日", "The period begins after it ends"),
    Refusal.PERIOD_TOO_LONG: (
        "货物框架协议有效期不超过1年，服务不超过2年（110号令第十五条）",
        "Goods agreements run for at most one year, services for two (Order 110, art. 15)",
    ),
    Refusal.REGION_UNKNOWN: ("适用区划不存在或已撤销", "A region served is unknown or abolished"),
    Refusal.PACKAGES_WRONG: ("采购包至少一个，编号不得重复", "At least one package, each number once"),
    Refusal.TERMINATED: ("框架协议已终止", "The agreement has been terminated"),
    Refusal.PACKAGE_UNKNOWN: ("采购包不存在", "There is no such package"),
    Refusal.REMOVED_BEFORE: (
        "被清退的供应商不得再次入围（110号令第十九条）",
        "A supplier that was removed may not be admitted again (Order 110, art. 19)",
    ),
    Refusal.ALREADY_ADMITTED: ("供应商已入围该采购包", "The supplier is admitted to this package already"),
    Refusal.NOT_ADMITTED: ("供应商未入围该采购包", "The supplier is not admitted to this package"),
}


class Package(msgspec.Struct, frozen=True):
    """
    A package (采购包): one category and its price limit (最高限制单价).

    ``suppliers`` are admitted in the order of their admission.
    """

    number: int
    name: str
    edition: str
    category_code: str
    max_unit_price_fen: int
    suppliers: tuple[UUID, ...] = ()


class Agreement(msgspec.Struct, frozen=True):
    """
    A framework agreement as it stands.

    It is valid on all Beijing days from ``valid_from`` to ``valid_to``, both included. ``removed`` are the
    suppliers that were struck off; they may not come back.
    """

    id: UUID
    number: str
    title: str
    organiser: str
    subject: Subject
    valid_from: date
    valid_to: date
    regions: tuple[str, ...]
    packages: tuple[Package, ...]
    removed: tuple[UUID, ...]
    status: Status
    concluded_at: datetime


class Concluded(msgspec.Struct, frozen=True, tag_field="kind", tag="agreement.concluded"):
    """The agreement was concluded (签订)."""

    id: UUID
    number: str
    title: str
    organiser: str
    subject: Subject
    valid_from: date
    valid_to: date
    regions: tuple[str, ...]
    packages: tuple[Package, ...]


class SupplierAdmitted(msgspec.Struct, frozen=True, tag_field="kind", tag="agreement.supplier_admitted"):
    """A supplier was admitted to a package (入围)."""

    package: int
    supplier_id: UUID


class SupplierRemoved(msgspec.Struct, frozen=True, tag_field="kind", tag="agreement.supplier_removed"):
    """A supplier was removed from the whole agreement (清退)."""

    supplier_id: UUID
    reason: str


class Terminated(msgspec.Struct, frozen=True, tag_field="kind", tag="agreement.terminated"):
    """The agreement ended before its day."""

    reason: str


Event = Concluded | SupplierAdmitted | SupplierRemoved | Terminated


def valid_on(agreement: Agreement, day: date) -> bool:
    """Tell whether orders may be placed on ``day``: both the first and the last day count."""
    return agreement.status is Status.CONCLUDED and agreement.valid_from <= day <= agreement.valid_to


def serves(agreement: Agreement, region: str) -> bool:
    """Tell whether the agreement may be used by purchasers of ``region`` (GB/T 2260)."""
    return covered_by_any(agreement.regions, region)


def package_of(agreement: Agreement, number: int) -> Package | None:
    """Find a package by its number."""
    return next((package for package in agreement.packages if package.number == number), None)


def admits(agreement: Agreement, number: int, supplier_id: UUID) -> bool:
    """Tell whether the supplier is admitted to the package today."""
    package = package_of(agreement, number)
    return package is not None and supplier_id in package.suppliers


def last_day_allowed(subject: Subject, valid_from: date) -> date:
    """
    Return the last day that an agreement beginning on ``valid_from`` may be valid.

    One year from 1 March ends on the last day of February; from 29 February on 28 February.

    Source: 财政部令第110号 第十五条.
    """
    year = valid_from.year + _TERM_YEARS[subject]
    try:
        anniversary = valid_from.replace(year=year)
    except ValueError:  # 29 February
        anniversary = date(year, 3, 1)
    return anniversary - timedelta(days=1)


def decide_conclude(agreement: Agreement | None, concluded: Concluded) -> Concluded | Refusal:
    """
    Decide the conclusion of an agreement; its packages may name the suppliers admitted so far.

    Source: 财政部令第110号 第十五条.
    """
    if agreement is not None:
        return Refusal.EXISTS
    if concluded.valid_from > concluded.valid_to:
        return Refusal.PERIOD_REVERSED
    if concluded.valid_to > last_day_allowed(concluded.subject, concluded.valid_from):
        return Refusal.PERIOD_TOO_LONG
    if not concluded.regions or not all(_is_current(code) for code in concluded.regions):
        return Refusal.REGION_UNKNOWN
    numbers = [package.number for package in concluded.packages]
    if not numbers or len(set(numbers)) != len(numbers):
        return Refusal.PACKAGES_WRONG
    return concluded


def decide_admit(agreement: Agreement | None, *, package: int, supplier_id: UUID) -> SupplierAdmitted | Refusal:
    """Decide the admission of a supplier to a package."""
    if agreement is None:
        return Refusal.UNKNOWN
    if agreement.status is Status.TERMINATED:
        return Refusal.TERMINATED
    found = package_of(agreement, package)
    if found is None:
        return Refusal.PACKAGE_UNKNOWN
    if supplier_id in agreement.removed:
        return Refusal.REMOVED_BEFORE
    if supplier_id in found.suppliers:
        return Refusal.ALREADY_ADMITTED
    return SupplierAdmitted(package, supplier_id)


def decide_remove(agreement: Agreement | None, *, supplier_id: UUID, reason: str) -> SupplierRemoved | Refusal:
    """
    Decide the removal of a supplier from all packages.

    Source: 财政部令第110号 第十九条.
    """
    assert reason
    if agreement is None:
        return Refusal.UNKNOWN
    if agreement.status is Status.TERMINATED:
        return Refusal.TERMINATED
    if not any(supplier_id in package.suppliers for package in agreement.packages):
        return Refusal.NOT_ADMITTED
    return SupplierRemoved(supplier_id, reason)


def decide_terminate(agreement: Agreement | None, *, reason: str) -> Terminated | Refusal:
    """Decide the early end of an agreement."""
    assert reason
    if agreement is None:
        return Refusal.UNKNOWN
    if agreement.status is Status.TERMINATED:
        return Refusal.TERMINATED
    return Terminated(reason)


def evolve(agreement: Agreement | None, event: Event, at: datetime) -> Agreement:
    """Apply what was decided."""
    if isinstance(event, Concluded):
        return Agreement(**msgspec.structs.asdict(event), removed=(), status=Status.CONCLUDED, concluded_at=at)
    assert agreement is not None
    match event:
        case SupplierAdmitted():
            packages = tuple(
                _with(package, (*package.suppliers, event.supplier_id)) if package.number == event.package else package
                for package in agreement.packages
            )
            return msgspec.structs.replace(agreement, packages=packages)
        case SupplierRemoved():
            packages = tuple(
                _with(package, tuple(one for one in package.suppliers if one != event.supplier_id))
                for package in agreement.packages
            )
            return msgspec.structs.replace(
                agreement, packages=packages, removed=(*agreement.removed, event.supplier_id)
            )
        case Terminated():
            return msgspec.structs.replace(agreement, status=Status.TERMINATED)
        case _:
            assert_never(event)


def _with(package: Package, suppliers: tuple[UUID, ...]) -> Package:
    return msgspec.structs.replace(package, suppliers=suppliers)


def _is_current(code: str) -> bool:
    return code in REGIONS and REGIONS[code].status == "current"
