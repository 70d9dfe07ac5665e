"""
Certificates of users: who may have which, when to warn, when they end.

A certificate speaks for one account of one organisation. Its name is written from the register, never from what
somebody asks for; what they claim must agree with it.

Source: 电子签名法 第十三条, 第二十条 (who applies gives true particulars; the provider checks them).
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, assert_never
from uuid import UUID

import msgspec

from registries.organisations.rules import Organisation, may_trade
from registries.users.rules import Status as UserStatus
from registries.users.rules import User

ACTIVE_MAX: Final = 10
"""Certificates of one account that are in use at the same time."""
REASON_LENGTH_MAX: Final = 200
WARN_DAYS: Final = (3, 15, 30, 90)
"""So many days before its end a certificate is warned of, each time more loudly."""
KEY_KINDS: Final = ("ecdsa-p256-sha256", "rsa-pkcs1v15-sha256", "sm2-sm3")
"""Kinds of key that a user's certificate may have."""


class Source(StrEnum):
    """Who has issued the certificate."""

    PLATFORM = "platform"  # 平台试用机构签发
    OUTSIDE = "outside"  # 外部电子认证服务机构签发


class Status(StrEnum):
    """Whether it may be used; a renewed one may, until it ends."""

    ACTIVE = "active"
    RENEWED = "renewed"
    REVOKED = "revoked"


class Refusal(StrEnum):
    """Why a step is refused, in order of precedence."""

    EXISTS = "certificate-exists"
    UNKNOWN = "certificate-unknown"
    ACCOUNT_DISABLED = "account-disabled"
    ORGANISATION_SUSPENDED = "organisation-suspended"
    SUBJECT_WRONG = "subject-wrong"
    KEY_WRONG = "key-wrong"
    TOO_MANY = "too-many-certificates"
    REVOKED = "certificate-revoked"
    RENEWED = "certificate-renewed"
    REASON_WRONG = "reason-wrong"


TEXTS: Final[dict[Refusal, tuple[str, str]]] = {
    Refusal.EXISTS: ("证书已登记", "The certificate is registered already"),
    Refusal.UNKNOWN: ("没有这张证书", "There is no such certificate"),
    Refusal.ACCOUNT_DISABLED: ("账号已停用", "The account is disabled"),
    Refusal.ORGANISATION_SUSPENDED: (
        "单位已暂停，不能办理证书",
        "The organisation is suspended and gets no certificates",
    ),
    Refusal.SUBJECT_WRONG: (
        "证书中的统一社会信用代码与本单位不一致，请核对",
        "The credit code in the certificate is not that of your organisation; check it",
    ),
    Refusal.KEY_WRONG: (
        "密钥类型不受支持，请使用 P-256、RSA（2048位以上）或 SM2",
        "This kind of key is not accepted; use P-256, RSA of 2048 bits or more, or SM2",
    ),
    Refusal.TOO_MANY: (
        f"有效证书已达{ACTIVE_MAX}张，请先吊销不用的证书",
        f"There are {ACTIVE_MAX} certificates in use; revoke one first",
    ),
    Refusal.REVOKED: ("证书已吊销", "The certificate is revoked"),
    Refusal.RENEWED: ("证书已更新过", "The certificate was renewed already"),
    Refusal.REASON_WRONG: (
        f"请填写原因，不超过{REASON_LENGTH_MAX}字",
        f"Say why in at most {REASON_LENGTH_MAX} characters",
    ),
}


class UserCertificate(msgspec.Struct, frozen=True):
    """A user's certificate as it stands; ``der`` is base64, ``fingerprint`` the SHA-256 of the DER in hexadecimal."""

    id: UUID
    user_id: UUID
    organisation_id: UUID
    source: Source
    fingerprint: str
    serial: str
    issuer: str
    name: str
    key_algorithm: str
    not_before: datetime
    not_after: datetime
    der: str
    status: Status
    enrolled_at: datetime
    replaces: UUID | None
    revoked_at: datetime | None
    reason: str


class Enrolled(msgspec.Struct, frozen=True, tag_field="kind", tag="certificate.enrolled"):
    """The certificate was issued to the user, or registered by them (登记)."""

    id: UUID
    user_id: UUID
    organisation_id: UUID
    source: Source
    fingerprint: str
    serial: str
    issuer: str
    name: str
    key_algorithm: str
    not_before: datetime
    not_after: datetime
    der: str
    replaces: UUID | None = None


