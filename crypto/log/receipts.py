"""
Receipts: what somebody takes home as proof that an entry of the journal is in the log.

A receipt is JSON. Its ``receipt`` is a note, signed by the platform, whose text is one line that names the form and
one line of JSON (:class:`Statement`). Its ``proof`` is a C2SP proof file that leads from the leaf to a checkpoint
signed by the log. What is hashed or signed is always the text as it is transmitted.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from crypto.log.checkpoints import Checkpoint, InclusionFile, read_proof_file, verify_proof_file
from crypto.log.commitments import SALT_BYTES, logged
from crypto.log.merkle import HASH_BYTES, leaf_hash
from crypto.log.notes import Note, NoteError, NoteKey, NoteSigner, Signature, read_note, verify_note

RECEIPT_FORM: Final = "zhecai/receipt/1"
RECEIPT_BYTES_MAX: Final = 128 * 1024

_LINES: Final = 2


class ReceiptError(ValueError):
    """The receipt cannot be read, or its parts do not belong together."""


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    What the platform signs: the entry ``stream``/``version`` of this ``kind``, decided ``at``, has this ``leaf``.

    ``leaf`` and ``salt`` are in hexadecimal; with a salt, the log holds the commitment to the leaf. ``number`` is the
    leaf's place in the log named ``origin``.
    """

    origin: str
    number: int
    stream: str
    version: int
    kind: str
    at: datetime
    leaf: str
    salt: str | None
    issued_at: datetime


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The public keys that the receipt is said to be by: compare them with those that you trust."""

    log: str
    receipts: str


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A receipt as a file; ``token`` is an RFC 3161 time stamp of ``receipt``, in base64."""

    form: str
    receipt: str
    proof: str
    keys: Keys
    token: str | None = None


class Checked(NamedTuple):
    """What a receipt was found to say; ``cosignatures`` are those of known witnesses."""

    statement: Statement
    checkpoint: Checkpoint
    cosignatures: tuple[Signature, ...]


def make_receipt(
    statement: Statement, signer: NoteSigner, *, proof: Sequence[bytes], checkpoint: Note, log: NoteKey
) -> Receipt:
    """Sign a statement and put the proof beside it. Cost: one Ed25519 signature, 22 µs."""
    text = f"{RECEIPT_FORM}\n{msgspec.json.encode(statement).decode()}\n"
    note = Note(text, (signer.sign(text),))
    file = InclusionFile(statement.number, tuple(proof), checkpoint)
    return Receipt(RECEIPT_FORM, str(note), str(file), Keys(str(log), str(signer.key)))


def read_receipt(raw: bytes) -> Receipt:
    """
    Read a receipt without checking anything.

    Raises:
        ReceiptError: It is not one, or longer than ``RECEIPT_BYTES_MAX``.
    """
    if len(raw) > RECEIPT_BYTES_MAX:
        raise ReceiptError(f"a receipt has at most {RECEIPT_BYTES_MAX} bytes")
    try:
        receipt = msgspec.json.decode(raw, type=Receipt)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ReceiptError(f"not a receipt: {error}") from error
    if receipt.form != RECEIPT_FORM:
        raise ReceiptError(f"not of the form {RECEIPT_FORM}")
    return receipt


def verify_receipt(
    receipt: Receipt, *, log: NoteKey, receipts: Sequence[NoteKey], witnesses: Sequence[NoteKey] = ()
) -> Checked:
    """
    Check every part of a receipt against keys that are trusted, without asking anybody.

    The time stamp is not looked at: ``openssl ts -verify`` or :mod:`crypto.timestamps` do that.

    Raises:
        NoteError: A signature is missing or wrong.
        ProofError: The leaf is not where the receipt says.
        ReceiptError: The parts speak of different things.
    """
    note = read_note(receipt.receipt)
    verify_note(note, receipts)
    statement = _statement(note.text)
    file = read_proof_file(receipt.proof)
    signatures = verify_note(file.checkpoint, [log, *witnesses])
    if log not in [signature.key for signature in signatures]:
        raise NoteError("the log has not signed the checkpoint")
    leaf, salt = _bytes(statement.leaf, HASH_BYTES), statement.salt
    data = logged(leaf, None if salt is None else _bytes(salt, SALT_BYTES))
    checkpoint = verify_proof_file(file, leaf=leaf_hash(data))
    if statement.number != file.leaf_index:
        raise ReceiptError("the receipt and its proof name different places in the log")
    if not statement.origin == checkpoint.origin == log.name:
        raise ReceiptError("the receipt, its checkpoint and the key are of different logs")
    return Checked(statement, checkpoint, tuple(found for found in signatures if found.key in witnesses))


def _statement(text: str) -> Statement:
    lines = text.split("\n")
    if len(lines) != _LINES + 1 or lines[0] != RECEIPT_FORM:
        raise ReceiptError(f"what was signed is not of the form {RECEIPT_FORM}")
    try:
        return msgspec.json.decode(lines[1].encode(), type=Statement)
    except msgspec.DecodeError as error:
        raise ReceiptError(f"what was signed is no statement: {error}") from error


def _bytes(text: str, length: int) -> bytes:
    try:
        raw = bytes.fromhex(text)
    except ValueError as error:
        raise ReceiptError("not hexadecimal") from error
    if len(raw) != length or raw.hex() != text:
        raise ReceiptError(f"expected {length} bytes in hexadecimal")
    return raw
