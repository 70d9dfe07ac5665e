"""Login and step-up by certificate through HTTP: what opens the door, and everything that must not."""

import base64
from base64 import b32decode
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from crypto.certificates.names import Subject
from crypto.certificates.profiles import Profile
from kernel.access.actors import Role
from kernel.clock import ManualClock
from kernel.commit.by import By
from kernel.runtime import Kernel
from registries.challenges.rules import LIFETIME
from registries.factors.rules import code_at, step_of
from registries.members import service as members
from registries.users import service as users
from tests.builders.certificates import KEY_KINDS, a_key, spki_of
from tests.builders.enrolled import Person, a_person
from tests.builders.registries import OPERATOR, a_user

HERE = "/api/session/certificate"


def _reason(answer: httpx2.Response) -> Any:
    return answer.status_code, answer.json().get("reason")


def advance(kernel: Kernel, by: timedelta) -> None:
    assert isinstance(kernel.clock, ManualClock)
    kernel.clock.advance(by)


@pytest.fixture
async def enrolled(person: Person) -> Person:
    """Somebody who has a certificate and is logged out."""
    await person.enrol()
    await person.client.delete("/api/sessions/current")
    return person


@pytest.mark.parametrize("kind", KEY_KINDS)
async def test_a_certificate_opens_its_account(kind: str, person: Person) -> None:
    person.key = a_key(kind, 20)
    await person.enrol()
    person.client.cookies.clear()

    opened = await person.certificate_login()

    assert opened.status_code == 201, opened.text
    assert opened.json()["session"]["level"] == "certificate"
    current = (await person.client.get("/api/sessions/current")).json()
    assert current["actor"]["login"] == person.actor.login
    assert "certificate" in current["session"]["methods"]


async def test_a_challenge_is_good_once(enrolled: Person) -> None:
    proof = enrolled.proof(await enrolled.challenge())

    assert (await enrolled.client.post(HERE, json=proof)).status_code == 201
    await enrolled.client.delete("/api/sessions/current")
    again = await enrolled.client.post(HERE, json=proof)
    assert _reason(again) == (401, "challenge-unknown")


async def test_a_wrong_answer_uses_the_challenge_up(enrolled: Person) -> None:
    asked = await enrolled.challenge()
    wrong = enrolled.proof(asked) | {"signature": "AAAA"}

    assert _reason(await enrolled.client.post(HERE, json=wrong)) == (401, "signature-wrong")
    assert _reason(await enrolled.client.post(HERE, json=enrolled.proof(asked))) == (401, "challenge-unknown")


async def test_a_challenge_is_good_for_two_minutes(trusting: Kernel, enrolled: Person) -> None:
    asked = await enrolled.challenge()
    advance(trusting, LIFETIME - timedelta(microseconds=1))
    assert (await enrolled.client.post(HERE, json=enrolled.proof(asked))).status_code == 201

    await enrolled.client.delete("/api/sessions/current")
    asked = await enrolled.challenge()
    advance(trusting, LIFETIME)
    assert _reason(await enrolled.client.post(HERE, json=enrolled.proof(asked))) == (401, "challenge-unknown")


@pytest.mark.parametrize(
    "signed",
    [
        {"site": "https://test.example.com"},
        {"purpose": "sign"},
        {"binding": "00" * 32},
        {"issued_at": "2026-11-23T01:00:00.000001Z"},
        {"nonce": "00" * 32},
        {"about": "something"},
        {"prefix": "zhecai-auth/v2"},
        {"algorithm": "sm2-sm3"},
    ],
    ids=lambda signed: next(iter(signed)),
)
async def test_every_part_must_be_what_was_signed(signed: dict[str, str], enrolled: Person) -> None:
    """A page of somebody else's, say, gets a signature over its own address."""
    assert _reason(await enrolled.certificate_login(**signed)) == (401, "signature-wrong")


async def test_a_signature_is_of_no_use_in_another_browser(
    enrolled: Person, browsers: list[httpx2.AsyncClient]
) -> None:
    proof = enrolled.proof(await enrolled.challenge())

    assert (await browsers[1].post(HERE, json=proof)).status_code == 422  # it has asked for no challenge
    await browsers[1].post("/api/session/challenge", json={"purpose": "login"})
    proof = enrolled.proof(await enrolled.challenge())
    assert _reason(await browsers[1].post(HERE, json=proof)) == (401, "challenge-elsewhere")


async def test_a_challenge_for_something_else_logs_nobody_in(enrolled: Person) -> None:
    proof = enrolled.proof(await enrolled.challenge("sign"))
    assert _reason(await enrolled.client.post(HERE, json=proof)) == (401, "challenge-other-purpose")


async def test_another_s_key_does_not_fit_my_certificate(enrolled: Person) -> None:
    enrolled.key = a_key(number=99)
    assert _reason(await enrolled.certificate_login()) == (401, "signature-wrong")


async def test_a_revoked_certificate_opens_nothing_at_once(enrolled: Person) -> None:
    await enrolled.log_in()
    await enrolled.post(f"/api/certificates/{enrolled.id}/revocation", {"reason": "电脑丢失"})
    await enrolled.client.delete("/api/sessions/current")

    assert _reason(await enrolled.certificate_login()) == (401, "certificate-revoked")


