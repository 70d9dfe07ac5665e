"""Certificates and keys for time stamps, and an authority that uses them."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from crypto.timestamps.authority import Authority, PrivateKey
from crypto.timestamps.trust import StampTrust

NOON: Final = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
YEAR: Final = timedelta(days=365)
YEARLY: Final = (NOON - timedelta(days=1), NOON + YEAR)
ALWAYS: Final = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2049, 12, 31, tzinfo=UTC))
"""For what is stamped by programs that ask the machine for the time."""
POLICY: Final = "1.3.6.1.4.1.99999.7"
TIME_STAMPING: Final = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])


def a_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def an_rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def a_name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"), x509.NameAttribute(NameOID.COMMON_NAME, common)])


def a_usage(**changes: bool) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: changes.get(name, False) for name in names})


class AnIssuer:
    """A root or, below another, an intermediate authority."""

    def __init__(
        self,
        common: str = "测试根",
        above: "AnIssuer | None" = None,
        *,
        path_length: int | None = None,
        valid: tuple[datetime, datetime] = YEARLY,
    ) -> None:
        self.valid = valid
        self.key = a_key()
        self.name = a_name(common)
        self.above = above or self
        self.certificate = self.above.issue(
            self.key,
            self.name,
            (x509.BasicConstraints(ca=True, path_length=path_length), True),
            (a_usage(key_cert_sign=True, crl_sign=True), True),
        )

    def issue(self, key: PrivateKey, name: x509.Name, *extensions: tuple[Any, bool]) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.valid[0])
            .not_valid_after(self.valid[1])
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self.key, hashes.SHA256())

    def stamping(self, key: PrivateKey, *extensions: tuple[Any, bool], common: str = "测试时间戳") -> x509.Certificate:
        """Issue a certificate of an authority; without ``extensions`` those that it should have."""
        usual = ((a_usage(digital_signature=True), True), (TIME_STAMPING, True))
        return self.issue(key, a_name(common), *(extensions or usual))

    def revocations(
        self, *revoked: tuple[x509.Certificate, datetime, x509.ReasonFlags | None], at: datetime = NOON
    ) -> x509.CertificateRevocationList:
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name).last_update(at).next_update(at + YEAR)
        for certificate, since, reason in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number).revocation_date(since)
            if reason is not None:
                entry = entry.add_extension(x509.CRLReason(reason), critical=False)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, hashes.SHA256())


class AStampingHouse:
    """A root, an authority below it, and the trust of who believes the root."""

    def __init__(self, key: PrivateKey | None = None, *, valid: tuple[datetime, datetime] = YEARLY) -> None:
        self.root = AnIssuer(valid=valid)
        self.key = key or a_key()
        self.certificate = self.root.stamping(self.key)
        self.authority = Authority(
            self.key, self.certificate, policy=POLICY, accuracy=timedelta(seconds=1, microseconds=2003)
        )
        self.trust = StampTrust([self.root.certificate])
