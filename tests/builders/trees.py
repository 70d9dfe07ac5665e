"""Trees for tests, and the vectors that the Certificate Transparency implementations share."""

from base64 import b64decode
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.log.checkpoints import Checkpoint
from crypto.log.merkle import Tree, leaf_hash
from crypto.log.notes import KeyKind, Note, NoteSigner

CT_LEAVES = tuple(
    bytes.fromhex(leaf)
    for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
)
CT_ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)

ORIGIN = "log.example/zhecai"
SEEN_AT_S = int(datetime(2026, 11, 25, tzinfo=UTC).timestamp())


def hashes_of(size: int) -> list[bytes]:
    return [leaf_hash(str(index).encode()) for index in range(size)]


def a_tree(size: int) -> Tree:
    return Tree(hashes_of(size))


def flipped(raw: bytes, bit: int) -> bytes:
    """Turn one bit over."""
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def a_signer(name: str = ORIGIN, kind: KeyKind = KeyKind.NOTE, seed: int = 1) -> NoteSigner:
    return NoteSigner(name, kind, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


def a_witness(number: int = 1) -> NoteSigner:
    return a_signer(f"witness.example/w{number}", KeyKind.COSIGNATURE, 100 + number)


def a_checkpoint(size: int = 7) -> Checkpoint:
    return Checkpoint(ORIGIN, size, a_tree(size).root())


def a_note(size: int = 7, *witnesses: NoteSigner) -> Note:
    text = str(a_checkpoint(size))
    return Note(text, (a_signer().sign(text), *(witness.cosign(text, SEEN_AT_S) for witness in witnesses)))


def unbased(text: str) -> bytes:
    return b64decode(text, validate=True)
