import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest
from asn1crypto import crl, pem

from crypto.certificates.authority import Authority, Revocation, new_root
from crypto.certificates.certificate import Certificate, read_certificates
from crypto.certificates.names import Subject, credit_codes
from crypto.certificates.profiles import TERMS, Profile
from crypto.errors import CryptoError, KeyUnusableError, NotVerifiedError
from tests.builders.certificates import CREDIT_CODE, DAY, MADE_AT, NEEDS_SM2, Pki, a_key, a_pki, spki_of
from tests.builders.openssl import openssl


def _openssl_verify(pki: Pki, folder: Path, lists: list[bytes], *options: str) -> tuple[int, str]:
    files = {name: folder / f"{name}.pem" for name in ("root", "issuing", "certificate", "lists")}
    files["root"].write_bytes(pki.root.certificate.pem())
    files["issuing"].write_bytes(pki.issuing.certificate.pem())
    files["certificate"].write_bytes(pki.certificate.pem())
    files["lists"].write_bytes(b"".join(pem.armor("X509 CRL", one) for one in lists))
    at = str(int((MADE_AT + DAY).timestamp()))
    command = [
        *("verify", "-x509_strict", "-attime", at, *options),
        *(("-crl_check_all", "-CRLfile", str(files["lists"])) if lists else ()),
        *("-CAfile", str(files["root"])),
        *("-untrusted", str(files["issuing"]), str(files["certificate"])),
    ]
    found = openssl(*command)
    return found.returncode, found.stdout + found.stderr


@NEEDS_SM2
def test_openssl_accepts_our_chains_and_lists_of_sm2(tmp_path: Path) -> None:
    """``openssl verify`` gives SM2's identity to one certificate at a time and to no list: asked singly."""
    pki = a_pki("sm2-sm3")
    whole = crl.CertificateList.load(pki.lists[1])
    files = {name: tmp_path / name for name in ("key", "signed", "signature")}
    files["key"].write_bytes(pki.issuing.certificate.spki)
    files["signed"].write_bytes(whole["tbs_cert_list"].dump())
    files["signature"].write_bytes(whole["signature"].native)
    identity = "distid:1234567812345678"
    command = ["dgst", "-sm3", "-keyform", "DER", "-verify", str(files["key"]), "-sigopt", identity]
    command += ["-signature", str(files["signature"]), str(files["signed"])]

    for upper, lower in ((pki.root, pki.issuing.certificate), (pki.issuing, pki.certificate)):
        pair = dataclasses.replace(pki, root=upper, certificate=lower)
        status, said = _openssl_verify(pair, tmp_path, [], "-partial_chain", "-vfyopt", identity)
        assert (status, said.endswith("certificate.pem: OK\n")) == (0, True), said
    assert openssl(*command).stdout == "Verified OK\n"


@pytest.mark.parametrize("kind", ["ecdsa-p256-sha256", "rsa-pkcs1v15-sha256"])
def test_openssl_accepts_our_chains_and_lists(kind: str, tmp_path: Path) -> None:
    pki = a_pki(kind)

    status, said = _openssl_verify(pki, tmp_path, pki.lists, "-purpose", "smimesign")

    assert (status, said.endswith("certificate.pem: OK\n")) == (0, True), said


@pytest.mark.parametrize("kind", ["ecdsa-p256-sha256", "rsa-pkcs1v15-sha256"])
def test_openssl_sees_what_we_revoked(kind: str, tmp_path: Path) -> None:
    pki = a_pki(kind)
    revoked = pki.issuing.revocation_list([Revocation(pki.certificate.serial, MADE_AT)], number=2, at=MADE_AT)

    status, said = _openssl_verify(pki, tmp_path, [pki.lists[0], revoked])

    assert status != 0
    assert "certificate revoked" in said


def test_openssl_accepts_a_service_s_certificate_for_its_host(tmp_path: Path) -> None:
    pki = a_pki(profile=Profile.SERVICE, dns_names=["zc.example.cn"])
    options = ("-purpose", "sslserver", "-verify_hostname")

    assert _openssl_verify(pki, tmp_path, pki.lists, *options, "zc.example.cn")[0] == 0
    assert _openssl_verify(pki, tmp_path, pki.lists, *options, "other.example.cn")[0] != 0


