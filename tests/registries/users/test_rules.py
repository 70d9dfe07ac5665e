from uuid import UUID

import msgspec
import pytest

from kernel.access.actors import Role
from kernel.access.duties import one_side
from registries.organisations.rules import Kind
from registries.users.rules import (
    PASSWORD_LENGTH_MAX,
    PASSWORD_LENGTH_MIN,
    ROLES_OF,
    TEXTS,
    Disabled,
    Enabled,
    PasswordSet,
    Refusal,
    Registered,
    Status,
    decide_disable,
    decide_enable,
    decide_register,
    decide_set_password,
    evolve,
    normal_login,
    password_fits,
)
from tests.builders.registries import AT, an_organisation

REGISTERED = Registered(UUID(int=5), "zhang.san", "张三", UUID(int=1), (Role.SUPPLIER,))


def test_an_account_is_opened_in_the_role_of_its_organisation() -> None:
    assert decide_register(None, REGISTERED, an_organisation()) == REGISTERED


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.SUPPLIER}))
def test_no_role_of_another_kind_of_organisation(kind: Kind) -> None:
    assert decide_register(None, REGISTERED, an_organisation(kind=kind)) is Refusal.ROLES_WRONG


@pytest.mark.parametrize("roles", [(Role.SUPPLIER,), (Role.SIGNATORY,), (Role.SUPPLIER, Role.SIGNATORY)])
def test_one_person_may_handle_and_sign(roles: tuple[Role, ...]) -> None:
    registered = msgspec.structs.replace(REGISTERED, roles=roles)
    assert decide_register(None, registered, an_organisation()) == registered


def test_the_roles_of_a_kind_of_organisation_stand_on_one_side() -> None:
    assert set(ROLES_OF) == set(Kind)
    assert all(one_side(roles) for roles in ROLES_OF.values())
    assert {role for roles in ROLES_OF.values() for role in roles} == set(Role) - {Role.PUBLIC}


@pytest.mark.parametrize(
    "roles",
    [
        (),
        (Role.PUBLIC,),
        (Role.SUPPLIER, Role.PURCHASER),
        (Role.OPERATOR,),
        (Role.SIGNATORY, Role.SUPPLIER),
        (Role.SUPPLIER, Role.SUPPLIER),
        (Role.SUPPLIER, Role.SUPERVISOR),
    ],
)
def test_no_role_of_another_side_none_twice_and_no_disorder(roles: tuple[Role, ...]) -> None:
    registered = msgspec.structs.replace(REGISTERED, roles=roles)
    assert decide_register(None, registered, an_organisation()) is Refusal.ROLES_WRONG


@pytest.mark.parametrize(
    ("login", "accepted"),
    [
        ("abc", True),
        ("ab", False),
        ("a" * 64, True),
        ("a" * 65, False),
        ("A1c", False),
        (".abc", False),
        ("张三三", False),
    ],
)
def test_the_form_of_logins(login: str, *, accepted: bool) -> None:
    registered = msgspec.structs.replace(REGISTERED, login=login)
    decision = decide_register(None, registered, an_organisation())
    assert decision == (registered if accepted else Refusal.LOGIN_WRONG)


def test_other_refused_accounts() -> None:
    user = evolve(None, REGISTERED, AT)
    assert decide_register(user, REGISTERED, an_organisation()) is Refusal.EXISTS
    assert decide_register(None, REGISTERED, None) is Refusal.ORGANISATION_UNKNOWN
    nameless = msgspec.structs.replace(REGISTERED, name=" ")
    assert decide_register(None, nameless, an_organisation()) is Refusal.NAME_WRONG


def test_both_edges_of_a_password() -> None:
    assert password_fits("x" * PASSWORD_LENGTH_MIN)
    assert not password_fits("x" * (PASSWORD_LENGTH_MIN - 1))
    assert password_fits("x" * PASSWORD_LENGTH_MAX)
    assert not password_fits("x" * (PASSWORD_LENGTH_MAX + 1))


def test_a_login_is_kept_in_small_letters() -> None:
    assert normal_login(" Zhang.San ") == "zhang.san"


def test_a_life() -> None:
    user = evolve(None, REGISTERED, AT)
    disabled = evolve(user, Disabled("离职"), AT)
    assert disabled.status is Status.DISABLED
    assert evolve(disabled, Enabled("返聘"), AT) == user
    assert evolve(user, PasswordSet(), AT) == user


def test_decisions_about_an_account() -> None:
    user = evolve(None, REGISTERED, AT)
    disabled = evolve(user, Disabled("离职"), AT)
    assert decide_set_password(user, "x" * PASSWORD_LENGTH_MIN) == PasswordSet()
    assert decide_set_password(user, "x") is Refusal.PASSWORD_WRONG
    assert decide_set_password(None, "x") is Refusal.UNKNOWN
    assert decide_disable(user, reason="x") == Disabled("x")
    assert decide_disable(disabled, reason="x") is Refusal.NOTHING_CHANGES
    assert decide_disable(None, reason="x") is Refusal.UNKNOWN
    assert decide_enable(disabled, reason="x") == Enabled("x")
    assert decide_enable(user, reason="x") is Refusal.NOTHING_CHANGES
    assert decide_enable(None, reason="x") is Refusal.UNKNOWN


def test_no_event_holds_a_password_or_its_hash() -> None:
    for event in (REGISTERED, PasswordSet()):
        assert "password" not in {field.name for field in msgspec.structs.fields(event)}


def test_every_refusal_has_its_texts() -> None:
    assert set(TEXTS) == set(Refusal)
