"""A receipt says what the platform signed and the log holds; nothing in it can be changed."""

import subprocess
import sys
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crypto.log.checkpoints import InclusionFile
from crypto.log.commitments import commitment
from crypto.log.merkle import Tree, leaf_hash
from crypto.log.notes import Note, NoteError, NoteSigner
from crypto.log.proofs import ProofError, inclusion_proof
from crypto.log.receipts import (
    RECEIPT_BYTES_MAX,
    RECEIPT_FORM,
    Keys,
    Receipt,
    ReceiptError,
    Statement,
    make_receipt,
    read_receipt,
    verify_receipt,
)
from tests.builders.trees import ORIGIN, a_note, a_signer, a_witness, hashes_of

LEAF, SALT = b"\x11" * 32, b"\x22" * 32
SIZE, NUMBER = 13, 6
RECEIPTS = f"{ORIGIN}/receipts"
SCRIPT = Path(__file__).parents[3] / "docs" / "verify_receipt.py"
SCRIPT_LINES_MAX = 40


def signer() -> NoteSigner:
    return a_signer(RECEIPTS, seed=7)


def a_log(data: bytes, size: int = SIZE, number: int = NUMBER) -> Tree:
    hashes = hashes_of(size)
    hashes[number] = leaf_hash(data)
    return Tree(hashes)


def a_statement(**changes: Any) -> Statement:
    fields = {
        "origin": ORIGIN,
        "number": NUMBER,
        "stream": "order/01900000-0000-7000-8000-000000000001",
        "version": 2,
        "kind": "order.accepted",
        "at": datetime(2026, 11, 25, 1, 2, 3, 456789, UTC),
        "leaf": LEAF.hex(),
        "salt": None,
        "issued_at": datetime(2026, 11, 25, 1, 3, tzinfo=UTC),
    }
    return Statement(**{**fields, **changes})


def a_receipt(statement: Statement | None = None, *, size: int = SIZE, salted: bool = False, **parts: Any) -> Receipt:
    statement = statement or a_statement(salt=SALT.hex() if salted else None)
    tree = a_log(commitment(SALT, LEAF) if salted else LEAF, size, min(NUMBER, size - 1))
    text = f"{ORIGIN}\n{size}\n{based(tree.root())}\n"
    note = Note(text, (a_signer().sign(text), a_witness().cosign(text, 1_764_000_000)))
    proof = inclusion_proof(min(statement.number, size - 1), size, tree.hash)
    made = make_receipt(statement, signer(), proof=proof, checkpoint=note, log=a_signer().key)
    return msgspec.structs.replace(made, **parts)


def based(raw: bytes) -> str:
    return b64encode(raw).decode()


def check(receipt: Receipt) -> Any:
    read = read_receipt(msgspec.json.encode(receipt))
    return verify_receipt(read, log=a_signer().key, receipts=[signer().key], witnesses=[a_witness().key])


@pytest.mark.parametrize("salted", [False, True])
def test_a_receipt_proves_its_entry(salted: bool) -> None:  # noqa: FBT001
    checked = check(a_receipt(salted=salted))

    assert checked.statement == a_statement(salt=SALT.hex() if salted else None)
    assert (checked.checkpoint.origin, checked.checkpoint.size) == (ORIGIN, SIZE)
    assert [found.key for found in checked.cosignatures] == [a_witness().key]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"leaf": "11" * 31 + "12"}, ProofError),
        ({"leaf": "11" * 31}, ReceiptError),
        ({"leaf": "zz" * 32}, ReceiptError),
        ({"leaf": "1A" * 32}, ReceiptError),
        ({"salt": SALT.hex()}, ProofError),
        ({"salt": "22"}, ReceiptError),
        ({"number": 5}, ProofError),
        ({"origin": "log.example/other"}, ReceiptError),
    ],
)
def test_a_statement_that_the_platform_signed_wrongly_does_not_pass(
    changes: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        check(a_receipt(a_statement(**changes)))


@pytest.mark.parametrize("field", [name for name in Statement.__struct_fields__ if name != "salt"])
def test_changing_any_field_of_what_was_signed_is_found(field: str) -> None:
    receipt = a_receipt()
    other = a_statement(**{field: {"version": 3, "number": 5}.get(field) or getattr(a_statement(), field)})
    if other == a_statement():
        other = msgspec.structs.replace(other, **{field: "x" if isinstance(getattr(other, field), str) else NEW_YEAR})
    old, new = (msgspec.json.encode(each).decode() for each in (a_statement(), other))
    assert old in receipt.receipt

    with pytest.raises(NoteError, match="is wrong"):
        check(msgspec.structs.replace(receipt, receipt=receipt.receipt.replace(old, new)))


NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)


def test_the_parts_of_two_receipts_do_not_mix() -> None:
    one, other = a_receipt(), a_receipt(salted=True)

    for parts in ({"receipt": other.receipt}, {"proof": other.proof}):
        with pytest.raises(ProofError):
            check(msgspec.structs.replace(one, **parts))


