from itertools import product

import pytest

from kernel.access.assurance import (
    PROVES,
    Assurance,
    Method,
    has_second_factor,
    methods_for,
    strongest,
    weakest,
)

PASSWORD, TWO, CERTIFICATE = Assurance


@pytest.mark.parametrize(("level", "needed"), list(product(Assurance, Assurance)))
def test_a_level_reaches_itself_and_what_is_below(level: Assurance, needed: Assurance) -> None:
    order = list(Assurance)
    assert level.reaches(needed) is (order.index(level) >= order.index(needed))
    assert strongest(level, needed) is max(level, needed, key=order.index)
    assert weakest(level, needed) is min(level, needed, key=order.index)


def test_every_method_proves_something() -> None:
    assert set(PROVES) == set(Method)


def test_a_password_is_no_second_factor() -> None:
    assert not has_second_factor(())
    assert not has_second_factor((Method.PASSWORD,))
    assert all(has_second_factor((Method.PASSWORD, method)) for method in set(Method) - {Method.PASSWORD})


@pytest.mark.parametrize(
    ("needed", "possible"),
    [
        (PASSWORD, (Method.PASSWORD, Method.TOTP, Method.CERTIFICATE)),
        (TWO, (Method.TOTP, Method.CERTIFICATE)),
        (CERTIFICATE, (Method.CERTIFICATE,)),
    ],
)
def test_the_methods_that_are_strong_enough(needed: Assurance, possible: tuple[Method, ...]) -> None:
    assert methods_for(needed, (Method.PASSWORD, Method.TOTP, Method.CERTIFICATE)) == possible


def test_who_has_no_method_that_is_strong_enough_must_get_one() -> None:
    assert methods_for(TWO, (Method.PASSWORD,)) == ()
