"""Enrolment, the list, renewal, revocation and the public files, through HTTP; openssl looks at what comes out."""

import asyncio
import base64
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from asn1crypto import crl

from crypto.certificates.authority import Authority
from crypto.certificates.certificate import Certificate
from crypto.certificates.names import Subject
from crypto.certificates.profiles import Profile
from kernel.clock import ManualClock
from kernel.runtime import Kernel
from portal.app import create_app
from registries.certificates.rules import ACTIVE_MAX
from registries.certificates.service import PUBLISHED_S
from registries.organisations import service as organisations
from tests.builders.certificates import KEY_KINDS, Pki, a_key, a_pki, spki_of
from tests.builders.enrolled import SITE, Person, a_person
from tests.builders.openssl import openssl
from tests.builders.registries import OPERATOR, a_credit_code
from tests.conftest import NOON, KernelMaker

DAY = timedelta(days=1)


def advance(kernel: Kernel, by: timedelta) -> None:
    assert isinstance(kernel.clock, ManualClock)
    kernel.clock.advance(by)


def _reason(answer: httpx2.Response) -> Any:
    return answer.status_code, answer.json().get("reason") or answer.json().get("field")


async def test_a_certificate_says_what_is_registered_and_openssl_accepts_it(person: Person, tmp_path: Path) -> None:
    said = (await person.client.get("/api/certificates/particulars")).json()
    made = await person.enrol()

    assert (said["name"], said["credit_code"], said["issues"]) == ("测试员", person.credit_code, True)
    subject = Certificate(person.certificate).subject
    assert (subject.common_name, subject.credit_code) == (said["name"], said["credit_code"])
    assert subject.organisation == said["organisation_name"]
    assert (made["status"], made["usable"], made["warning_days"]) == ("active", True, None)
    files = {
        "chain": f"/api/certificates/{person.id}/file",
        "roots": "/api/certificates/authorities.pem",
        "list": "/api/certificates/lists/issuing.crl",
    }
    for name, path in files.items():
        (tmp_path / name).write_bytes((await person.client.get(path)).raise_for_status().content)
    command = ["verify", "-x509_strict", "-crl_check", "-CRLfile", str(tmp_path / "list")]
    command += ["-attime", str(int((NOON + DAY).timestamp())), "-CAfile", str(tmp_path / "roots")]
    command += [str(tmp_path / "chain")]
    found = await asyncio.to_thread(openssl, *command)
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("kind", KEY_KINDS)
async def test_every_kind_of_key_gets_a_certificate(kind: str, person: Person) -> None:
    person.key = a_key(kind, 20)

    assert (await person.enrol())["key_algorithm"] == kind


async def test_the_same_request_with_the_same_key_gives_the_same_certificate(person: Person) -> None:
    body = {"request": person.request()}
    first, again = [await person.post("/api/certificates", body, key="once") for _ in range(2)]

    assert first.json()["id"] == again.json()["id"]
    assert len((await person.client.get("/api/certificates")).json()["items"]) == 1


async def test_a_request_for_another_organisation_is_refused(person: Person) -> None:
    for credit_code in ("", a_credit_code(99)):
        answer = await person.post("/api/certificates", {"request": person.request(credit_code=credit_code)})
        assert _reason(answer) == (409, "subject-wrong")


async def test_a_request_without_its_key_or_in_no_form_is_invalid(person: Person) -> None:
    good = base64.b64decode(person.request())
    for request in (good[:-1] + bytes([good[-1] ^ 1]), b"garbage"):
        answer = await person.post("/api/certificates", {"request": base64.b64encode(request).decode()})
        assert _reason(answer) == (422, "request")
    assert _reason(await person.post("/api/certificates", {"request": "§"})) == (422, "request")


async def test_nobody_collects_certificates(person: Person) -> None:
    for _ in range(ACTIVE_MAX):
        last = await person.enrol()
    answer = await person.post("/api/certificates", {"request": person.request()})

    assert _reason(answer) == (409, "too-many-certificates")
    assert (await person.enrol(replaces=last["id"]))["replaces"] == last["id"]


async def test_a_suspended_organisation_gets_none(trusting: Kernel, person: Person) -> None:
    assert person.actor.organisation_id is not None
    await organisations.suspend_organisation(trusting, OPERATOR, person.actor.organisation_id, "核查")

    answer = await person.post("/api/certificates", {"request": person.request()})
    assert _reason(answer) == (409, "organisation-suspended")


async def test_the_list_warns_and_a_renewed_certificate_is_warned_of_no_more(trusting: Kernel, person: Person) -> None:
    old = await person.enrol()
    advance(trusting, 350 * DAY)
    await person.log_in()

    (row,) = (await person.client.get("/api/certificates")).json()["items"]
    assert row["warning_days"] == 15
    new = await person.enrol(replaces=old["id"])
    rows = (await person.client.get("/api/certificates")).json()["items"]
    assert [(row["id"], row["status"], row["warning_days"], row["usable"]) for row in rows] == [
        (new["id"], "active", None, True),
        (old["id"], "renewed", None, True),
    ]
    answer = await person.post("/api/certificates", {"request": person.request(), "replaces": old["id"]})
    assert _reason(answer) == (409, "certificate-renewed")


