"""OCSP answers, and responders that may give them; of every kind of key, SM2 too."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from asn1crypto import core, ocsp, x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from crypto import signatures, suites
from crypto.certificates import asn1
from crypto.certificates.authority import Authority
from crypto.certificates.certificate import Certificate
from crypto.certificates.names import Subject
from crypto.signatures import PrivateKey
from tests.builders.certificates import DAY, MADE_AT, Pki, a_key, spki_of

RESPONDER = "吊销状态查询服务"


@dataclass(frozen=True)
class Responder:
    certificate: Certificate
    key: PrivateKey


def a_responder(
    issuer: Authority,
    kind: str = "ecdsa-p256-sha256",
    *,
    uses: tuple[str, ...] = ("ocsp_signing",),
    no_check: bool = True,
    since: datetime = MADE_AT - DAY,
    until: datetime = MADE_AT + 365 * DAY,
) -> Responder:
    """A responder whom ``issuer`` has certified."""
    key = a_key(kind, 50)
    extensions = [{"extn_id": "extended_key_usage", "extn_value": x509.ExtKeyUsageSyntax(list(uses))}] if uses else []
    if no_check:
        extensions.append({"extn_id": "ocsp_no_check", "extn_value": core.Null()})
    extensions.append(
        {"extn_id": "basic_constraints", "critical": True, "extn_value": x509.BasicConstraints({"ca": False})}
    )
    algorithm = asn1.signature_algorithm(signatures.algorithm_of(issuer.key))
    tbs = x509.TbsCertificate(
        {
            "version": "v3",
            "serial_number": 77,
            "signature": algorithm,
            "issuer": issuer.certificate.parsed.subject,
            "validity": {
                "not_before": x509.Time(name="utc_time", value=since),
                "not_after": x509.Time(name="utc_time", value=until),
            },
            "subject": Subject(RESPONDER).name(),
            "subject_public_key_info": asn1.public_key_info(spki_of(key)),
            "extensions": extensions,
        }
    )
    return Responder(Certificate(_signed(x509.Certificate, "tbs_certificate", "signature_value", tbs, issuer.key)), key)


def an_answer(
    pki: Pki,
    *,
    status: str = "good",
    at: datetime = MADE_AT,
    holds: timedelta | None = 2 * DAY,
    responder: Responder | None = None,
    certificate: Certificate | None = None,
) -> bytes:
    """What the issuer, or ``responder``, says at ``at`` of the supplier's certificate."""
    signer = responder or Responder(pki.issuing.certificate, pki.issuing.key)
    one = certificate or pki.certificate
    said = {
        "good": lambda: ocsp.CertStatus(name="good", value=core.Null()),
        "unknown": lambda: ocsp.CertStatus(name="unknown", value=core.Null()),
        "revoked": lambda: ocsp.CertStatus(
            name="revoked", value={"revocation_time": at, "revocation_reason": "key_compromise"}
        ),
    }[status]()
    named = {
        "hash_algorithm": {"algorithm": "sha256"},
        "issuer_name_hash": suites.digest("sha-256", pki.issuing.certificate.parsed.subject.dump()),
        "issuer_key_hash": suites.digest("sha-256", _key_bits(pki.issuing.certificate)),
        "serial_number": one.serial,
    }
    response = {"cert_id": named, "cert_status": said, "this_update": at}
    if holds is not None:
        response["next_update"] = at + holds
    data = ocsp.ResponseData(
        {
            "responder_id": ocsp.ResponderId(name="by_name", value=signer.certificate.parsed.subject),
            "produced_at": at,
            "responses": [response],
        }
    )
    basic = ocsp.BasicOCSPResponse.load(
        _signed(ocsp.BasicOCSPResponse, "tbs_response_data", "signature", data, signer.key)
    )
    if responder is not None:
        basic["certs"] = [responder.certificate.parsed]
    whole = {
        "response_status": "successful",
        "response_bytes": {"response_type": "basic_ocsp_response", "response": basic},
    }
    return bytes(ocsp.OCSPResponse(whole).dump(force=True))


def key_file(responder: Responder) -> bytes:
    """The responder's key for ``openssl``."""
    return responder.key.private_bytes(  # type: ignore[union-attr, no-any-return]
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


def _signed(kind: type, body: str, signature: str, data: core.Sequence, key: PrivateKey) -> bytes:
    algorithm = signatures.algorithm_of(key)
    whole = {
        body: data,
        "signature_algorithm": asn1.signature_algorithm(algorithm),
        signature: signatures.sign(algorithm, key, data.dump()),
    }
    return bytes(kind(whole).dump())


def _key_bits(certificate: Certificate) -> bytes:
    return bytes(certificate.parsed.public_key["public_key"].contents[1:])