async def test_an_expired_certificate_opens_nothing(trusting: Kernel, enrolled: Person) -> None:
    advance(trusting, timedelta(days=366))
    assert _reason(await enrolled.certificate_login()) == (401, "certificate-expired")


async def test_a_renewed_certificate_still_opens_its_account(enrolled: Person) -> None:
    old = enrolled.certificate
    await enrolled.log_in()
    await enrolled.enrol(replaces=enrolled.id)
    await enrolled.client.delete("/api/sessions/current")
    enrolled.certificate = old

    assert (await enrolled.certificate_login()).status_code == 201


async def test_a_disabled_account_stays_shut(trusting: Kernel, enrolled: Person) -> None:
    assert enrolled.actor.user_id is not None
    await users.disable_user(trusting, OPERATOR, enrolled.actor.user_id, "离职")

    assert _reason(await enrolled.certificate_login()) == (403, "disabled")


async def test_a_certificate_that_nobody_has_registered_opens_nothing(trusting: Kernel, enrolled: Person) -> None:
    authority = await trusting.trust.authority()
    assert authority is not None
    made = authority.issue(Profile.STAFF, Subject("测试员"), spki_of(enrolled.key), at=trusting.clock.now())
    enrolled.certificate = made.der

    assert _reason(await enrolled.certificate_login()) == (401, "certificate-unregistered")


async def test_what_is_no_certificate_is_refused(enrolled: Person) -> None:
    for certificate in (b"garbage", enrolled.certificate[:-1]):
        proof = enrolled.proof(await enrolled.challenge()) | {"certificate": base64.b64encode(certificate).decode()}
        assert _reason(await enrolled.client.post(HERE, json=proof)) == (401, "signature-wrong")


async def test_the_token_changes_and_the_session_rises_when_a_certificate_is_shown(enrolled: Person) -> None:
    await enrolled.log_in()
    before = enrolled.client.cookies["zhecai_session"]
    body = {"purpose": "award", "proof": enrolled.proof(await enrolled.challenge("award", "auction/1"))}

    raised = await enrolled.client.post("/api/sessions/current/certificate", json=body)

    assert raised.status_code == 201, raised.text
    assert raised.json()["session"]["level"] == "certificate"
    assert enrolled.client.cookies["zhecai_session"] != before


async def test_nobody_proves_themselves_with_another_s_certificate(
    trusting: Kernel, enrolled: Person, browsers: list[httpx2.AsyncClient]
) -> None:
    other = await a_person(trusting, browsers[1], 2)
    other.key, other.certificate = enrolled.key, enrolled.certificate
    body = {"purpose": "sign", "proof": other.proof(await other.challenge("sign"))}

    answer = await other.client.post("/api/sessions/current/certificate", json=body)
    assert _reason(answer) == (409, "certificate-of-another")


async def test_challenges_are_not_to_be_had_without_end(enrolled: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registries.challenges.service.CHALLENGES_PER_ADDRESS", 3)
    for _ in range(3):
        await enrolled.challenge()
    answer = await enrolled.client.post("/api/session/challenge", json={"purpose": "login"})
    assert answer.status_code == 429


async def test_challenges_that_nobody_answers_are_forgotten(trusting: Kernel, enrolled: Person) -> None:
    await enrolled.challenge()
    advance(trusting, LIFETIME + timedelta(seconds=1))
    await enrolled.challenge()
    assert await trusting.db.pool.fetchval("select count(*) from challenges") == 1


@pytest.mark.parametrize("way", ["certificate", "password"])
async def test_after_a_reset_a_login_leads_to_another_factor_with_a_certificate_too(
    trusting: Kernel, enrolled: Person, way: str
) -> None:
    """The certificate is none of what was reset, and opens nothing before a second factor is set up."""
    assert enrolled.actor.organisation_id
    assert enrolled.actor.user_id
    administrator = await a_user(trusting, "administrator", enrolled.actor.organisation_id, Role.ADMINISTRATOR)
    by = By(administrator, "192.0.2.1", trusting.clock.now())
    await members.reset_factors(trusting, by, enrolled.actor.user_id, "手机遗失")

    if way == "certificate":
        session = (await enrolled.certificate_login()).json()["session"]
    else:
        await enrolled.log_in()
        session = (await enrolled.client.get("/api/sessions/current")).json()["session"]
    assert (session["level"], session["pending"], session["enrolling"]) == (way, True, True)
    assert "certificate" in session["methods"]
    refused = await enrolled.client.get("/api/orders")
    assert (refused.status_code, refused.json()["enrol"]) == (403, True)

    secret = (await enrolled.client.post("/api/account/totp")).json()["secret"]
    code = code_at(b32decode(secret), step_of(trusting.clock.now()))
    raised = await enrolled.client.post("/api/account/totp/confirm", json={"code": code})
    assert raised.json()["session"]["pending"] is False
    assert (await enrolled.client.get("/api/orders")).status_code == 200