def test_a_proof_for_another_place_is_found() -> None:
    receipt = a_receipt()
    with pytest.raises((ReceiptError, ProofError)):
        check(msgspec.structs.replace(receipt, proof=receipt.proof.replace(f"index {NUMBER}", f"index {NUMBER + 1}")))


def test_the_platform_the_log_and_no_one_else_must_have_signed() -> None:
    receipt = a_receipt()
    for log, receipts in (
        (a_signer(seed=9).key, [signer().key]),
        (a_signer().key, [a_signer(RECEIPTS, seed=9).key]),
        (a_signer().key, []),
    ):
        with pytest.raises(NoteError, match="no known key"):
            verify_receipt(receipt, log=log, receipts=receipts)
    only_witness = a_note(13, a_witness())
    file = InclusionFile(0, (), only_witness._replace(lines=only_witness.lines[1:]))
    with pytest.raises(NoteError, match="the log has not signed"):
        verify_receipt(
            msgspec.structs.replace(receipt, proof=str(file)),
            log=a_signer().key,
            receipts=[signer().key],
            witnesses=[a_witness().key],
        )


@pytest.mark.parametrize(
    "text", ["", "x\n{}\n", f"{RECEIPT_FORM}\n", f"{RECEIPT_FORM}\n{{}}\n", f"{RECEIPT_FORM}\n1\n2\n"]
)
def test_what_was_signed_must_be_a_statement(text: str) -> None:
    text = text or "\n"
    receipt = a_receipt(receipt=str(Note(text, (signer().sign(text),))))

    with pytest.raises(ReceiptError):
        check(receipt)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        msgspec.json.encode(a_receipt(form="zhecai/receipt/2")),
        msgspec.json.encode({**msgspec.to_builtins(a_receipt()), "more": 1}),
        b" " * (RECEIPT_BYTES_MAX + 1),
    ],
)
def test_what_is_no_receipt_is_not_read(raw: bytes) -> None:
    with pytest.raises(ReceiptError):
        read_receipt(raw)


def test_a_receipt_names_the_keys_it_is_by() -> None:
    assert a_receipt().keys == Keys(str(a_signer().key), str(signer().key))


def test_the_pages_are_tested_with_the_receipt_that_these_tests_make() -> None:
    kept = (SCRIPT.parents[1] / "portal" / "ui" / "tests" / "receipt.json").read_bytes()

    assert msgspec.json.decode(kept, type=Receipt) == a_receipt(salted=True)


# The script for outsiders, docs/verify_receipt.py: it shares no line with us.


def outsider(path: Path, receipt: Receipt, log: str = "", receipts: str = "") -> subprocess.CompletedProcess[str]:
    file = path / "receipt.json"
    file.write_bytes(msgspec.json.encode(receipt))
    command = [sys.executable, "-I", str(SCRIPT), str(file), log or str(a_signer().key), receipts or str(signer().key)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_script_for_outsiders_is_short_and_needs_nothing_of_ours() -> None:
    lines = SCRIPT.read_text("utf-8").splitlines()

    assert len(lines) <= SCRIPT_LINES_MAX
    assert [line for line in lines if line.startswith(("import ", "from "))] == [
        "import base64, json, sys",
        "from hashlib import sha256",
        "from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey",
    ]


@pytest.mark.parametrize(("size", "salted"), [(SIZE, False), (SIZE, True), (7, False), (8, True)])
def test_the_script_for_outsiders_finds_a_good_receipt_good(tmp_path: Path, size: int, salted: bool) -> None:  # noqa: FBT001
    done = outsider(tmp_path, a_receipt(size=size, salted=salted))

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("good: order.accepted order/01900000-0000-7000-8000-000000000001 version 2")


@pytest.mark.parametrize(
    "receipt",
    [
        a_receipt(a_statement(leaf="11" * 31 + "12")),
        a_receipt(a_statement(number=5)),
        a_receipt(a_statement(origin="log.example/other")),
        a_receipt(a_statement(salt=SALT.hex())),
        a_receipt(receipt=a_receipt().receipt.replace("order.accepted", "order.refused")),
        a_receipt(proof=a_receipt().proof.replace(f"\n{SIZE}\n", f"\n{SIZE + 1}\n")),
        a_receipt(proof=a_receipt(salted=True).proof),
    ],
)
def test_the_script_for_outsiders_finds_a_bad_receipt_bad(tmp_path: Path, receipt: Receipt) -> None:
    done = outsider(tmp_path, receipt)

    assert done.returncode != 0
    assert "good" not in done.stdout


def test_the_script_for_outsiders_trusts_the_keys_it_is_given_only(tmp_path: Path) -> None:
    assert outsider(tmp_path, a_receipt(), log=str(a_signer(seed=9).key)).returncode != 0
    assert outsider(tmp_path, a_receipt(), receipts=str(a_signer(RECEIPTS, seed=9).key)).returncode != 0
