"""A validation is remembered for a minute, and never longer than it may be believed."""

from datetime import datetime, timedelta

import pytest

from crypto.certificates import remembered
from crypto.certificates.authority import Reason, Revocation
from crypto.certificates.remembered import KEPT_FOR, Validations
from crypto.certificates.validation import CertificateRefusedError, Fault, Use, Validated
from tests.builders.certificates import DAY, MADE_AT, Pki, a_pki

AT = MADE_AT + DAY
STEP = timedelta(microseconds=1)


@pytest.fixture
def pki() -> Pki:
    return a_pki()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The moments at which something was really validated."""
    moments: list[datetime] = []
    really = remembered.validate

    def count(*arguments: object, at: datetime, **more: object) -> Validated:
        moments.append(at)
        return really(*arguments, at=at, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(remembered, "validate", count)
    return moments


def validations(pki: Pki, **how: object) -> Validations:
    made = Validations(pki.trust, **how)  # type: ignore[arg-type]
    made.renew(lists=pki.lists)
    return made


def test_a_certificate_is_validated_once_a_minute(pki: Pki, counted: list[datetime]) -> None:
    known = validations(pki)

    for at in (AT, AT + STEP, AT + KEPT_FOR, AT + KEPT_FOR + STEP):
        assert known.validate(pki.certificate.der, [], use=Use.SIGNING, at=at).validated.path[-1] == pki.certificate

    assert counted == [AT, AT + KEPT_FOR + STEP]


def test_what_is_asked_about_an_earlier_moment_is_validated_anew(pki: Pki, counted: list[datetime]) -> None:
    known = validations(pki)
    for at in (AT, AT - STEP):
        known.validate(pki.certificate.der, [], use=Use.SIGNING, at=at)

    assert counted == [AT, AT - STEP]


def test_another_use_is_another_question(pki: Pki, counted: list[datetime]) -> None:
    known = validations(pki)
    known.validate(pki.certificate.der, [], use=Use.SIGNING, at=AT)

    with pytest.raises(CertificateRefusedError):
        known.validate(pki.certificate.der, [], use=Use.SERVICE, at=AT)
    assert len(counted) == 2


def test_a_revocation_takes_effect_with_its_list(pki: Pki) -> None:
    known = validations(pki)
    known.validate(pki.certificate.der, [], use=Use.SIGNING, at=AT)
    gone = Revocation(pki.certificate.serial, MADE_AT, Reason.KEY_COMPROMISE)
    root_list = pki.root.revocation_list([], number=1, at=MADE_AT)
    known.renew(lists=[root_list, pki.issuing.revocation_list([gone], number=2, at=MADE_AT)])

    with pytest.raises(CertificateRefusedError) as refused:
        known.validate(pki.certificate.der, [], use=Use.SIGNING, at=AT)

    assert refused.value.fault is Fault.REVOKED


def test_a_certificate_that_expires_within_the_minute_is_not_believed_longer(pki: Pki) -> None:
    known = Validations(pki.trust, kept_for=timedelta(days=10_000))
    known.renew(lists=pki.lists)
    known.validate(pki.certificate.der, [], use=Use.SIGNING, at=AT)
    ends = pki.certificate.not_after

    with pytest.raises(CertificateRefusedError) as refused:
        known.validate(pki.certificate.der, [], use=Use.SIGNING, at=ends + timedelta(seconds=1))

    assert refused.value.fault is Fault.EXPIRED


def test_what_was_refused_is_asked_again(pki: Pki, counted: list[datetime]) -> None:
    known = Validations(pki.trust)  # no lists: nobody knows what is revoked
    for _ in range(2):
        with pytest.raises(CertificateRefusedError):
            known.validate(pki.certificate.der, [], use=Use.SIGNING, at=AT)

    assert counted == [AT, AT]


def test_so_many_are_remembered_and_the_oldest_is_forgotten(pki: Pki, counted: list[datetime]) -> None:
    known = validations(pki, count_max=1)
    for use in (Use.SIGNING, Use.LOGIN, Use.SIGNING):
        known.validate(pki.certificate.der, [], use=use, at=AT)

    assert len(counted) == 3