def test_a_certificate_never_outlives_its_authority() -> None:
    pki = a_pki()
    late = pki.issuing.certificate.not_after - DAY
    issued = pki.issuing.issue(Profile.STAFF, Subject("李四"), spki_of(pki.key), at=late)

    assert issued.not_after == pki.issuing.certificate.not_after
    for at in (pki.issuing.certificate.not_after, pki.issuing.certificate.not_before - DAY):
        with pytest.raises(CryptoError):
            pki.issuing.issue(Profile.STAFF, Subject("李四"), spki_of(pki.key), at=at)


def test_a_profile_says_how_long_and_the_caller_may_say_otherwise() -> None:
    pki = a_pki()
    for profile in (Profile.OFFICER, Profile.SUPPLIER, Profile.STAFF, Profile.SERVICE):
        issued = pki.issuing.issue(profile, Subject("李四"), spki_of(pki.key), at=MADE_AT)
        assert issued.not_after == MADE_AT + TERMS[profile].validity
        assert not issued.authority
    short = pki.issuing.issue(Profile.STAFF, Subject("李四"), spki_of(pki.key), at=MADE_AT, days=3)
    assert short.not_after == MADE_AT + 3 * DAY


def test_an_issuing_authority_makes_no_other_authority() -> None:
    pki = a_pki()
    for profile in (Profile.ROOT, Profile.ISSUING):
        with pytest.raises(CryptoError, match="other authorities"):
            pki.issuing.issue(profile, Subject("下级机构"), spki_of(pki.key), at=MADE_AT)


def test_an_authority_needs_its_own_key() -> None:
    pki = a_pki()
    with pytest.raises(KeyUnusableError):
        Authority(pki.issuing.certificate, pki.key)


def test_serial_numbers_are_positive_and_do_not_repeat() -> None:
    pki = a_pki()
    serials = {
        pki.issuing.issue(Profile.STAFF, Subject("李四"), spki_of(pki.key), at=MADE_AT).serial for _ in range(50)
    }

    assert len(serials) == 50
    assert all(1 << 126 <= serial < 1 << 127 for serial in serials)


def test_times_from_2050_on_are_written_as_rfc_5280_says() -> None:
    later = MADE_AT.replace(year=2049)
    root = new_root(Subject("根证书"), a_key(), at=later, days=365)
    validity = root.certificate.parsed["tbs_certificate"]["validity"]

    assert (validity["not_before"].name, validity["not_after"].name) == ("utc_time", "general_time")
    assert root.certificate.not_after == later + timedelta(days=365)


@pytest.mark.parametrize("name", ["", "  ", "长" * 65, "a\0b"])
def test_a_name_that_is_empty_or_long_is_refused(name: str) -> None:
    with pytest.raises(CryptoError):
        Subject(name).name()


def test_a_credit_code_is_found_wherever_authorities_put_it() -> None:
    for subject in (
        Subject("张三", credit_code=CREDIT_CODE),
        Subject("张三", unit=CREDIT_CODE),
        Subject("张三", number=f"USCC{'-'}{CREDIT_CODE}"),
    ):
        assert credit_codes(subject.name()) == {CREDIT_CODE}
    assert credit_codes(Subject("张三", unit=f"A{CREDIT_CODE}").name()) == frozenset()
    assert credit_codes(Subject(CREDIT_CODE).name()) == frozenset()  # a person's name is not a unit's code


def test_certificates_are_read_from_der_and_pem() -> None:
    pki = a_pki()
    chain = [pki.certificate, pki.issuing.certificate]

    assert read_certificates(pki.certificate.der) == [pki.certificate]
    assert read_certificates(b"".join(one.pem() for one in chain)) == chain
    with pytest.raises(NotVerifiedError):
        read_certificates(b"".join(one.pem() for one in chain), count_max=1)
    for wrong in (b"", b"garbage", pki.certificate.der + b"\0", pem.armor("PRIVATE KEY", b"x"), b"-----BEGIN X-----"):
        with pytest.raises(NotVerifiedError):
            read_certificates(wrong)
    assert Certificate(pki.certificate.der).serial_hex == f"{pki.certificate.serial:032X}"
