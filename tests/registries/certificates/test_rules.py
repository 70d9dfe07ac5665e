from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from kernel.access.actors import Role
from registries.certificates.rules import (
    ACTIVE_MAX,
    KEY_KINDS,
    REASON_LENGTH_MAX,
    TEXTS,
    Claim,
    Enrolled,
    Refusal,
    Renewed,
    Revoked,
    Source,
    Status,
    UserCertificate,
    decide_enrol,
    decide_renew,
    decide_revoke,
    evolve,
    usable,
    warning_days,
)
from registries.organisations.rules import Status as OrganisationStatus
from registries.users.rules import Status as UserStatus
from registries.users.rules import User
from tests.builders.registries import AT, a_credit_code, an_organisation

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
USER, OTHER = UUID(int=7), UUID(int=8)
ENROLLED = Enrolled(
    id=UUID(int=1),
    user_id=USER,
    organisation_id=UUID(int=1),
    source=Source.PLATFORM,
    fingerprint="ab" * 32,
    serial="01",
    issuer="浙采试用签发机构",
    name="张三",
    key_algorithm="ecdsa-p256-sha256",
    not_before=AT,
    not_after=AT + 365 * DAY,
    der="AA==",
)
CLAIM = Claim(frozenset({a_credit_code()}), "ecdsa-p256-sha256")


def a_user(**changes: Any) -> User:
    user = User(USER, "zhangsan", "张三", UUID(int=1), (Role.SUPPLIER,), UserStatus.ACTIVE, AT)
    return msgspec.structs.replace(user, **changes)


def a_certificate(**changes: Any) -> UserCertificate:
    return msgspec.structs.replace(evolve(None, ENROLLED, AT), **changes)


def enrol(**changes: Any) -> Enrolled | Refusal:
    arguments: dict[str, Any] = {
        "before": None,
        "enrolled": ENROLLED,
        "claim": CLAIM,
        "user": a_user(),
        "organisation": an_organisation(),
        "in_use": 0,
    }
    return decide_enrol(**(arguments | changes))


def test_an_account_gets_a_certificate() -> None:
    assert enrol() == ENROLLED
    assert enrol(in_use=ACTIVE_MAX - 1) == ENROLLED
    for kind in KEY_KINDS:
        assert enrol(claim=Claim(CLAIM.credit_codes, kind)) == ENROLLED


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"before": a_certificate()}, Refusal.EXISTS),
        ({"user": None}, Refusal.ACCOUNT_DISABLED),
        ({"user": a_user(status=UserStatus.DISABLED)}, Refusal.ACCOUNT_DISABLED),
        ({"user": a_user(organisation_id=UUID(int=2))}, Refusal.ACCOUNT_DISABLED),
        ({"organisation": None}, Refusal.ORGANISATION_SUSPENDED),
        (
            {"organisation": an_organisation(status=OrganisationStatus.SUSPENDED)},
            Refusal.ORGANISATION_SUSPENDED,
        ),
        ({"claim": Claim(frozenset({a_credit_code(2)}), "sm2-sm3")}, Refusal.SUBJECT_WRONG),
        ({"claim": Claim(frozenset(), "sm2-sm3")}, Refusal.SUBJECT_WRONG),
        ({"claim": Claim(frozenset({a_credit_code(), a_credit_code(2)}), "sm2-sm3")}, Refusal.SUBJECT_WRONG),
        ({"claim": Claim(CLAIM.credit_codes, "ed25519")}, Refusal.KEY_WRONG),
        ({"in_use": ACTIVE_MAX}, Refusal.TOO_MANY),
    ],
)
def test_what_is_wrong_is_refused(changes: dict[str, Any], refusal: Refusal) -> None:
    assert enrol(**changes) is refusal


def test_a_certificate_is_renewed_once_and_stays_usable() -> None:
    renewed = decide_renew(a_certificate(), user_id=USER, by=UUID(int=2))

    assert renewed == Renewed(UUID(int=2))
    after = evolve(a_certificate(), renewed, AT + DAY)
    assert after.status is Status.RENEWED
    assert usable(after, AT + DAY)
    assert decide_renew(after, user_id=USER, by=UUID(int=3)) is Refusal.RENEWED
    assert decide_renew(None, user_id=USER, by=UUID(int=3)) is Refusal.UNKNOWN
    assert decide_renew(a_certificate(), user_id=OTHER, by=UUID(int=3)) is Refusal.UNKNOWN
    assert decide_renew(a_certificate(status=Status.REVOKED), user_id=USER, by=UUID(int=3)) is Refusal.REVOKED


def test_a_certificate_is_revoked_once_by_its_owner_for_a_reason() -> None:
    revoked = decide_revoke(a_certificate(), user_id=USER, reason=" 丢失 ")

    assert revoked == Revoked("丢失")
    after = evolve(a_certificate(), revoked, AT + DAY)
    assert (after.status, after.revoked_at, after.reason) == (Status.REVOKED, AT + DAY, "丢失")
    assert not usable(after, AT + DAY)
    assert decide_revoke(after, user_id=USER, reason="丢失") is Refusal.REVOKED
    assert decide_revoke(None, user_id=USER, reason="丢失") is Refusal.UNKNOWN
    assert decide_revoke(a_certificate(), user_id=OTHER, reason="丢失") is Refusal.UNKNOWN
    assert decide_revoke(a_certificate(), user_id=USER, reason=" ") is Refusal.REASON_WRONG
    assert decide_revoke(a_certificate(), user_id=USER, reason="长" * (REASON_LENGTH_MAX + 1)) is Refusal.REASON_WRONG
    assert decide_revoke(a_certificate(), user_id=USER, reason="长" * REASON_LENGTH_MAX) == Revoked(
        "长" * REASON_LENGTH_MAX
    )


def test_a_certificate_is_usable_from_its_first_to_its_last_moment() -> None:
    certificate = a_certificate()
    assert usable(certificate, certificate.not_before)
    assert usable(certificate, certificate.not_after)
    assert not usable(certificate, certificate.not_before - SECOND)
    assert not usable(certificate, certificate.not_after + SECOND)


@pytest.mark.parametrize(
    ("left", "warning"),
    [
        (91 * DAY, None),
        (90 * DAY + SECOND, None),
        (90 * DAY, 90),
        (30 * DAY + SECOND, 90),
        (30 * DAY, 30),
        (15 * DAY + SECOND, 30),
        (15 * DAY, 15),
        (3 * DAY + SECOND, 15),
        (3 * DAY, 3),
        (timedelta(0), 3),
        (-SECOND, 0),
    ],
)
def test_an_end_is_announced_at_90_30_15_and_3_days(left: timedelta, warning: int | None) -> None:
    certificate = a_certificate()
    assert warning_days(certificate, certificate.not_after - left) == warning


@pytest.mark.parametrize("status", [Status.RENEWED, Status.REVOKED])
def test_nobody_is_warned_of_what_is_over(status: Status) -> None:
    certificate = a_certificate(status=status)
    assert warning_days(certificate, certificate.not_after) is None


def test_every_refusal_has_words() -> None:
    assert set(TEXTS) == set(Refusal)
