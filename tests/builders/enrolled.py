"""Somebody with an account, a browser's cookies and a certificate, through HTTP."""

import base64
from dataclasses import dataclass, field
from typing import Any

import httpx2

from crypto import signatures
from crypto.certificates.names import Subject
from crypto.certificates.profiles import Profile
from crypto.certificates.requests import make_request
from crypto.certificates.validation import Validated
from crypto.signatures import PrivateKey
from crypto.suites import bound
from kernel.access.actors import Actor
from kernel.commit.by import By
from kernel.runtime import Kernel
from registries.certificates import service as certificates
from registries.certificates.rules import UserCertificate
from registries.organisations import service as organisations
from registries.organisations.rules import Kind
from tests.builders.certificates import a_key, a_pki, spki_of
from tests.builders.registries import PASSWORD, a_credit_code, a_user, register

SITE = "http://test"


@dataclass
class Person:
    """``client`` keeps this person's cookies; ``certificate`` is DER."""

    client: httpx2.AsyncClient
    actor: Actor
    credit_code: str
    key: PrivateKey = field(default_factory=a_key)
    certificate: bytes = b""
    id: str = ""

    async def log_in(self) -> None:
        body = {"login": self.actor.login, "password": PASSWORD}
        (await self.client.post("/api/sessions", json=body)).raise_for_status()

    def request(self, **changes: str) -> str:
        """Make a certification request for the person's key, as the API takes it."""
        said = {"common_name": "测试员", "organisation": "测试单位", "credit_code": self.credit_code} | changes
        return base64.b64encode(make_request(Subject(**said), self.key)).decode()

    async def post(self, path: str, body: Any, key: str = "") -> httpx2.Response:
        number = getattr(self, "_number", 0) + 1
        self._number = number
        headers = {"Idempotency-Key": key or f"{self.actor.login}-{number}"}
        return await self.client.post(path, json=body, headers=headers)

    async def enrol(self, **body: Any) -> dict[str, Any]:
        answer = await self.post("/api/certificates", {"request": self.request(), **body})
        assert answer.status_code == 201, answer.text
        out: dict[str, Any] = answer.json()
        self.certificate, self.id = base64.b64decode(out["der"]), out["id"]
        return out

    async def challenge(self, purpose: str = "login", about: str = "") -> dict[str, Any]:
        answer = await self.client.post("/api/session/challenge", json={"purpose": purpose, "about": about})
        assert answer.status_code == 201, answer.text
        out: dict[str, Any] = answer.json()
        return out

    def proof(self, asked: dict[str, Any], **signed: str) -> dict[str, Any]:
        """Sign a challenge as a browser does; ``signed`` changes what goes into the signature."""
        algorithm = signatures.algorithm_of(self.key)
        parts = {name: asked[name] for name in ("purpose", "binding", "issued_at", "nonce", "about")}
        parts |= {"site": SITE, "prefix": "zhecai-auth/v1", "algorithm": algorithm} | signed
        names = ("purpose", "site", "binding", "issued_at", "nonce", "about")
        message = bound(parts["prefix"], parts["algorithm"], *(parts[name].encode() for name in names))
        return {
            "nonce": asked["nonce"],
            "algorithm": algorithm,
            "signature": base64.b64encode(signatures.sign(algorithm, self.key, message)).decode(),
            "certificate": base64.b64encode(self.certificate).decode(),
        }

    async def certificate_login(self, **signed: str) -> httpx2.Response:
        return await self.client.post("/api/session/certificate", json=self.proof(await self.challenge(), **signed))


async def a_certificate_of(kernel: Kernel, actor: Actor) -> UserCertificate:
    """Register an outside authority's certificate for somebody."""
    assert actor.organisation_id is not None
    organisation = await organisations.get(kernel, actor.organisation_id)
    pki, at = a_pki(), kernel.clock.now()
    subject = Subject(actor.name, organisation.name, organisation.credit_code)
    made = pki.issuing.issue(Profile.STAFF, subject, spki_of(a_key(number=40)), at=at)
    return await certificates.register(kernel, By(actor, "test", at), Validated(made, (), at))


async def a_person(
    kernel: Kernel, client: httpx2.AsyncClient, number: int = 1, algorithm: str = "ecdsa-p256-sha256"
) -> Person:
    """Register an organisation and open an account in it; the person is logged in."""
    organisation_id = await register(kernel, number, Kind.SUPPLIER)
    actor = await a_user(kernel, f"person{number}", organisation_id)
    person = Person(client, actor, a_credit_code(number), a_key(algorithm, 10 + number))
    await person.log_in()
    return person
