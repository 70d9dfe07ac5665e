"""
Signed notes: a text and the lines of those who signed it (C2SP signed-note), with Ed25519.

A key is told by its name and by four bytes of a hash over name, kind and key; a line by an unknown key is passed over,
a line by a known key must be right.
"""

import hashlib
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

NOTE_BYTES_MAX: Final = 64 * 1024
LINES_MAX: Final = 64
"""Signatures in a note; the specification asks for at least 16."""

_KEY_BYTES: Final = 32
_ID_BYTES: Final = 4
_SIGNATURE_BYTES: Final = 64
_TIMED_BYTES: Final = 8 + _SIGNATURE_BYTES
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_NAME: Final = re.compile(r"[^\s+]+")
_VKEY_PARTS: Final = 3


class NoteError(ValueError):
    """The note cannot be read, or is not signed as it should be."""


class KeyKind(IntEnum):
    """What a key signs; the byte that goes into its id."""

    NOTE = 0x01
    """Ed25519 over the text."""
    COSIGNATURE = 0x04
    """Ed25519 over a time and the text (C2SP tlog-cosignature, ``cosignature/v1``)."""


class NoteKey(NamedTuple):
    """A public key by which notes are checked; its text is the ``vkey`` that people exchange."""

    name: str
    kind: KeyKind
    public: bytes

    @property
    def id(self) -> bytes:
        """Four bytes that tell which key a line is by; not a secure hash."""
        material = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return hashlib.sha256(material).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64encode(bytes([self.kind]) + self.public).decode()}"

    @classmethod
    def read(cls, text: str) -> "NoteKey":
        """
        Read a ``vkey``: name, id and key with ``+`` between them.

        Raises:
            NoteError: It is not one, or its id is not that of its key.
        """
        parts = text.split("+", 2)
        if len(parts) != _VKEY_PARTS or not _NAME.fullmatch(parts[0]):
            raise NoteError("a key is written name+id+key")
        material = unbase64(parts[2])
        if len(material) != 1 + _KEY_BYTES or material[0] not in set(KeyKind):
            raise NoteError("the key is not an Ed25519 key for notes or cosignatures")
        key = cls(parts[0], KeyKind(material[0]), material[1:])
        if str(key) != text:
            raise NoteError("the key's id is not that of its name and key")
        return key


class Line(NamedTuple):
    """One signature of a note: by whom, and the bytes behind the key's id."""

    name: str
    id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"\N{EM DASH} {self.name} {b64encode(self.id + self.signature).decode()}\n"


class Note(NamedTuple):
    """A text, which ends with a newline, and its signatures. Its text form is the note itself."""

    text: str
    lines: tuple[Line, ...]

    def __str__(self) -> str:
        return f"{self.text}\n{''.join(map(str, self.lines))}"


class Signature(NamedTuple):
    """A signature that was checked; ``time_s`` is when a cosignature was made, in seconds since 1970."""

    key: NoteKey
    time_s: int | None


class NoteSigner:
    """A private key that signs notes under a name."""

    def __init__(self, name: str, kind: KeyKind, private: Ed25519PrivateKey) -> None:
        """
        Take a name without spaces and plus signs.

        Raises:
            NoteError: The name is not one.
        """
        if not _NAME.fullmatch(name):
            raise NoteError("a key's name has no spaces and no plus signs")
        self.key: Final = NoteKey(name, kind, private.public_key().public_bytes_raw())
        self._private: Final = private

    def sign(self, text: str) -> Line:
        """Sign a text. Cost: 22 µs, as Ed25519 does."""
        assert self.key.kind is KeyKind.NOTE
        return Line(self.key.name, self.key.id, self._private.sign(_text(text)))

    def cosign(self, text: str, time_s: int) -> Line:
        """State that at ``time_s`` this is the largest consistent tree seen of the log that the text names."""
        assert self.key.kind is KeyKind.COSIGNATURE
        signature = self._private.sign(_timed(text, time_s))
        return Line(self.key.name, self.key.id, time_s.to_bytes(8, "big") + signature)


def read_note(raw: str | bytes) -> Note:
    """
    Read a note without checking its signatures.

    Raises:
        NoteError: It is not one, or longer than ``NOTE_BYTES_MAX``.
    """
    if len(raw) > NOTE_BYTES_MAX:
        raise NoteError(f"the note has more than {NOTE_BYTES_MAX} bytes")
    try:
        whole = raw if isinstance(raw, str) else raw.decode()
    except UnicodeDecodeError as error:
        raise NoteError("the note is not UTF-8") from error
    if _CONTROL.search(whole):
        raise NoteError("the note holds a control character")
    text, blank, signed = whole.rpartition("\n\n")
    if not blank or not signed.endswith("\n"):
        raise NoteError("the note has no signatures")
    return Note(f"{text}\n", read_lines(signed))


def read_lines(signed: str) -> tuple[Line, ...]:
    """
    Read signature lines, each of which ends with a newline.

    Raises:
        NoteError: One is not a signature line, or there are more than ``LINES_MAX``.
    """
    lines = signed.removesuffix("\n").split("\n")
    if len(lines) > LINES_MAX:
        raise NoteError(f"the note has more than {LINES_MAX} signatures")
    return tuple(_line(line) for line in lines)


def verify_note(note: Note, keys: Sequence[NoteKey]) -> tuple[Signature, ...]:
    """
    Check the lines by known keys and give them, one a key, in the order of the note.

    Raises:
        NoteError: A line by a known key is wrong, or there is none by a known key.
    """
    known = {(key.name, key.id): key for key in keys}
    found: dict[NoteKey, Signature] = {}
    for line in note.lines:
        key = known.get((line.name, line.id))
        if key is not None and key not in found:
            found[key] = _checked(note.text, line, key)
    if not found:
        raise NoteError("no known key has signed the note")
    return tuple(found.values())


def unbase64(text: str) -> bytes:
    """
    Read base64 that is written the one right way.

    Raises:
        NoteError: It is not.
    """
    try:
        raw = b64decode(text, validate=True)
    except (Base64Error, ValueError) as error:
        raise NoteError("not base64") from error
    if b64encode(raw).decode() != text:
        raise NoteError("base64 with loose ends")
    return raw


def _line(text: str) -> Line:
    parts = text.split(" ")
    if len(parts) != _VKEY_PARTS or parts[0] != "\N{EM DASH}" or not _NAME.fullmatch(parts[1]):
        raise NoteError("a signature line is a dash, a name and a signature")
    raw = unbase64(parts[2])
    if len(raw) <= _ID_BYTES:
        raise NoteError("the signature is too short")
    return Line(parts[1], raw[:_ID_BYTES], raw[_ID_BYTES:])


def _checked(text: str, line: Line, key: NoteKey) -> Signature:
    signature, signed, time_s = line.signature, _text(text), None
    if key.kind is KeyKind.COSIGNATURE:
        if len(signature) != _TIMED_BYTES:
            raise NoteError(f"the cosignature by {key.name} has the wrong length")
        time_s = int.from_bytes(signature[:8], "big")
        signed, signature = _timed(text, time_s), signature[8:]
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, signed)
    except InvalidSignature:
        raise NoteError(f"the signature by {key.name} is wrong") from None
    return Signature(key, time_s)


def _text(text: str) -> bytes:
    if not text.endswith("\n") or _CONTROL.search(text):
        raise NoteError("a note's text ends with a newline and holds no other control character")
    return text.encode()


def _timed(text: str, time_s: int) -> bytes:
    return f"cosignature/v1\ntime {time_s}\n".encode() + _text(text)
