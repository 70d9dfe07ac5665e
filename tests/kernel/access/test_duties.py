from uuid import UUID

import pytest

from kernel.access.actors import PUBLIC_ACTOR, Actor, Role
from kernel.access.duties import PARTIES, SIDES, Clash, Side, decide_second_hand, faults_of, one_side
from kernel.access.table import TABLE, Action, Grant, Nature, Rule, Scope

HANDLER, ORGANISATION = UUID(int=1), UUID(int=9)


def an_actor(number: int = 2, organisation: int = 9, *roles: Role) -> Actor:
    return Actor(UUID(int=number), "a", "某人", UUID(int=organisation), "某单位", "330102", roles or (Role.APPROVER,))


def test_every_role_has_a_side() -> None:
    assert set(SIDES) == set(Role)


@pytest.mark.parametrize(
    ("roles", "together"),
    [
        ((Role.PURCHASER, Role.APPROVER), True),
        ((Role.SUPPLIER, Role.SIGNATORY), True),
        ((Role.SUPERVISOR, Role.AUDITOR), True),
        ((Role.SIGNATORY, Role.ADMINISTRATOR), True),
        ((Role.ADMINISTRATOR,), True),
        ((Role.PURCHASER, Role.SUPPLIER), False),
        ((Role.PURCHASER, Role.SUPPLIER, Role.ADMINISTRATOR), False),
        ((Role.SUPERVISOR, Role.PURCHASER), False),
        ((Role.OPERATOR, Role.SUPERVISOR), False),
        ((Role.EXPERT, Role.AGENCY), False),
        ((), False),
    ],
)
def test_roles_are_held_together_on_one_side_only(roles: tuple[Role, ...], together: bool) -> None:  # noqa: FBT001
    assert one_side(roles) is together


def test_another_approver_of_the_organisation_is_the_second_hand() -> None:
    assert decide_second_hand(HANDLER, ORGANISATION, an_actor()) is None


def test_who_handles_and_approves_may_approve_what_others_prepared_and_never_the_own() -> None:
    both = (Role.PURCHASER, Role.APPROVER)

    assert decide_second_hand(HANDLER, ORGANISATION, an_actor(1, 9, *both)) is Clash.SAME_PERSON
    assert decide_second_hand(HANDLER, ORGANISATION, an_actor(2, 9, *both)) is None


@pytest.mark.parametrize(
    ("second", "clash"),
    [
        (an_actor(1, 8, Role.SUPERVISOR), Clash.SAME_PERSON),
        (an_actor(2, 8), Clash.OTHER_ORGANISATION),
        (an_actor(2, 9, Role.PURCHASER), Clash.NOT_APPROVER),
        (PUBLIC_ACTOR, Clash.OTHER_ORGANISATION),
    ],
)
def test_the_first_clash_that_applies_is_named(second: Actor, clash: Clash) -> None:
    assert decide_second_hand(HANDLER, ORGANISATION, second) is clash


def doctored(nature: Nature, role: Role) -> list[str]:
    return faults_of({**TABLE, Action.ORDER_PLACE: Rule(("", ""), nature, (Grant(role, Scope.PLATFORM),))})


@pytest.mark.parametrize("role", Role)
def test_a_table_that_mixes_duties_is_found(role: Role) -> None:
    side = SIDES[role]

    assert bool(doctored(Nature.BUSINESS_ACT, role)) is (side not in PARTIES)
    assert bool(doctored(Nature.BUSINESS_READ, role)) is (side in {Side.OPERATING, Side.NOBODY})
    assert bool(doctored(Nature.OVERSIGHT, role)) is (side in PARTIES | {Side.NOBODY})
    assert bool(doctored(Nature.OPERATION, role)) is (side is not Side.OPERATING)
    assert doctored(Nature.PUBLIC, role) == []