class Renewed(msgspec.Struct, frozen=True, tag_field="kind", tag="certificate.renewed"):
    """Another certificate has taken its place; it may be used until it ends (更新)."""

    by: UUID


class Revoked(msgspec.Struct, frozen=True, tag_field="kind", tag="certificate.revoked"):
    """The certificate must not be believed from now on (吊销)."""

    reason: str


Event = Enrolled | Renewed | Revoked


class Claim(msgspec.Struct, frozen=True):
    """What the certificate, or the request for one, says of itself."""

    credit_codes: frozenset[str]
    key_algorithm: str


def decide_enrol(
    before: UserCertificate | None,
    enrolled: Enrolled,
    claim: Claim,
    *,
    user: User | None,
    organisation: Organisation | None,
    in_use: int,
) -> Enrolled | Refusal:
    """Decide whether an account gets a certificate; ``in_use`` is how many it has that are in use."""
    if before is not None:
        return Refusal.EXISTS
    if user is None or user.status is not UserStatus.ACTIVE or user.organisation_id != enrolled.organisation_id:
        return Refusal.ACCOUNT_DISABLED
    if organisation is None or not may_trade(organisation):
        return Refusal.ORGANISATION_SUSPENDED
    if wrong := _fault_of(claim, organisation.credit_code):
        return wrong
    return Refusal.TOO_MANY if in_use >= ACTIVE_MAX else enrolled


def _fault_of(claim: Claim, credit_code: str) -> Refusal | None:
    if claim.credit_codes != frozenset({credit_code}):
        return Refusal.SUBJECT_WRONG
    return None if claim.key_algorithm in KEY_KINDS else Refusal.KEY_WRONG


def decide_renew(certificate: UserCertificate | None, *, user_id: UUID, by: UUID) -> Renewed | Refusal:
    """Decide that another certificate takes this one's place; also after its end, but not after it was revoked."""
    if certificate is None or certificate.user_id != user_id:
        return Refusal.UNKNOWN
    if certificate.status is Status.REVOKED:
        return Refusal.REVOKED
    if certificate.status is Status.RENEWED:
        return Refusal.RENEWED
    return Renewed(by)


def decide_revoke(certificate: UserCertificate | None, *, user_id: UUID, reason: str) -> Revoked | Refusal:
    """Decide a revocation by the one whose certificate it is."""
    if certificate is None or certificate.user_id != user_id:
        return Refusal.UNKNOWN
    if certificate.status is Status.REVOKED:
        return Refusal.REVOKED
    if not 0 < len(reason.strip()) <= REASON_LENGTH_MAX:
        return Refusal.REASON_WRONG
    return Revoked(reason.strip())


def usable(certificate: UserCertificate, at: datetime) -> bool:
    """Tell whether it is in use: not revoked, and within its validity, both ends included."""
    return certificate.status is not Status.REVOKED and certificate.not_before <= at <= certificate.not_after


def warning_days(certificate: UserCertificate, at: datetime) -> int | None:
    """
    Say which warning holds: the smallest of ``WARN_DAYS`` that its end is not farther away than; ``0`` after its end.

    A renewed or revoked certificate is not warned of: there is nothing to do about it.
    """
    if certificate.status is not Status.ACTIVE:
        return None
    if at > certificate.not_after:
        return 0
    left = certificate.not_after - at
    return next((days for days in WARN_DAYS if left <= timedelta(days=days)), None)


def evolve(certificate: UserCertificate | None, event: Event, at: datetime) -> UserCertificate:
    """Apply what was decided."""
    if isinstance(event, Enrolled):
        return UserCertificate(
            **msgspec.structs.asdict(event), status=Status.ACTIVE, enrolled_at=at, revoked_at=None, reason=""
        )
    assert certificate is not None
    match event:
        case Renewed():
            return msgspec.structs.replace(certificate, status=Status.RENEWED)
        case Revoked():
            return msgspec.structs.replace(certificate, status=Status.REVOKED, revoked_at=at, reason=event.reason)
        case _:
            assert_never(event)
