"""What a session must have shown before an act, by the table and by the site's settings."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from kernel.access.actors import Actor, Role
from kernel.access.assurance import Assurance, Method
from kernel.access.sessions import Session
from kernel.access.table import TABLE, Action, Nature
from kernel.settings import Settings, SettingsError, load_settings
from kernel.web.context import lacking
from tests.conftest import NOON

PASSWORD, TWO, CERTIFICATE = Assurance
DEMO, SITE = Settings(demo=True), Settings()
MOMENT = timedelta(microseconds=1)


def a_session(methods: tuple[Method, ...] = (Method.PASSWORD, Method.TOTP), **changes: Any) -> Session:
    actor = Actor(UUID(int=1), "a", "某人", UUID(int=2), "某单位", "330102", (Role.PURCHASER,), methods)
    session = Session(UUID(int=3), actor, TWO, PASSWORD, NOON, NOON, NOON + timedelta(hours=1))
    return msgspec.structs.replace(session, **changes)


@pytest.mark.parametrize("action", Action)
def test_in_a_demonstration_a_password_is_enough_however_old(action: Action) -> None:
    session = a_session((Method.PASSWORD,), level=PASSWORD)
    assert lacking(session, action, DEMO, NOON + timedelta(hours=11)) is None


def test_an_act_that_binds_needs_a_second_factor_elsewhere() -> None:
    session = a_session(level=PASSWORD)
    assert lacking(session, Action.ORDER_PLACE, SITE, NOON) is TWO
    assert lacking(session, Action.ORDER_READ, SITE, NOON) is None
    assert lacking(a_session(), Action.ORDER_PLACE, SITE, NOON) is None


def test_a_certificate_is_asked_for_where_the_site_has_them() -> None:
    site = Settings(assurance=CERTIFICATE)
    assert lacking(a_session(), Action.AUCTION_AWARD, SITE, NOON) is None
    assert lacking(a_session(), Action.AUCTION_AWARD, site, NOON) is CERTIFICATE
    assert lacking(a_session(level=CERTIFICATE), Action.AUCTION_AWARD, site, NOON) is None
    assert lacking(a_session(), Action.ORDER_PLACE, site, NOON) is None


def test_a_proof_for_an_act_that_binds_may_be_so_old_and_no_older() -> None:
    age = timedelta(seconds=900)
    assert lacking(a_session(), Action.ORDER_PLACE, SITE, NOON + age) is None
    assert lacking(a_session(), Action.ORDER_PLACE, SITE, NOON + age + MOMENT) is TWO
    assert lacking(a_session(), Action.AUCTION_OFFER, SITE, NOON + age + MOMENT) is None
    assert lacking(a_session(), Action.ORDER_PLACE, Settings(step_up_s=60), NOON + timedelta(seconds=61)) is TWO


def test_what_was_shown_must_be_shown_again_and_nothing_weaker() -> None:
    old = NOON + timedelta(hours=1)
    assert lacking(a_session(level=CERTIFICATE), Action.ORDER_PLACE, SITE, old) is CERTIFICATE
    assert lacking(a_session(), Action.FACTOR_CHANGE, SITE, old) is TWO
    assert lacking(a_session(level=PASSWORD), Action.FACTOR_CHANGE, SITE, old) is PASSWORD


@pytest.mark.parametrize("action", Action)
def test_a_pending_session_may_only_prove_more_or_end(action: Action) -> None:
    session = a_session(level=PASSWORD, floor=TWO)
    out = {Action.SESSION_OPEN, Action.SESSION_READ, Action.SESSION_CLOSE, Action.SESSION_STEP_UP}
    assert lacking(session, action, SITE, NOON) == (None if action in out else TWO)


@pytest.mark.parametrize("action", Action)
def test_who_has_no_second_factor_yet_may_set_one_up_and_do_nothing_else(action: Action) -> None:
    session = a_session((Method.PASSWORD,), level=PASSWORD, floor=TWO)
    account = TABLE[action].nature is Nature.ACCOUNT
    assert lacking(session, action, SITE, NOON) == (None if account else TWO)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("level", Assurance)
@pytest.mark.parametrize("settings", [SITE, DEMO])
def test_after_a_reset_a_second_factor_is_set_up_before_anything_else(
    action: Action, level: Assurance, settings: Settings
) -> None:
    """Whatever was shown, a certificate too, and in a demonstration."""
    known = a_session((Method.PASSWORD, Method.CERTIFICATE))
    session = msgspec.structs.replace(known, actor=msgspec.structs.replace(known.actor, must_enrol=True), level=level)
    account = TABLE[action].nature is Nature.ACCOUNT
    assert lacking(session, action, settings, NOON) == (None if account else TWO)


def test_a_real_site_cannot_be_told_that_a_password_is_enough() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({"ZHECAI_ASSURANCE": "password"})
    assert "ZHECAI_ASSURANCE" in refused.value.detail[1]
    assert load_settings({"ZHECAI_ASSURANCE": "password", "ZHECAI_DEMO": "true"}).proof_max is PASSWORD
    assert load_settings({"ZHECAI_ASSURANCE": "second-factor", "ZHECAI_DEMO": "true"}).proof_max is TWO
