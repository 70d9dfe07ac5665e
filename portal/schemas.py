"""
What types are called in the API's description, where several areas have one of that name.

Within its area a stage is a ``Stage``; clients see all areas at once. What is neither unique nor named here is refused
by :func:`kernel.web.openapi.document`.
"""

from collections.abc import Mapping
from typing import Final

from catalog.agreements.rules import Status as AgreementStatus
from catalog.products.rules import Status as ProductStatus
from kernel.live.audience import Standing as Seat
from market.approvals.lifecycle import Stage as RequestStage
from market.limits.rules import Standing as LimitStanding
from market.orders.lifecycle import Stage as OrderStage
from market.orders.lifecycle import Step as OrderStep
from market.signings.lifecycle import Stage as SigningStage
from market.standing.service import Standing as SupplierStanding
from registries.certificates.rules import Status as CertificateStatus
from registries.organisations.lifecycle import Status as OrganisationStatus
from registries.organisations.lifecycle import Step as OrganisationStep
from registries.regions.rules import Status as RegionStatus
from registries.users.rules import Status as UserStatus

SCHEMA_NAMES: Final[Mapping[type, str]] = {
    AgreementStatus: "AgreementStatus",
    CertificateStatus: "CertificateStatus",
    LimitStanding: "LimitStanding",
    OrderStage: "OrderStage",
    OrderStep: "OrderStep",
    OrganisationStatus: "OrganisationStatus",
    OrganisationStep: "OrganisationStep",
    ProductStatus: "ProductStatus",
    RegionStatus: "RegionStatus",
    RequestStage: "RequestStage",
    Seat: "Seat",
    SigningStage: "SigningStage",
    SupplierStanding: "SupplierStanding",
    UserStatus: "UserStatus",
}
