"""What the transparency log's tree costs a leaf: ``python -m bench.micro.merkle``."""

import hashlib
import timeit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.log.checkpoints import Checkpoint
from crypto.log.merkle import Tree, leaf_hash
from crypto.log.notes import KeyKind, Note, NoteSigner, verify_note
from crypto.log.proofs import inclusion_proof, verify_inclusion
from crypto.log.tiles import Edge

LEAVES = 1 << 16
INDEX = 12_345


def best_us(work: object, times: int) -> float:
    """Give microseconds a call: the best of five runs."""
    return min(timeit.repeat(work, number=1, repeat=5)) / times * 1e6  # type: ignore[arg-type]


def main() -> None:
    """Print microseconds, each beside the SHA-256 and Ed25519 that it cannot do without."""
    data = [index.to_bytes(32, "big") for index in range(LEAVES)]
    hashes = [leaf_hash(one) for one in data]
    tree = Tree(hashes)
    proof = inclusion_proof(INDEX, LEAVES, tree.hash)
    root = tree.root()
    edge = Edge()
    edge.append(hashes[:-1])
    signer = NoteSigner("bench.example/log", KeyKind.NOTE, Ed25519PrivateKey.generate())
    text = str(Checkpoint("bench.example/log", LEAVES, root))
    note = Note(text, (signer.sign(text),))

    def prove() -> None:
        for index in range(1000):
            inclusion_proof(index * 65, LEAVES, tree.hash)

    def check() -> None:
        for _ in range(1000):
            verify_inclusion(leaf=hashes[INDEX], index=INDEX, size=LEAVES, proof=proof, root=root)

    node = b"\x01" + bytes(64)
    lines = (
        ("SHA-256 of a node", lambda: [hashlib.sha256(node).digest() for _ in range(LEAVES)], LEAVES),
        ("hash a leaf", lambda: [leaf_hash(one) for one in data], LEAVES),
        ("append to a tree in memory", lambda: Tree(hashes), LEAVES),
        ("append to the right edge", lambda: Edge().append(hashes), LEAVES),
        ("root of the right edge", lambda: [edge.root() for _ in range(100)], 100),
        ("make an inclusion proof", prove, 1000),
        ("check an inclusion proof", check, 1000),
        ("sign a checkpoint", lambda: [signer.sign(text) for _ in range(1000)], 1000),
        ("check a checkpoint", lambda: [verify_note(note, [signer.key]) for _ in range(1000)], 1000),
    )
    for name, work, times in lines:
        print(f"{name:28} {best_us(work, times):8.2f} µs")


if __name__ == "__main__":
    main()
