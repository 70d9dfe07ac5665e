"""Checkpoints and proof files: read back as written, and refused where anything is loose."""

import pytest

from crypto.log.checkpoints import (
    SIZE_MAX,
    Checkpoint,
    InclusionFile,
    read_checkpoint,
    read_proof_file,
    verify_proof_file,
)
from crypto.log.notes import NoteError, verify_note
from crypto.log.proofs import PROOF_LEN_MAX, ProofError, inclusion_proof
from tests.builders.trees import ORIGIN, a_checkpoint, a_note, a_signer, a_tree, a_witness, flipped, hashes_of
from tests.crypto.log.test_notes import SPEC_CHECKPOINT

ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="


def a_file(index: int = 4, size: int = 7, extra: bytes = b"") -> InclusionFile:
    proof = inclusion_proof(index, size, a_tree(size).hash)
    return InclusionFile(index, tuple(proof), a_note(size, a_witness()), extra)


def test_the_specifications_checkpoint_is_read() -> None:
    text = SPEC_CHECKPOINT.partition("\n\n")[0] + "\n"

    found = read_checkpoint(text)

    assert (found.origin, found.size, found.root.hex()[:8]) == ("example.com/behind-the-sofa", 20852163, "0ac5186a")
    assert str(found) == text


def test_extension_lines_are_kept() -> None:
    checkpoint = a_checkpoint()._replace(extensions=("more", "and more"))

    assert read_checkpoint(str(checkpoint)) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"o\n1\n{ROOT}",
        f"\n1\n{ROOT}\n",
        "o\n1\n",
        f"o\n01\n{ROOT}\n",
        f"o\n-1\n{ROOT}\n",
        f"o\n+1\n{ROOT}\n",
        f"o\n1_0\n{ROOT}\n",
        f"o\n１\n{ROOT}\n",
        f"o\n{SIZE_MAX + 1}\n{ROOT}\n",
        f"o\n1\n{ROOT[:-1]}\n",
        "o\n1\nAAAA\n",
        f"o\n1\n{ROOT}\n\n",
    ],
)
def test_what_is_not_a_checkpoint_is_not_read(text: str) -> None:
    with pytest.raises(NoteError):
        read_checkpoint(text)


def test_the_largest_size_is_read() -> None:
    assert read_checkpoint(f"o\n{SIZE_MAX}\n{ROOT}\n").size == SIZE_MAX


@pytest.mark.parametrize("extra", [b"", b"salt"])
def test_a_proof_file_is_read_back_and_proves_its_leaf(extra: bytes) -> None:
    file = read_proof_file(str(a_file(extra=extra)))

    checkpoint = verify_proof_file(file, leaf=hashes_of(7)[4])

    assert file == a_file(extra=extra)
    assert checkpoint == Checkpoint(ORIGIN, 7, a_tree(7).root())
    assert len(verify_note(file.checkpoint, [a_signer().key, a_witness().key])) == 2


def test_the_only_leaf_of_a_log_needs_no_hash() -> None:
    file = read_proof_file(str(a_file(0, 1)))

    assert file.proof == ()
    assert verify_proof_file(file, leaf=hashes_of(1)[0]).size == 1


def test_a_proof_file_proves_no_other_leaf_and_no_other_index() -> None:
    with pytest.raises(ProofError):
        verify_proof_file(a_file(), leaf=hashes_of(7)[3])
    with pytest.raises(ProofError):
        verify_proof_file(a_file()._replace(leaf_index=5), leaf=hashes_of(7)[4])
    proof = a_file().proof
    touched = a_file()._replace(proof=(flipped(proof[0], 3), *proof[1:]))
    with pytest.raises(ProofError):
        verify_proof_file(touched, leaf=hashes_of(7)[4])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2"),
        ("index 4", "index 04"),
        ("index 4", "index"),
        ("index 4\n", ""),
        ("index 4\n", "index 4\nAAAA\n"),
        ("index 4\n", "index 4\nnot base64\n"),
        ("index 4\n", "extra A\nindex 4\n"),
        ("index 4\n", f"index 4\n{ROOT}\n" + f"{ROOT}\n" * PROOF_LEN_MAX),
        ("\n\n", "\n"),
    ],
)
def test_what_is_not_a_proof_file_is_not_read(old: str, new: str) -> None:
    with pytest.raises(NoteError):
        read_proof_file(str(a_file()).replace(old, new))


def test_a_proof_file_that_is_not_text_is_not_read() -> None:
    with pytest.raises(NoteError):
        read_proof_file(b"c2sp.org/tlog-proof@v1\n\xff")
