"""Certificates of users over HTTP."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from crypto.certificates.requests import REQUEST_BYTES_MAX
from kernel.access.rates import Pace
from kernel.access.table import Action
from kernel.problems import NotFound, Refused, Unavailable
from kernel.web.context import Context
from kernel.web.routes import Download, op
from registries.certificates import service
from registries.certificates.rules import (
    KEY_KINDS,
    REASON_LENGTH_MAX,
    Source,
    Status,
    UserCertificate,
    usable,
    warning_days,
)

_PEM: Final = "application/x-pem-file"
_CRL: Final = "application/pkix-crl"


class CertificateOut(msgspec.Struct, frozen=True):
    """A certificate; ``warning_days`` is 90, 30, 15 or 3 when its end is that near, 0 after it."""

    id: UUID
    source: Source
    status: Status
    usable: bool
    warning_days: int | None
    name: str
    issuer: str
    serial: str
    fingerprint: str
    key_algorithm: str
    not_before: datetime
    not_after: datetime
    enrolled_at: datetime
    replaces: UUID | None
    revoked_at: datetime | None
    reason: str
    der: str


class CertificatesOut(msgspec.Struct, frozen=True):
    items: tuple[CertificateOut, ...]


class ParticularsOut(msgspec.Struct, frozen=True):
    """What a certificate of this account says; ``issues`` tells whether this site issues any."""

    name: str
    organisation_name: str
    credit_code: str
    issues: bool
    key_algorithms: tuple[str, ...]


class EnrolIn(msgspec.Struct, forbid_unknown_fields=True):
    """A certification request (PKCS#10 in DER; base64 on the wire), and the certificate that the new one replaces."""

    request: Annotated[bytes, Meta(min_length=1, max_length=REQUEST_BYTES_MAX)]
    replaces: UUID | None = None


class RevokeIn(msgspec.Struct, forbid_unknown_fields=True):
    reason: Annotated[str, Meta(min_length=1, max_length=REASON_LENGTH_MAX)]


def out_of(found: UserCertificate, at: datetime) -> CertificateOut:
    """Show a certificate as it stands at ``at``."""
    fields = {name: getattr(found, name) for name in CertificateOut.__struct_fields__ if hasattr(found, name)}
    return CertificateOut(**fields, usable=usable(found, at), warning_days=warning_days(found, at))


@op("GET", "/api/certificates", action=Action.CERTIFICATE_READ, tag="registries", summary="My certificates")
async def certificates(ctx: Context) -> CertificatesOut:
    found = await service.list_of(ctx.kernel, ctx.actor)
    return CertificatesOut(tuple(out_of(one, ctx.received_at) for one in found))


@op(
    "GET",
    "/api/certificates/particulars",
    action=Action.CERTIFICATE_READ,
    tag="registries",
    summary="What my certificate will say",
)
async def particulars(ctx: Context) -> ParticularsOut:
    found = await service.particulars_of(ctx.kernel, ctx.actor)
    return ParticularsOut(*found, KEY_KINDS)


@op(
    "POST",
    "/api/certificates",
    action=Action.CERTIFICATE_CHANGE,
    tag="registries",
    summary="Enrol for a certificate",
    status=201,
    problems=(Refused, NotFound, Unavailable),
)
async def enrol(ctx: Context, body: EnrolIn) -> CertificateOut:
    made = await service.enrol(ctx.kernel, ctx.by, body.request, replaces=body.replaces)
    return out_of(made, ctx.received_at)


@op(
    "POST",
    "/api/certificates/{certificate_id}/revocation",
    action=Action.CERTIFICATE_CHANGE,
    tag="registries",
    summary="Revoke my certificate",
    problems=(Refused,),
)
async def revoke(ctx: Context, certificate_id: UUID, body: RevokeIn) -> CertificateOut:
    found = await service.revoke(ctx.kernel, ctx.by, certificate_id, body.reason)
    return out_of(found, ctx.received_at)


@op(
    "GET",
    "/api/certificates/{certificate_id}/file",
    action=Action.CERTIFICATE_READ,
    tag="registries",
    summary="My certificate and those above it, in PEM",
)
async def certificate_file(ctx: Context, certificate_id: UUID) -> Download:
    found = await service.get(ctx.kernel, ctx.actor, certificate_id)
    return Download(service.chain_of(ctx.kernel, found), _PEM, service.file_name(found))


@op(
    "GET",
    "/api/certificates/authorities.pem",
    action=Action.AUTHORITY_READ,
    tag="registries",
    summary="The certificates of this site's authorities",
    problems=(NotFound,),
    pace=Pace.PUBLIC,
)
async def authorities(ctx: Context) -> Download:
    return Download(service.authorities(ctx.kernel), _PEM, "authorities.pem")


@op(
    "GET",
    "/api/certificates/lists/issuing.crl",
    action=Action.AUTHORITY_READ,
    tag="registries",
    summary="What this site's issuing authority has revoked",
    problems=(NotFound, Unavailable),
    pace=Pace.PUBLIC,
)
async def issuing_list(ctx: Context) -> Download:
    return Download(await service.published_list(ctx.kernel, at=ctx.received_at), _CRL, "issuing.crl")


ROUTES = [certificates, particulars, enrol, revoke, certificate_file, authorities, issuing_list]
