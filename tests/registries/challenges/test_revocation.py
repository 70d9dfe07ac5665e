"""Login with an outside authority's certificate, which is asked over HTTP whether it is revoked."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from crypto.certificates.authority import Revocation
from crypto.certificates.certificate import Certificate
from crypto.certificates.names import Subject
from crypto.certificates.profiles import Profile
from kernel.clock import ManualClock
from kernel.revocation.register import RENEWED_AFTER, RETRY_S
from kernel.runtime import Kernel
from portal.app import create_app
from tests.builders.certificates import NEEDS_SM2, Pki, a_key, a_pki, spki_of
from tests.builders.enrolled import SITE, Person, a_person
from tests.builders.outside import HOST, Outside, an_outside
from tests.builders.revocation import an_answer
from tests.conftest import NOON, KernelMaker

KINDS = pytest.mark.parametrize("kind", ["ecdsa-p256-sha256", pytest.param("sm2-sm3", marks=NEEDS_SM2)])


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    async with an_outside() as found:
        yield found


class Customer:
    """Somebody with a certificate of an outside authority, whose server answers as ``says`` has it."""

    def __init__(self, kernel: Kernel, outside: Outside, person: Person, pki: Pki) -> None:
        self.kernel, self.outside, self.person, self.pki = kernel, outside, person, pki

    def says(self, status: str) -> None:
        at = self.kernel.clock.now()
        certificate = Certificate(self.person.certificate)
        lines = [Revocation(certificate.serial, at)] if status == "revoked" else []
        self.outside.files = {
            "/ocsp": an_answer(self.pki, at=at, status=status, certificate=certificate),
            "/a.crl": self.pki.issuing.revocation_list(lines, number=int(at.timestamp()), at=at),
        }

    async def register(self) -> Any:
        proof = self.person.proof(await self.person.challenge("register"))
        return _reason(await self.person.client.post("/api/certificates/registrations", json=proof))

    async def log_in(self) -> Any:
        self.person.client.cookies.clear()
        return _reason(await self.person.certificate_login())

    def later(self, by: timedelta) -> None:
        assert isinstance(self.kernel.clock, ManualClock)
        self.kernel.clock.advance(by)


def _reason(answer: httpx2.Response) -> Any:
    return answer.status_code, answer.json().get("reason")


CustomerMaker = Any


@pytest.fixture
async def customer(make_kernel: KernelMaker, tmp_path: Path, outside: Outside) -> AsyncIterator[CustomerMaker]:
    (tmp_path / "trust").mkdir()
    kernel = await make_kernel(data_dir=tmp_path, trust_dir=tmp_path / "trust", revocation_hosts=(HOST,))
    transport = httpx2.ASGITransport(app=create_app(kernel))
    async with httpx2.AsyncClient(transport=transport, base_url=SITE) as client:

        async def make(kind: str = "ecdsa-p256-sha256", **names: str) -> Customer:
            person = await a_person(kernel, client, 5)
            pki = a_pki(kind, at=NOON)
            person.key = a_key(kind, 30)
            subject = Subject("测试员", "测试单位", person.credit_code)
            urls = names or {"ocsp_url": outside.url("/ocsp")}
            made = pki.issuing.issue(Profile.SUPPLIER, subject, spki_of(person.key), at=NOON, **urls)  # type: ignore[arg-type]
            person.certificate = made.der
            pem = pki.root.certificate.pem() + pki.issuing.certificate.pem()
            (tmp_path / "trust" / "outside.pem").write_bytes(pem)
            (tmp_path / "trust" / "root.crl").write_bytes(pki.lists[0])
            return Customer(kernel, outside, person, pki)

        yield make


@KINDS
@pytest.mark.parametrize("source", ["ocsp_url", "crl_url"])
async def test_a_certificate_that_is_revoked_later_opens_nothing_within_the_hour(
    kind: str, source: str, customer: CustomerMaker, outside: Outside
) -> None:
    path = {"ocsp_url": "/ocsp", "crl_url": "/a.crl"}[source]
    one = await customer(kind, **{source: outside.url(path)})
    one.says("good")
    assert await one.register() == (201, None)
    assert await one.log_in() == (201, None)
    assert len(outside.asked) == 1
    one.later(RENEWED_AFTER)
    one.says("revoked")

    assert await one.kernel.revocations.renew() == 1

    assert await one.log_in() == (401, "certificate-revoked")


async def test_a_certificate_that_is_revoked_is_not_registered(customer: CustomerMaker) -> None:
    one = await customer()
    one.says("revoked")

    assert await one.register() == (401, "certificate-revoked")


async def test_while_the_authority_does_not_answer_nobody_comes_in(customer: CustomerMaker, outside: Outside) -> None:
    one = await customer()
    assert await one.register() == (503, "revocation-unreachable")
    one.says("unknown")
    one.later(timedelta(seconds=RETRY_S))
    assert await one.register() == (503, "revocation-unreachable")
    one.says("good")
    one.later(timedelta(seconds=RETRY_S))

    assert await one.register() == (201, None)
    assert await one.log_in() == (201, None)
    assert outside.asked == ["POST /ocsp"] * 3


async def test_a_stranger_s_certificate_makes_us_ask_nobody(customer: CustomerMaker, outside: Outside) -> None:
    one = await customer()
    stranger = a_pki(at=NOON)
    renamed = Subject("另一家机构")
    key = a_key(number=60)
    root = stranger.root.issue(Profile.ISSUING, renamed, spki_of(key), at=NOON)
    assert root.authority
    forged = type(stranger.issuing)(root, key)
    subject = Subject("测试员", "测试单位", one.person.credit_code)
    made = forged.issue(Profile.SUPPLIER, subject, spki_of(one.person.key), at=NOON, ocsp_url=outside.url("/ocsp"))
    one.person.certificate = made.der

    assert await one.register() == (401, "certificate-untrusted")
    assert outside.asked == []


async def test_a_certificate_that_names_another_host_makes_us_ask_nobody(
    customer: CustomerMaker, outside: Outside
) -> None:
    one = await customer(crl_url=outside.url("/a.crl", "localhost"))
    one.says("good")

    assert await one.register() == (401, "certificate-revocation-unknown")
    assert outside.asked == []
