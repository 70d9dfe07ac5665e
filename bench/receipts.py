"""Receipts and appends: what the service does for each, without its database, and its bare primitives."""

import hashlib
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.primitives import CHAIN_VERIFICATIONS, per_call_s
from crypto import signatures
from crypto.certificates.authority import Authority, new_root
from crypto.certificates.certificate import Certificate
from crypto.certificates.names import Subject
from crypto.certificates.profiles import Profile
from crypto.certificates.remembered import Validations
from crypto.certificates.validation import Trust, Use, validate
from crypto.log.checkpoints import Checkpoint
from crypto.log.merkle import leaf_hash
from crypto.log.notes import KeyKind, Note, NoteKey, NoteSigner
from crypto.log.proofs import inclusion_proof
from crypto.log.receipts import Receipt, Statement, make_receipt, verify_receipt
from crypto.log.tiles import TILE_WIDTH, Edge, Place, Tile, Tiles
from crypto.timestamps.authority import Authority as StampingAuthority
from crypto.timestamps.request import StampRequest, imprint_of
from crypto.timestamps.trust import StampTrust
from crypto.timestamps.verify import verify_stamp

AT: Final = datetime(2026, 11, 25, tzinfo=UTC)
MADE_AT: Final = AT - timedelta(days=1)
POLICY: Final = "1.3.6.1.4.1.99999.1.1"
ALGORITHM: Final = "ecdsa-p256-sha256"
SIGNERS: Final = 20
"""Suppliers; each signs again and again, as one who sends in the parts of a bid does."""
BATCH: Final = 64
"""Entries that share a checkpoint."""
BEFORE: Final = 200 * TILE_WIDTH
"""Entries that the log holds already: 51,200."""
_ORIGIN: Final = "bench.example/log"


class Signer(NamedTuple):
    """A supplier's key and certificate, and a document that it has signed."""

    certificate: bytes
    document: bytes
    signature: bytes


class House:
    """All keys of a platform, its log with some history, and its suppliers."""

    def __init__(self) -> None:
        root = new_root(Subject("试用根证书", "财政厅"), signatures.generate(ALGORITHM), at=MADE_AT)
        issuing_key = signatures.generate(ALGORITHM)
        spki = signatures.public_bytes(issuing_key.public_key())
        self.issuing = Authority(
            root.issue(Profile.ISSUING, Subject("签发机构", "财政厅"), spki, at=MADE_AT), issuing_key
        )
        self.lists = [each.revocation_list([], number=1, at=MADE_AT) for each in (root, self.issuing)]
        self.trust = Trust((root.certificate,), (self.issuing.certificate,))
        self.signers = [self._signer(number) for number in range(SIGNERS)]
        self.log = NoteSigner(_ORIGIN, KeyKind.NOTE, Ed25519PrivateKey.generate())
        self.platform = NoteSigner(f"{_ORIGIN}/receipts", KeyKind.NOTE, Ed25519PrivateKey.generate())
        self.stamp_key = ec.generate_private_key(ec.SECP256R1())
        self.certificate, self.stamping = self._stamping()
        self.history = [leaf_hash(number.to_bytes(32, "big")) for number in range(BEFORE)]

    def _signer(self, number: int) -> Signer:
        key = signatures.generate(ALGORITHM)
        subject = Subject("经办人", f"供应商{number}有限公司", "91330106MA9901012G")
        spki = signatures.public_bytes(key.public_key())
        document = b"bid %d " % number * 64
        issued = self.issuing.issue(Profile.SUPPLIER, subject, spki, at=MADE_AT)
        return Signer(issued.der, document, signatures.sign(ALGORITHM, key, document))

    def _stamping(self) -> tuple[x509.Certificate, StampingAuthority]:
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench TSA")])
        purpose = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.TIME_STAMPING])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.stamp_key.public_key())
            .serial_number(1)
            .not_valid_before(MADE_AT)
            .not_valid_after(MADE_AT + timedelta(days=30))
            .add_extension(purpose, critical=True)
            .sign(self.stamp_key, hashes.SHA256())
        )
        accuracy = timedelta(seconds=1)
        return certificate, StampingAuthority(self.stamp_key, certificate, policy=POLICY, accuracy=accuracy)


