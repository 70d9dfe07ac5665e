"""
Witnesses: asking others to cosign our checkpoints (C2SP tlog-witness).

A witness remembers the last tree that it saw of us and cosigns a new one only where that is proved to begin with the
old. So a history that was written anew is refused, whoever holds our database and our key.
"""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Final, NamedTuple

import httpx2
import structlog

from crypto.log.checkpoints import read_number
from crypto.log.notes import KeyKind, Line, Note, NoteError, NoteKey, read_lines, verify_note

TIMEOUT_S: Final = 2.0
"""How long a witness may take; one that is slower is asked again later."""

SIZE_TYPE: Final = "text/x.tlog.size"
_ANSWER_BYTES_MAX: Final = 64 * 1024
_TRIES: Final = 3
"""The witness may be ahead or behind of what we know of it; another process may be asking it as well."""

Proof = Callable[[int], Awaitable[list[bytes]]]
"""Proves that the tree to be cosigned begins with that of the size given."""

log = structlog.get_logger()


class WitnessRefused(Exception):
    """The witness says that this tree does not continue the one that it saw."""


class WitnessAway(Exception):
    """The witness did not answer, or not in the way that it should."""


class Witness(NamedTuple):
    """Where a witness is asked, and the key by which it cosigns."""

    url: str
    key: NoteKey


def read_witness(text: str) -> Witness:
    """
    Read a witness as it is configured: the URL, a space, and its key as ``name+id+key``.

    Raises:
        ValueError: It is not so.
    """
    url, _, vkey = text.strip().partition(" ")
    if not url.startswith(("https://", "http://")):
        raise ValueError("a witness begins with its http(s) address")
    key = NoteKey.read(vkey.strip())
    if key.kind is not KeyKind.COSIGNATURE:
        raise NoteError("a witness signs with a key for cosignatures")
    return Witness(url.rstrip("/"), key)


def request_body(old: int, proof: Sequence[bytes], note: Note) -> str:
    """Write what ``add-checkpoint`` takes."""
    return "\n".join([f"old {old}", *(b64encode(hash_).decode() for hash_ in proof), "", str(note)])


async def ask(
    http: httpx2.AsyncClient, witness: Witness, *, note: Note, size: int, known: int, prove: Proof
) -> Line | None:
    """
    Have a checkpoint of ``size`` cosigned; ``None`` where the witness has already cosigned a larger one.

    ``known`` is the size that we believe it saw last.

    Raises:
        WitnessRefused: It saw a tree that this one does not continue.
        WitnessAway: It does not answer as it should.
    """
    old = known
    for _ in range(_TRIES):
        answer = await _post(http, witness, request_body(old, await prove(old), note))
        if answer.status_code == HTTPStatus.OK:
            return _cosignature(answer.text, witness, note)
        if answer.status_code == HTTPStatus.CONFLICT and answer.headers.get("content-type") == SIZE_TYPE:
            seen = _size(answer.text)
            if seen > size:
                return None
            if seen == old:
                break
            old = seen
        elif answer.status_code in {HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}:
            raise WitnessRefused(f"{witness.key.name} has seen another tree of {old}")
        else:
            break
    else:
        raise WitnessAway(f"{witness.key.name} keeps moving on")
    raise WitnessAway(f"{witness.key.name} answers {answer.status_code}")


async def _post(http: httpx2.AsyncClient, witness: Witness, body: str) -> httpx2.Response:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            answer = await http.post(f"{witness.url}/add-checkpoint", content=body.encode())
    except (httpx2.HTTPError, TimeoutError, OSError) as error:
        raise WitnessAway(f"{witness.key.name} does not answer: {error!r}") from error
    if len(answer.content) > _ANSWER_BYTES_MAX:
        raise WitnessAway(f"{witness.key.name} answers too much")
    return answer


def _cosignature(text: str, witness: Witness, note: Note) -> Line:
    try:
        lines = read_lines(text)
        verify_note(note._replace(lines=lines), [witness.key])
        return next(line for line in lines if (line.name, line.id) == (witness.key.name, witness.key.id))
    except NoteError as error:
        raise WitnessAway(f"{witness.key.name} answers with no cosignature: {error}") from error


def _size(text: str) -> int:
    try:
        return read_number(text.removesuffix("\n"))
    except NoteError as error:
        raise WitnessAway("the size of a witness is no number") from error
