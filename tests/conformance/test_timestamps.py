"""Others read our time stamps, and we read theirs: OpenSSL's program and Trail of Bits' rfc3161-client."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, VerifierBuilder, decode_timestamp_response
from rfc3161_client.errors import VerificationError

from crypto.timestamps.authority import PrivateKey
from crypto.timestamps.request import Failure, ImprintHash, StampRefused, StampRequest, imprint_of, read_request
from crypto.timestamps.response import granted, refused, token_of
from crypto.timestamps.token import BadToken
from crypto.timestamps.verify import verify_answer, verify_stamp
from tests.builders.stamps import ALWAYS, NOON, POLICY, AStampingHouse, a_key, an_rsa_key

OPENSSL: Final = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="needs the program openssl (Debian: apt install openssl)")

KEYS: Final[dict[str, Callable[[], PrivateKey]]] = {"p256": a_key, "rsa": an_rsa_key}
DATA: Final = "采购合同".encode()

CONFIGURATION: Final = """
[tsa]
default_tsa = theirs
[theirs]
serial = {folder}/serial
signer_cert = {folder}/authority.pem
signer_key = {folder}/key.pem
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256, sha384, sha512, sm3
accuracy = secs:1, millisecs:20, microsecs:3
tsa_name = yes
ess_cert_id_chain = yes
ess_cert_id_alg = sha256
clock_precision_digits = 3
"""


def openssl(*arguments: str | Path) -> tuple[int, str]:
    assert OPENSSL is not None
    done = subprocess.run([OPENSSL, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=30)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(params=KEYS)
def house(request: pytest.FixtureRequest) -> AStampingHouse:
    return AStampingHouse(KEYS[request.param](), valid=ALWAYS)


@pytest.fixture
def folder(tmp_path: Path, house: AStampingHouse) -> Path:
    (tmp_path / "root.pem").write_bytes(house.root.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "authority.pem").write_bytes(house.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(house.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "serial").write_text("01")
    (tmp_path / "openssl.cnf").write_text(CONFIGURATION.format(folder=tmp_path))
    (tmp_path / "data").write_bytes(DATA)
    return tmp_path


@pytest.mark.parametrize("hash_", ImprintHash, ids=[found.id for found in ImprintHash])
def test_openssl_verifies_what_we_stamp(folder: Path, house: AStampingHouse, hash_: ImprintHash) -> None:
    query, answer = folder / "query.tsq", folder / "answer.tsr"
    status, said = openssl(
        "ts", "-query", "-data", folder / "data", f"-{hash_.id.replace('-', '')}", "-cert", "-out", query
    )
    assert status == 0, said
    request = read_request(query.read_bytes())
    answer.write_bytes(granted(house.authority.token(request, serial=7, at=NOON)))
    check = ("ts", "-verify", "-in", answer, "-CAfile", folder / "root.pem", "-attime", str(int(NOON.timestamp())))

    for asked in (("-data", folder / "data"), ("-queryfile", query)):
        status, said = openssl(*check, *asked)
        assert (status, "Verification: OK" in said) == (0, True), said

    (folder / "data").write_bytes(DATA + b"!")
    status, said = openssl(*check, "-data", folder / "data")
    assert status != 0
    assert "message imprint mismatch" in said


def test_openssl_reads_every_field_that_we_write(folder: Path, house: AStampingHouse) -> None:
    answer = folder / "answer.tsr"
    request = StampRequest(imprint_of(DATA), nonce=0xC0FFEE)
    answer.write_bytes(granted(house.authority.token(request, serial=7, at=NOON.replace(microsecond=250_000))))

    status, said = openssl("ts", "-reply", "-in", answer, "-text")

    assert status == 0, said
    for line in (
        f"Policy OID: {POLICY}",
        "Serial number: 0x07",
        "Time stamp: Nov 23 04:00:00.25 2026 GMT",
        "Accuracy: 0x01 seconds, 0x02 millis, 0x03 micros",
        "Nonce: 0xC0FFEE",
        "Hash Algorithm: sha256",
    ):
        assert line in said


@pytest.mark.parametrize("hash_", ImprintHash, ids=[found.id for found in ImprintHash])
def test_we_verify_what_openssl_stamps(folder: Path, house: AStampingHouse, hash_: ImprintHash) -> None:
    request = StampRequest(imprint_of(DATA, hash_), nonce=2**64 - 1)
    (folder / "query.tsq").write_bytes(request.encode())
    status, said = openssl(
        "ts", "-reply", "-config", folder / "openssl.cnf",
        "-queryfile", folder / "query.tsq", "-out", folder / "answer.tsr",
    )  # fmt: skip
    assert status == 0, said
    token = token_of((folder / "answer.tsr").read_bytes())
    stamp = verify_answer(token, request, house.trust)

    assert (stamp.policy, stamp.serial, stamp.nonce) == ("1.2.3.4", 2, request.nonce)
    with pytest.raises(BadToken, match="another imprint"):
        verify_stamp(token, imprint_of(b"other", hash_), house.trust)


def test_a_refusal_of_openssl_is_read_with_its_reason(folder: Path) -> None:
    status, said = openssl("ts", "-query", "-digest", "00" * 20, "-sha1", "-out", folder / "query.tsq")
    assert status == 0, said
    openssl(
        "ts", "-reply", "-config", folder / "openssl.cnf",
        "-queryfile", folder / "query.tsq", "-out", folder / "answer.tsr",
    )  # fmt: skip
    with pytest.raises(StampRefused, match="not supported") as no:
        token_of((folder / "answer.tsr").read_bytes())
    assert no.value.failure is Failure.BAD_ALGORITHM


def test_openssl_reads_our_refusal(tmp_path: Path) -> None:
    (tmp_path / "answer.tsr").write_bytes(refused(StampRefused(Failure.TIME_NOT_AVAILABLE, "the clock is off")))
    status, said = openssl("ts", "-reply", "-in", tmp_path / "answer.tsr", "-text")
    assert status == 0, said
    assert "Status: Rejected." in said
    assert "Status description: the clock is off" in said
    assert "Failure info: the TSA's time source is not available" in said


@pytest.mark.parametrize("hash_", [HashAlgorithm.SHA256, HashAlgorithm.SHA512])
def test_another_client_verifies_what_we_stamp(house: AStampingHouse, hash_: HashAlgorithm) -> None:
    asked = TimestampRequestBuilder().data(DATA).hash_algorithm(hash_).nonce(nonce=True).cert_request(cert_request=True)
    request = asked.build()
    ours = read_request(request.as_bytes())
    answer = decode_timestamp_response(granted(house.authority.token(ours, serial=7, at=NOON)))
    verifier = VerifierBuilder.from_request(request).add_root_certificate(house.root.certificate).build()

    assert verifier.verify_message(answer, DATA)
    with pytest.raises(VerificationError):
        verifier.verify_message(answer, DATA + b"!")
