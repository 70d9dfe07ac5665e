from uuid import UUID

import msgspec
import pytest

from kernel.access.actors import Role
from kernel.access.assurance import Method
from kernel.access.duties import one_side
from registries.organisations.lifecycle import Kind
from registries.organisations.lifecycle import Status as Stage
from registries.users.rules import (
    PASSWORD_LENGTH_MAX,
    PASSWORD_LENGTH_MIN,
    ROLES_OF,
    TEXTS,
    Disabled,
    Enabled,
    FactorAdded,
    FactorRemoved,
    FactorsReset,
    PasswordSet,
    Refusal,
    Registered,
    Reset,
    RolesChanged,
    Status,
    User,
    decide_disable,
    decide_enable,
    decide_register,
    decide_reset,
    decide_roles,
    decide_set_password,
    evolve,
    faults_of_account,
    keeps_an_administrator,
    normal_login,
    password_fits,
    password_is_weak,
    roles_now,
    roles_of_administrator,
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


ONE, OTHER = UUID(int=71), UUID(int=72)


def a_user(**changes: object) -> User:
    return msgspec.structs.replace(evolve(None, REGISTERED, AT), **changes)


def test_an_administrator_resets_a_colleagues_factors_and_nobody_the_own() -> None:
    assert decide_reset(a_user(), by=ONE, reason="手机遗失") == FactorsReset(ONE, "手机遗失")
    assert decide_reset(a_user(), by=REGISTERED.id, reason="x") is Refusal.OWN_FACTORS
    assert decide_reset(None, by=ONE, reason="x") is Refusal.UNKNOWN


def test_one_hand_does_not_both_give_the_password_and_reset_the_factors() -> None:
    password = "x" * PASSWORD_LENGTH_MIN
    given = evolve(a_user(), PasswordSet(ONE), AT)
    assert decide_reset(given, by=ONE, reason="x") is Refusal.SAME_HAND
    assert decide_reset(given, by=OTHER, reason="x") == FactorsReset(OTHER, "x")
    assert decide_reset(a_user(password_given_by=ONE), by=ONE, reason="x") is Refusal.SAME_HAND

    reset = evolve(a_user(), FactorsReset(ONE, "x"), AT)
    assert decide_set_password(reset, password, ONE) is Refusal.SAME_HAND
    assert decide_set_password(reset, password, OTHER) == PasswordSet(OTHER)
    assert decide_set_password(reset, password) == decide_set_password(reset, password, reset.id) == PasswordSet(None)


def test_a_password_of_ones_own_is_given_by_nobody() -> None:
    given = evolve(a_user(), PasswordSet(ONE), AT)
    own = evolve(given, PasswordSet(), AT)
    assert (given.password_given_by, own.password_given_by) == (ONE, None)
    assert decide_reset(own, by=ONE, reason="x") == FactorsReset(ONE, "x")


@pytest.mark.parametrize("method", Method)
def test_a_reset_lasts_until_a_second_factor_is_set_up(method: Method) -> None:
    reset = evolve(a_user(), FactorsReset(ONE, "手机遗失"), AT)
    assert (reset.reset, reset.reset_by) == (Reset(AT, ONE, "手机遗失"), ONE)
    assert evolve(reset, FactorRemoved(method, ""), AT) == reset

    after = evolve(reset, FactorAdded(method, ""), AT)
    assert (after.reset_by is None) == (method in {Method.TOTP, Method.PASSKEY})
    assert after.reset is not None
    assert evolve(a_user(), FactorAdded(method, ""), AT) == a_user()
    again = evolve(after, FactorsReset(OTHER, "又遗失"), AT)
    assert again.reset_by == OTHER


def test_no_event_holds_a_password_or_its_hash() -> None:
    for event in (REGISTERED, PasswordSet()):
        assert "password" not in {field.name for field in msgspec.structs.fields(event)}


def test_every_refusal_has_its_texts() -> None:
    assert set(TEXTS) == set(Refusal)


@pytest.mark.parametrize(
    "password",
    ["aaaaaaaaaa", "abababab12", "abcdefghij", "9876543210", "password12", "qwerty1234", "zhang.san99", "Zhang.San1"],
)
def test_what_anybody_would_try_first_is_weak(password: str) -> None:
    assert password_is_weak(password, "zhang.san")


@pytest.mark.parametrize(
    "password", ["correct horse battery", "password of my own", "zhang.san likes tea", "8f3k-2m9q-x7"]
)
def test_what_is_long_enough_beside_it_is_not(password: str) -> None:
    assert not password_is_weak(password, "zhang.san")


def test_an_empty_login_is_in_every_password_and_counts_for_none() -> None:
    assert not password_is_weak("8f3k-2m9q-x7", "")


def test_all_that_is_wrong_with_an_account_is_found() -> None:
    assert faults_of_account("zhang.san", "张三", "8f3k-2m9q-x7") == {}
    assert faults_of_account("?", " ", "short") == {
        "login": Refusal.LOGIN_WRONG,
        "person": Refusal.NAME_WRONG,
        "password": Refusal.PASSWORD_WRONG,
    }
    assert faults_of_account("li.si", "李四", "1234567890") == {"password": Refusal.PASSWORD_WEAK}


@pytest.mark.parametrize(
    ("status", "roles"),
    [
        (Stage.ACTIVE, (Role.SUPPLIER, Role.ADMINISTRATOR)),
        (Stage.SUSPENDED, (Role.SUPPLIER, Role.ADMINISTRATOR)),
        (Stage.LEAVING, (Role.SUPPLIER, Role.ADMINISTRATOR)),
        (Stage.APPLIED, (Role.ADMINISTRATOR,)),
        (Stage.RETURNED, (Role.ADMINISTRATOR,)),
        (Stage.REFUSED, ()),
        (Stage.WITHDRAWN, ()),
        (Stage.DEREGISTERED, ()),
    ],
)
def test_who_somebody_is_depends_on_where_the_organisation_is(status: Stage, roles: tuple[Role, ...]) -> None:
    assert roles_now((Role.SUPPLIER, Role.ADMINISTRATOR), status) == roles


def test_roles_of_an_account_change_within_its_kind_of_organisation() -> None:
    user = evolve(None, REGISTERED, AT)
    both = (Role.SUPPLIER, Role.ADMINISTRATOR)
    assert decide_roles(user, Kind.SUPPLIER, both) == RolesChanged(both)
    assert decide_roles(user, Kind.SUPPLIER, both[::-1]) is Refusal.ROLES_WRONG
    assert decide_roles(user, Kind.SUPPLIER, ()) is Refusal.ROLES_WRONG
    assert decide_roles(user, Kind.SUPPLIER, user.roles) is Refusal.NOTHING_CHANGES
    assert decide_roles(None, Kind.SUPPLIER, both) is Refusal.UNKNOWN
    assert evolve(user, RolesChanged(both), AT).roles == both


def test_an_organisation_keeps_an_administrator() -> None:
    user = evolve(evolve(None, REGISTERED, AT), RolesChanged((Role.ADMINISTRATOR,)), AT)
    gone = evolve(user, Disabled("离职"), AT)
    other = msgspec.structs.replace(user, id=UUID(int=99))
    assert keeps_an_administrator([user, None], user)
    assert not keeps_an_administrator([user, None], gone)
    assert keeps_an_administrator([user, other], gone)


def test_the_first_account_acts_as_all_that_its_organisation_may() -> None:
    assert roles_of_administrator(Kind.AGENCY) == (Role.AGENCY, Role.ADMINISTRATOR)