class Desk:
    """Takes documents in and gives receipts out: what the service does for each, without its database."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._validations = Validations(house.trust)
        self._validations.renew(lists=house.lists)
        self._edge = Edge()
        self._levels: list[list[bytes]] = [[], [], []]
        self._full: dict[Place, Tile] = {}
        self._append(house.history)
        self._serial = 0
        self.tokens: list[tuple[bytes, bytes]] = []

    def take(self, signers: list[Signer]) -> list[Receipt]:
        """Check the signatures of a batch, log it under one checkpoint, stamp and sign a receipt for each."""
        house = self._house
        leaves = [self._checked(signer) for signer in signers]
        first = self._edge.size
        self._append([leaf_hash(leaf) for leaf in leaves])
        size = self._edge.size
        text = str(Checkpoint(_ORIGIN, size, self._edge.root()))
        note = Note(text, (house.log.sign(text),))
        tiles = self._tiles(first // TILE_WIDTH)
        return [self._receipt(leaf, first + place, size, note, tiles) for place, leaf in enumerate(leaves)]

    def _checked(self, signer: Signer) -> bytes:
        holder = self._validations.validate(signer.certificate, [], use=Use.SIGNING, at=AT)
        signatures.verify(ALGORITHM, holder.key, signature=signer.signature, message=signer.document, at=AT)
        return hashlib.sha256(signer.document).digest()

    def _append(self, hashes: list[bytes]) -> None:
        self._levels[0] += hashes
        for level, _, hash_ in self._edge.append(hashes):
            self._levels[level].append(hash_)

    def _tiles(self, first: int) -> Tiles:
        """Give the tiles that the proofs of the right edge need: of the leaves from ``first`` on, all above them."""
        tiles: dict[Place, Tile] = {}
        for level, row in enumerate(self._levels):
            for number in range(0 if level else first, -(-len(row) // TILE_WIDTH)):
                place = Place(level, number)
                tile = self._full.get(place) or Tile(b"".join(row[number * TILE_WIDTH : (number + 1) * TILE_WIDTH]))
                tiles[place] = tile
                if len(tile) == TILE_WIDTH:
                    self._full[place] = tile
        return Tiles(tiles)

    def _receipt(self, leaf: bytes, number: int, size: int, note: Note, tiles: Tiles) -> Receipt:
        house = self._house
        statement = Statement(_ORIGIN, number, "bid/x", number, "bid.received", AT, leaf.hex(), None, AT)
        proof = inclusion_proof(number, size, tiles.hash)
        made = make_receipt(statement, house.platform, proof=proof, checkpoint=note, log=house.log.key)
        self._serial += 1
        signed = made.receipt.encode()
        self.tokens.append((signed, house.stamping.token(StampRequest(imprint_of(signed)), serial=self._serial, at=AT)))
        return made


def bare_append_s(primitive: dict[str, float]) -> float:
    """Two hashes a leaf (its own and, over the whole tree, one node), a signature for each 256."""
    return 2 * primitive["sha256"] + primitive["ed25519_sign"] / TILE_WIDTH


def bare_receipt_s(primitive: dict[str, float], *, receipts_of_a_signer: float) -> float:
    """
    Add up what a receipt cannot do without.

    A chain is four P-256 verifications (two certificates, two lists) for each signer, not for each receipt. Hashes: the
    document, the statement's imprint and two of the token, the leaf and its node.
    """
    chain_s = CHAIN_VERIFICATIONS * primitive["p256_verify"] / receipts_of_a_signer
    hashes_s = 6 * primitive["sha256"]
    signs_s = primitive["p256_sign"] + primitive["ed25519_sign"] * (1 + 1 / BATCH)
    return primitive["p256_verify"] + chain_s + hashes_s + signs_s


def appends(house: House, seconds: float) -> float:
    """Append leaves in checkpoints of 256; give how many a second."""
    data = [number.to_bytes(32, "big") for number in range(TILE_WIDTH)]
    edge = Edge()

    def work() -> None:
        edge.append([leaf_hash(one) for one in data])
        house.log.sign(str(Checkpoint(_ORIGIN, edge.size, edge.root())))

    return TILE_WIDTH / per_call_s(work, seconds)


def receipts(house: House, seconds: float) -> tuple[float, list[tuple[Receipt, bytes, bytes]], float]:
    """Give receipts a second, the receipts with their time stamps, and chains validated for the first time a second."""
    desk = Desk(house)
    found: list[Receipt] = []
    batch = [house.signers[place % SIGNERS] for place in range(BATCH)]
    began = perf_counter()
    while (took := perf_counter() - began) < seconds:
        found += desk.take(batch)
    certificates = [Certificate(signer.certificate) for signer in house.signers]
    began = perf_counter()
    for certificate in certificates:
        validate(certificate, [], house.trust, at=AT, use=Use.SIGNING, lists=house.lists)
    cold = len(certificates) / (perf_counter() - began)
    stamped = [(receipt, *token) for receipt, token in zip(found, desk.tokens, strict=True)]
    return len(found) / took, stamped, cold


def check(house: House, found: list[tuple[Receipt, bytes, bytes]], failures: list[str]) -> int:
    """Verify a sample of what was handed out, with nothing but the public keys."""
    trust = StampTrust([house.certificate])
    keys = [NoteKey.read(str(house.platform.key))]
    sample = found[:: max(1, len(found) // 100)]
    for receipt, signed, token in sample:
        try:
            verify_receipt(receipt, log=house.log.key, receipts=keys)
            verify_stamp(token, imprint_of(signed), trust)
        except ValueError as error:
            failures.append(str(error))
    return len(sample)
