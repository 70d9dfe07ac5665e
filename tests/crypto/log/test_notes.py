"""Signed notes are read the one right way, and only by the right key."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.log.notes import (
    LINES_MAX,
    NOTE_BYTES_MAX,
    KeyKind,
    Line,
    Note,
    NoteError,
    NoteKey,
    NoteSigner,
    read_note,
    verify_note,
)
from tests.builders.trees import ORIGIN, SEEN_AT_S, a_note, a_signer, a_witness, flipped, unbased

# The example of golang.org/x/mod/sumdb/note, the first implementation of signed notes.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_PRIVATE = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETER_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_NOTE = (
    f"{PETER_TEXT}\n— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
# The examples that the specifications print (C2SP signed-note, tlog-cosignature); they name no public keys.
SPEC_NOTE = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
    "— quasimodo.example/salvatore "
    "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
)
SPEC_CHECKPOINT = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)


def test_the_first_implementations_example_is_valid() -> None:
    key = NoteKey.read(PETER)

    signatures = verify_note(read_note(PETER_NOTE), [key])

    assert [(signature.key.name, signature.time_s) for signature in signatures] == [("PeterNeumann", None)]


def test_the_first_implementations_key_makes_the_same_note() -> None:
    private = Ed25519PrivateKey.from_private_bytes(unbased(PETER_PRIVATE)[1:])

    signer = NoteSigner("PeterNeumann", KeyKind.NOTE, private)

    assert str(signer.key) == PETER
    assert str(Note(PETER_TEXT, (signer.sign(PETER_TEXT),))) == PETER_NOTE


def test_the_specifications_notes_are_read_and_written_back_as_they_were() -> None:
    note, checkpoint = read_note(SPEC_NOTE), read_note(SPEC_CHECKPOINT)

    assert note.text == "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n"
    assert [line.name for line in checkpoint.lines] == ["example.com/behind-the-sofa", "witness.example.com/w1"]
    assert int.from_bytes(checkpoint.lines[1].signature[:8], "big") == 1679315147
    assert (str(note), str(checkpoint)) == (SPEC_NOTE, SPEC_CHECKPOINT)


def test_a_key_is_written_and_read_back() -> None:
    for signer in (a_signer(), a_witness()):
        assert NoteKey.read(str(signer.key)) == signer.key


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "PeterNeumann",
        PETER.replace("c74f20a3", "c74f20a4"),
        PETER.replace("c74f20a3", "C74F20A3"),
        PETER.replace("PeterNeumann", "PeterNewman"),
        PETER.replace("PeterNeumann", "Peter Neumann"),
        PETER.replace("PeterNeumann", ""),
        PETER.replace("ARpc", "BRpc"),
        PETER.replace("ARpc", "AhpcX"),
        PETER[:-4],
        PETER + "=",
        PETER[:-1] + "X",
    ],
)
def test_a_key_that_was_touched_is_not_read(vkey: str) -> None:
    with pytest.raises(NoteError):
        NoteKey.read(vkey)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n", "a\u3000b"])
def test_a_name_with_a_space_or_a_plus_is_no_name(name: str) -> None:
    with pytest.raises(NoteError):
        NoteSigner(name, KeyKind.NOTE, Ed25519PrivateKey.generate())


def test_the_log_and_its_witnesses_sign_one_note() -> None:
    note = read_note(str(a_note(7, a_witness(1), a_witness(2))))

    found = verify_note(note, [a_witness(2).key, a_signer().key, a_witness(1).key])

    assert [(signature.key.name, signature.time_s) for signature in found] == [
        (ORIGIN, None),
        ("witness.example/w1", SEEN_AT_S),
        ("witness.example/w2", SEEN_AT_S),
    ]


def test_a_line_by_an_unknown_key_is_passed_over_and_alone_it_does_not_count() -> None:
    note = a_note(7, a_witness(1))

    assert len(verify_note(note, [a_signer().key])) == 1
    for strangers in ([], [a_signer("log.example/other").key], [a_signer(seed=2).key], [a_witness(2).key]):
        with pytest.raises(NoteError, match="no known key"):
            verify_note(note, strangers)


def test_a_key_for_notes_does_not_cosign_nor_the_other_way_round() -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    as_note, as_witness = (NoteSigner("w", kind, private) for kind in KeyKind)
    text = "w\n1\n"

    posed = Line("w", as_witness.key.id, as_note.sign(text).signature)

    with pytest.raises(NoteError, match="wrong length"):
        verify_note(Note(text, (posed,)), [as_witness.key])


def test_one_bit_anywhere_in_text_or_signature_is_found() -> None:
    note = a_note(7, a_witness(1))
    keys = [a_signer().key, a_witness(1).key]
    for number, line in enumerate(note.lines):
        for bit in range(0, len(line.signature) * 8, 5):
            touched = line._replace(signature=flipped(line.signature, bit))
            lines = (*note.lines[:number], touched, *note.lines[number + 1 :])
            with pytest.raises(NoteError, match="is wrong"):
                verify_note(note._replace(lines=lines), keys)
    with pytest.raises(NoteError, match="is wrong"):
        verify_note(note._replace(text=note.text.replace("7", "8")), keys)


def test_a_wrong_line_by_a_known_key_spoils_the_note_even_beside_a_right_one() -> None:
    note = a_note(7, a_witness(1))
    witness = note.lines[1]
    lines = (note.lines[0], witness._replace(signature=flipped(witness.signature, 100)))

    with pytest.raises(NoteError, match="w1 is wrong"):
        verify_note(note._replace(lines=lines), [a_signer().key, a_witness(1).key])


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "text\n",
        "text\n\n",
        PETER_NOTE[:-1],
        PETER_NOTE + "\n",
        PETER_NOTE.replace("\n\n", "\n"),
        PETER_NOTE.replace("— ", "- "),
        PETER_NOTE.replace("— ", "—"),
        PETER_NOTE.replace("PeterNeumann x08", "Peter Neumann x08"),
        PETER_NOTE.replace("PeterNeumann x08", "Peter+Neumann x08"),
        PETER_NOTE.replace("AM=\n", "AM\n"),
        PETER_NOTE.replace("AM=\n", "AN=\n"),
        PETER_NOTE.replace("AM=\n", "AM= \n"),
        PETER_NOTE.replace("AM=\n", "AM=\r\n"),
        PETER_NOTE.replace("crypto", "cry\tpto"),
        PETER_NOTE.replace("crypto", "cry\0pto"),
        f"{PETER_TEXT}\n— PeterNeumann x08g\n",
        b"\xff\n\n\xe2\x80\x94 a eHh4eHh4\n",
        PETER_NOTE + "\N{EM DASH} PeterNeumann x08goaaa\n" * LINES_MAX,
        "x" * NOTE_BYTES_MAX + PETER_NOTE,
    ],
)
def test_what_is_not_a_note_is_not_read(raw: str | bytes) -> None:
    with pytest.raises(NoteError):
        read_note(raw)