async def test_a_revoked_certificate_is_on_the_list_within_seconds(trusting: Kernel, person: Person) -> None:
    made = await person.enrol()
    before = (await person.client.get("/api/certificates/lists/issuing.crl")).content
    path = f"/api/certificates/{made['id']}/revocation"

    assert (await person.post(path, {"reason": "电脑丢失"})).json()["status"] == "revoked"

    answer = await person.client.get("/api/certificates/lists/issuing.crl")
    assert answer.content == before
    advance(trusting, timedelta(seconds=PUBLISHED_S))
    answer = await person.client.get("/api/certificates/lists/issuing.crl")
    (line,) = crl.CertificateList.load(answer.content)["tbs_cert_list"]["revoked_certificates"]
    assert line["user_certificate"].native == int(made["serial"], 16)
    assert _reason(await person.post(path, {"reason": "电脑丢失"})) == (409, "certificate-revoked")
    assert _reason(await person.post(path, {"reason": " "})) in ((409, "certificate-revoked"), (409, "reason-wrong"))


async def test_whoever_has_just_got_a_certificate_can_prove_with_it_and_after_its_end_no_more(person: Person) -> None:
    async def methods() -> list[str]:
        current = (await person.client.get("/api/sessions/current")).json()
        found: list[str] = current["session"]["methods"]
        return found

    assert "certificate" not in await methods()
    await person.enrol()
    assert "certificate" in await methods()
    await person.post(f"/api/certificates/{person.id}/revocation", {"reason": "电脑丢失"})
    assert "certificate" not in await methods()


async def test_a_stranger_sees_and_revokes_nothing(
    trusting: Kernel, person: Person, browsers: list[httpx2.AsyncClient]
) -> None:
    await person.enrol()
    stranger = await a_person(trusting, browsers[1], 2)

    assert (await stranger.client.get("/api/certificates")).json()["items"] == []
    assert (await stranger.client.get(f"/api/certificates/{person.id}/file")).status_code == 404
    assert (await stranger.post(f"/api/certificates/{person.id}/revocation", {"reason": "x"})).status_code == 404
    body = {"request": stranger.request(), "replaces": person.id}
    assert (await stranger.post("/api/certificates", body)).status_code == 404


async def test_a_site_without_an_authority_issues_none(make_kernel: KernelMaker, tmp_path: Path) -> None:
    kernel = await make_kernel(data_dir=tmp_path / "bare")
    transport = httpx2.ASGITransport(app=create_app(kernel))
    async with httpx2.AsyncClient(transport=transport, base_url=SITE) as client:
        person = await a_person(kernel, client, 3)

        assert (await client.get("/api/certificates/particulars")).json()["issues"] is False
        answer = await person.post("/api/certificates", {"request": person.request()})
        assert _reason(answer) == (503, "no-authority")
        for path in ("authorities.pem", "lists/issuing.crl"):
            assert (await client.get(f"/api/certificates/{path}")).status_code == 404


def _outside(person: Person, algorithm: str, **changes: str) -> tuple[Pki, bytes]:
    """Another authority's certificate for the person's organisation."""
    pki = a_pki(algorithm)
    subject = Subject("测试员", "测试单位", changes.get("credit_code", person.credit_code))
    key = a_key(algorithm, 30)
    person.key = key
    return pki, pki.issuing.issue(Profile.SUPPLIER, subject, spki_of(key), at=NOON).der


def _trusted(pki: Pki, folder: Path) -> None:
    (folder / "outside.pem").write_bytes(pki.root.certificate.pem() + pki.issuing.certificate.pem())
    for number, one in enumerate((pki.root, pki.issuing)):
        assert isinstance(one, Authority)
        (folder / f"{number}.crl").write_bytes(one.revocation_list([], number=1, at=NOON))


async def _register(person: Person) -> httpx2.Response:
    proof = person.proof(await person.challenge("register"))
    return await person.client.post("/api/certificates/registrations", json=proof)


@pytest.mark.parametrize("kind", KEY_KINDS)
async def test_an_outside_certificate_is_registered_and_logs_in(kind: str, person: Person, tmp_path: Path) -> None:
    pki, person.certificate = _outside(person, kind)
    _trusted(pki, tmp_path / "trust")

    registered = (await _register(person)).json()["certificate_id"]
    (row,) = (await person.client.get("/api/certificates")).json()["items"]
    assert (row["id"], row["source"]) == (registered, "outside")
    person.client.cookies.clear()
    assert (await person.certificate_login()).status_code == 201


async def test_an_outside_certificate_that_is_not_ours_to_trust_is_refused(
    trusting: Kernel, person: Person, tmp_path: Path
) -> None:
    pki, person.certificate = _outside(person, "ecdsa-p256-sha256")
    assert _reason(await _register(person)) == (401, "certificate-untrusted")
    pki, person.certificate = _outside(person, "ecdsa-p256-sha256", credit_code=a_credit_code(77))
    _trusted(pki, tmp_path / "trust")
    advance(trusting, timedelta(seconds=11))  # the folder is looked at again
    assert _reason(await _register(person)) == (409, "subject-wrong")
