from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.agreements.rules import (
    TEXTS,
    Concluded,
    Refusal,
    Status,
    Subject,
    SupplierAdmitted,
    SupplierRemoved,
    Terminated,
    admits,
    decide_admit,
    decide_conclude,
    decide_remove,
    decide_terminate,
    evolve,
    last_day_allowed,
    package_of,
    serves,
    valid_on,
)
from kernel.clock import beijing_day
from tests.builders.catalog import AT, OTHER, SUPPLIER, a_package, an_agreement

DAY = timedelta(days=1)


def a_conclusion(**changes: object) -> Concluded:
    names = [field.name for field in msgspec.structs.fields(Concluded)]
    concluded = Concluded(**{name: getattr(an_agreement(), name) for name in names})
    return msgspec.structs.replace(concluded, **changes)


def test_an_agreement_is_valid_from_its_first_to_its_last_day() -> None:
    agreement = an_agreement()
    days = [agreement.valid_from - DAY, agreement.valid_from, agreement.valid_to, agreement.valid_to + DAY]
    assert [valid_on(agreement, day) for day in days] == [False, True, True, False]


def test_a_terminated_agreement_is_valid_on_no_day() -> None:
    assert not valid_on(an_agreement(status=Status.TERMINATED), date(2026, 6, 1))


def test_the_day_is_that_of_beijing() -> None:
    last_second = datetime(2026, 12, 31, 15, 59, 59, tzinfo=UTC)
    assert beijing_day(last_second) == date(2026, 12, 31)
    assert beijing_day(last_second + timedelta(seconds=1)) == date(2027, 1, 1)


@pytest.mark.parametrize(
    ("subject", "first", "last"),
    [
        (Subject.GOODS, date(2026, 1, 1), date(2026, 12, 31)),
        (Subject.GOODS, date(2026, 3, 1), date(2027, 2, 28)),
        (Subject.GOODS, date(2027, 3, 1), date(2028, 2, 29)),
        (Subject.GOODS, date(2028, 2, 29), date(2029, 2, 28)),
        (Subject.SERVICES, date(2026, 7, 1), date(2028, 6, 30)),
    ],
)
def test_goods_run_for_a_year_and_services_for_two_at_most(subject: Subject, first: date, last: date) -> None:
    assert last_day_allowed(subject, first) == last
    longest = a_conclusion(subject=subject, valid_from=first, valid_to=last)
    assert decide_conclude(None, longest) == longest
    too_long = a_conclusion(subject=subject, valid_from=first, valid_to=last + DAY)
    assert decide_conclude(None, too_long) is Refusal.PERIOD_TOO_LONG


@given(first=st.dates(date(2020, 1, 1), date(2060, 1, 1)))
def test_a_year_is_365_or_366_days(first: date) -> None:
    assert (last_day_allowed(Subject.GOODS, first) - first).days + 1 in {365, 366}


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"valid_from": date(2026, 6, 2), "valid_to": date(2026, 6, 1)}, Refusal.PERIOD_REVERSED),
        ({"regions": ()}, Refusal.REGION_UNKNOWN),
        ({"regions": ("330000", "110000")}, Refusal.REGION_UNKNOWN),
        ({"regions": ("330103",)}, Refusal.REGION_UNKNOWN),
        ({"packages": ()}, Refusal.PACKAGES_WRONG),
        ({"packages": (a_package(), a_package())}, Refusal.PACKAGES_WRONG),
    ],
)
def test_refused_conclusions(changes: dict[str, object], refusal: Refusal) -> None:
    assert decide_conclude(None, a_conclusion(**changes)) is refusal


def test_one_day_is_a_period() -> None:
    day = a_conclusion(valid_from=date(2026, 6, 1), valid_to=date(2026, 6, 1))
    assert decide_conclude(None, day) == day


def test_nothing_is_concluded_twice() -> None:
    assert decide_conclude(an_agreement(), a_conclusion()) is Refusal.EXISTS


def test_admission_and_removal() -> None:
    agreement = evolve(None, a_conclusion(), AT)
    assert agreement == an_agreement()
    admission = decide_admit(agreement, package=1, supplier_id=OTHER)
    assert admission == SupplierAdmitted(1, OTHER)
    agreement = evolve(agreement, admission, AT)
    assert admits(agreement, 1, OTHER)
    assert admits(agreement, 1, SUPPLIER)
    assert decide_admit(agreement, package=1, supplier_id=OTHER) is Refusal.ALREADY_ADMITTED
    removal = decide_remove(agreement, supplier_id=OTHER, reason="拒不履约")
    assert removal == SupplierRemoved(OTHER, "拒不履约")
    agreement = evolve(agreement, removal, AT)
    assert not admits(agreement, 1, OTHER)
    assert decide_admit(agreement, package=1, supplier_id=OTHER) is Refusal.REMOVED_BEFORE
    assert decide_remove(agreement, supplier_id=OTHER, reason="x") is Refusal.NOT_ADMITTED


def test_an_admission_touches_its_package_alone() -> None:
    agreement = an_agreement(packages=(a_package(), a_package(number=2, suppliers=())))
    agreement = evolve(agreement, SupplierAdmitted(2, OTHER), AT)
    assert [package.suppliers for package in agreement.packages] == [(SUPPLIER,), (OTHER,)]
    assert not admits(agreement, 3, OTHER)
    assert package_of(agreement, 3) is None


def test_a_terminated_agreement_takes_no_step() -> None:
    agreement = evolve(an_agreement(), Terminated("x"), AT)
    assert decide_admit(agreement, package=1, supplier_id=OTHER) is Refusal.TERMINATED
    assert decide_remove(agreement, supplier_id=SUPPLIER, reason="x") is Refusal.TERMINATED
    assert decide_terminate(agreement, reason="x") is Refusal.TERMINATED


def test_an_unknown_agreement_takes_no_step() -> None:
    assert decide_admit(None, package=1, supplier_id=OTHER) is Refusal.UNKNOWN
    assert decide_remove(None, supplier_id=SUPPLIER, reason="x") is Refusal.UNKNOWN
    assert decide_terminate(None, reason="x") is Refusal.UNKNOWN


def test_other_decisions() -> None:
    assert decide_admit(an_agreement(), package=9, supplier_id=OTHER) is Refusal.PACKAGE_UNKNOWN
    assert decide_terminate(an_agreement(), reason="x") == Terminated("x")


def test_the_regions_served() -> None:
    agreement = an_agreement(regions=("330100", "330203"))
    assert [serves(agreement, code) for code in ("330102", "330203", "330205", "330000", "")] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_every_refusal_has_its_texts() -> None:
    assert set(TEXTS) == set(Refusal)
    assert UUID(int=31) == an_agreement().id
