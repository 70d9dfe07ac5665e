"""Checkpoints: what a log says of its tree at one size (C2SP tlog-checkpoint), and proof files (C2SP tlog-proof)."""

import re
from base64 import b64encode
from typing import Final, NamedTuple

from crypto.log.merkle import HASH_BYTES
from crypto.log.notes import Note, NoteError, read_note, unbase64
from crypto.log.proofs import PROOF_LEN_MAX, verify_inclusion

SIZE_MAX: Final = 2**63 - 1
"""Leaves in a tree."""

PROOF_FILE: Final = "c2sp.org/tlog-proof@v1"

_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_LINES_MIN: Final = 3


class Checkpoint(NamedTuple):
    """The size of a log's tree and its root. Its text is what is signed; ``extensions`` are lines that we only keep."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = (self.origin, str(self.size), b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


class InclusionFile(NamedTuple):
    """A proof that outlives the log: the leaf's index, its inclusion proof, and the signed checkpoint it leads to."""

    leaf_index: int
    proof: tuple[bytes, ...]
    checkpoint: Note
    extra: bytes = b""

    def __str__(self) -> str:
        extra = [f"extra {b64encode(self.extra).decode()}"] if self.extra else []
        hashes = [b64encode(hash_).decode() for hash_ in self.proof]
        return "\n".join([PROOF_FILE, *extra, f"index {self.leaf_index}", *hashes, "", str(self.checkpoint)])


def read_checkpoint(text: str) -> Checkpoint:
    """
    Read the text of a checkpoint's note.

    Raises:
        NoteError: It is not one.
    """
    lines = text.removesuffix("\n").split("\n")
    if not text.endswith("\n") or len(lines) < _LINES_MIN or not all(lines):
        raise NoteError("a checkpoint has an origin, a size and a root, and no empty line")
    root = unbase64(lines[2])
    if len(root) != HASH_BYTES:
        raise NoteError(f"a root has {HASH_BYTES} bytes")
    return Checkpoint(lines[0], read_number(lines[1]), root, tuple(lines[_LINES_MIN:]))


def read_proof_file(raw: str | bytes) -> InclusionFile:
    """
    Read a proof file without checking anything.

    Raises:
        NoteError: It is not one.
    """
    try:
        text = raw if isinstance(raw, str) else raw.decode()
    except UnicodeDecodeError as error:
        raise NoteError("the proof file is not UTF-8") from error
    head, blank, note = text.partition("\n\n")
    lines = head.split("\n")
    if not blank or lines.pop(0) != PROOF_FILE:
        raise NoteError(f"a proof file begins with {PROOF_FILE}")
    extra = b""
    if lines and lines[0].startswith("extra "):
        extra = unbase64(lines.pop(0).removeprefix("extra "))
    if not lines or not lines[0].startswith("index "):
        raise NoteError("the index is missing")
    index = read_number(lines.pop(0).removeprefix("index "))
    return InclusionFile(index, read_hashes(lines), read_note(note), extra)


def verify_proof_file(file: InclusionFile, *, leaf: bytes) -> Checkpoint:
    """
    Check that the leaf with this hash is where the file says; give the checkpoint, whose signatures are not checked.

    Raises:
        NoteError: The file has no checkpoint.
        ProofError: The leaf is not there.
    """
    checkpoint = read_checkpoint(file.checkpoint.text)
    verify_inclusion(leaf=leaf, index=file.leaf_index, size=checkpoint.size, proof=file.proof, root=checkpoint.root)
    return checkpoint


def read_hashes(lines: list[str]) -> tuple[bytes, ...]:
    """
    Read the hashes of a proof, one a line.

    Raises:
        NoteError: One is not a hash, or there are more than any proof has.
    """
    if len(lines) > PROOF_LEN_MAX:
        raise NoteError(f"a proof has at most {PROOF_LEN_MAX} hashes")
    hashes = tuple(unbase64(line) for line in lines)
    if any(len(hash_) != HASH_BYTES for hash_ in hashes):
        raise NoteError(f"a hash has {HASH_BYTES} bytes")
    return hashes


def read_number(text: str) -> int:
    """
    Read a size or an index: decimal digits without leading zeroes.

    Raises:
        NoteError: It is not one.
    """
    if not _NUMBER.fullmatch(text) or int(text) > SIZE_MAX:
        raise NoteError("a size or an index is a decimal number without leading zeroes")
    return int(text)
