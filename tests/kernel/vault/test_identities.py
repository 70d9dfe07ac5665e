"""Keys of the platform's services: a certificate is taken for the key it is for, and renewal leaves no gap."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from crypto import signatures
from crypto.certificates.authority import Authority, new_root
from crypto.certificates.certificate import read_certificates
from crypto.certificates.names import Subject
from crypto.certificates.requests import read_request
from crypto.errors import KeyUnusableError
from kernel.settings import Settings
from kernel.vault.identities import PROFILES, Identities, Service, identities_of
from tests.builders.stamps import NOON


@pytest.fixture
def identities(tmp_path: Path) -> Identities:
    return identities_of(Settings(data_dir=tmp_path))


@pytest.fixture
def issue() -> Callable[[Service, bytes], bytes]:
    root: Authority = new_root(Subject("根"), signatures.generate("ecdsa-p256-sha256"), at=NOON)

    def made(service: Service, request: bytes) -> bytes:
        asked = read_request(request, at=NOON)
        return root.issue(PROFILES[service], asked.subject, asked.spki, at=NOON).pem() + root.certificate.pem()

    return made


@pytest.mark.parametrize("service", Service)
def test_a_key_is_made_certified_and_used(
    identities: Identities, issue: Callable[[Service, bytes], bytes], service: Service
) -> None:
    assert identities.load(service) is None
    request = identities.request(service, Subject("浙采"))
    assert identities.load(service) is None
    adopted = identities.adopt(service, issue(service, request))
    loaded = identities.load(service)

    assert loaded is not None
    assert (loaded.certificate, loaded.chain) == (adopted.certificate, adopted.chain)
    assert loaded.certificate.subject.common_name == "浙采"
    assert signatures.public_bytes(loaded.key.public_key()) == loaded.certificate.spki


def test_a_new_key_waits_beside_the_one_in_use(
    identities: Identities, issue: Callable[[Service, bytes], bytes]
) -> None:
    first = identities.adopt(Service.TSA, issue(Service.TSA, identities.request(Service.TSA, Subject("一"))))
    request = identities.request(Service.TSA, Subject("二"))
    waiting = identities.load(Service.TSA)
    second = identities.adopt(Service.TSA, issue(Service.TSA, request))
    used = identities.load(Service.TSA)

    assert waiting is not None
    assert used is not None
    assert waiting.certificate == first.certificate
    assert used.certificate == second.certificate


def test_a_certificate_is_renewed_for_the_key_in_use(
    identities: Identities, issue: Callable[[Service, bytes], bytes]
) -> None:
    request = identities.request(Service.SEAL, Subject("一"))
    first = identities.adopt(Service.SEAL, issue(Service.SEAL, request))
    second = identities.adopt(Service.SEAL, issue(Service.SEAL, request))

    assert first.certificate.spki == second.certificate.spki
    assert first.certificate.serial != second.certificate.serial


def test_a_certificate_of_another_key_is_not_taken(
    identities: Identities, issue: Callable[[Service, bytes], bytes]
) -> None:
    request = identities.request(Service.TSA, Subject("一"))
    identities.request(Service.TSA, Subject("二"))
    with pytest.raises(KeyUnusableError, match="no key of the service tsa"):
        identities.adopt(Service.TSA, issue(Service.TSA, request))


def test_what_does_not_belong_together_is_not_used(
    identities: Identities, issue: Callable[[Service, bytes], bytes]
) -> None:
    for service in (Service.TSA, Service.SEAL):
        identities.adopt(service, issue(service, identities.request(service, Subject("一"))))
    (identities.folder / "tsa.pem").write_bytes((identities.folder / "seal.pem").read_bytes())
    with pytest.raises(KeyUnusableError, match="do not belong together"):
        identities.load(Service.TSA)


def test_a_trial_gives_what_is_missing_and_nothing_else(
    identities: Identities, issue: Callable[[Service, bytes], bytes]
) -> None:
    mine = identities.adopt(Service.SEAL, issue(Service.SEAL, identities.request(Service.SEAL, Subject("一"))))
    for _ in range(2):
        identities.make_trial(NOON, name="某市", hosts=("localhost",))
    found = {service: identities.load(service) for service in Service}
    (root,) = read_certificates(identities.trial_root.read_bytes())

    assert found[Service.SEAL] is not None
    assert found[Service.SEAL].certificate == mine.certificate
    for service in (Service.TSA, Service.TLS):
        identity = found[service]
        assert identity is not None
        assert identity.certificate.valid_at(NOON + timedelta(days=364))
        assert identity.chain[-1].issuer == root.subject
    assert sorted(path.name for path in identities.folder.iterdir()) == [
        "seal.pem", "tls.pem", "trial-root.pem", "tsa.pem",
    ]  # fmt: skip
