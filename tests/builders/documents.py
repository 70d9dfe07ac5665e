"""Documents to sign, and people who sign them."""

from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.serialization import Encoding

from crypto import signatures
from crypto.certificates.authority import Authority, new_root
from crypto.certificates.certificate import Certificate
from crypto.certificates.names import Subject
from crypto.certificates.profiles import Profile
from crypto.certificates.validation import Trust
from crypto.documents.signing import Prepared, Seal
from crypto.signatures import PrivateKey
from crypto.timestamps.request import Imprint, StampRequest
from tests.builders.stamps import NOON, AStampingHouse


def a_pdf(text: str = "contract") -> bytes:
    """The smallest document that shows a line of text."""
    stream = f"BT /F1 24 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources 6 0 R >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Font << /F1 5 0 R >> >>",
    )
    out, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer\n<< /Size 7 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(out)
    return out + b"xref\n0 7\n0000000000 65535 f \n" + table + end


@dataclass(frozen=True)
class Person:
    """Somebody with a key in their own hands."""

    key: PrivateKey
    certificate: Certificate
    chain: tuple[Certificate, ...]

    def signs(self, prepared: Prepared) -> bytes:
        """What the browser does: sign the bytes that it was given."""
        return signatures.sign(prepared.algorithm, self.key, prepared.to_sign)


class AnOffice:
    """An authority, people whom it has certified, the platform's seal, and time stamps."""

    def __init__(self, *, at: datetime = NOON, algorithm: str = "ecdsa-p256-sha256") -> None:
        self.at = at
        self.algorithm = algorithm
        self.root: Authority = new_root(Subject("测试机构根"), signatures.generate(algorithm), at=at)
        self.trust = Trust((self.root.certificate,))
        self.stamps = AStampingHouse(valid=(self.root.certificate.not_before, self.root.certificate.not_after))
        self.serial = 0

    def person(self, name: str, profile: Profile = Profile.STAFF) -> Person:
        key = signatures.generate(self.algorithm)
        spki = signatures.public_bytes(key.public_key())
        certificate = self.root.issue(profile, Subject(name, "测试单位"), spki, at=self.at)
        return Person(key, certificate, (self.root.certificate,))

    def seal(self) -> Seal:
        found = self.person("浙采平台", Profile.SEAL)
        return Seal(found.key, found.certificate, found.chain, self.all_trust, self.revocations())

    @property
    def all_trust(self) -> Trust:
        return Trust((self.root.certificate, Certificate(self.stamps.root.certificate.public_bytes(Encoding.DER))))

    def revocations(self) -> tuple[bytes, ...]:
        theirs = self.stamps.root.revocations().public_bytes(Encoding.DER)
        return self.root.revocation_list((), number=1, at=self.at), theirs

    def stamp(self, imprint: Imprint) -> bytes:
        self.serial += 1
        return self.stamps.authority.token(StampRequest(imprint), serial=self.serial, at=self.at)
