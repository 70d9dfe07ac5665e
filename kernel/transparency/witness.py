"""
A witness: remembers the last tree that it saw of each log and cosigns only what continues it (C2SP tlog-witness).

It has a key, a small file and no database, and should run where whoever runs the log has no say.
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from crypto.log.checkpoints import Checkpoint, read_checkpoint, read_hashes, read_number
from crypto.log.merkle import EMPTY_ROOT
from crypto.log.notes import Note, NoteError, NoteKey, NoteSigner, read_note, verify_note
from crypto.log.proofs import ProofError, verify_consistency
from kernel.clock import Clock

BODY_BYTES_MAX: Final = 64 * 1024
SIZE_TYPE: Final = "text/x.tlog.size"


class Seen(msgspec.Struct, frozen=True):
    """The last tree that was cosigned of a log; ``note`` is its checkpoint, to show to whoever disputes it."""

    size: int
    root: str
    note: str


class Submitted(NamedTuple):
    """A checkpoint that was submitted, with the proof that it continues the tree of ``old``."""

    old: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint


class Refusal(NamedTuple):
    """Why a checkpoint is not cosigned; ``body`` as the specification wants it."""

    status: HTTPStatus
    body: str
    media_type: str = "text/plain"


def read_submission(raw: bytes) -> Submitted:
    """
    Read what is posted to ``add-checkpoint``.

    Raises:
        NoteError: It is not in the form of the specification.
    """
    try:
        head, blank, note = raw.decode().partition("\n\n")
    except UnicodeDecodeError as error:
        raise NoteError("not UTF-8") from error
    lines = head.split("\n")
    if not blank or not lines[0].startswith("old "):
        raise NoteError("the first line is the old size, and a blank line precedes the checkpoint")
    found = read_note(note)
    old = read_number(lines[0].removeprefix("old "))
    return Submitted(old, read_hashes(lines[1:]), found, read_checkpoint(found.text))


def decide(submitted: Submitted, seen: Seen | None, logs: Mapping[str, NoteKey]) -> Refusal | None:
    """Decide whether a checkpoint may be cosigned: ``None`` if so. In the order of the specification."""
    checkpoint = submitted.checkpoint
    key = logs.get(checkpoint.origin)
    if key is None:
        return Refusal(HTTPStatus.NOT_FOUND, "this log is not known here\n")
    try:
        verify_note(submitted.note, [key])
    except NoteError as error:
        return Refusal(HTTPStatus.FORBIDDEN, f"{error}\n")
    if submitted.old > checkpoint.size:
        return Refusal(HTTPStatus.BAD_REQUEST, "the old size is above the checkpoint's\n")
    return _continues(submitted, seen)


def _continues(submitted: Submitted, seen: Seen | None) -> Refusal | None:
    checkpoint = submitted.checkpoint
    size, root = (seen.size, bytes.fromhex(seen.root)) if seen else (0, EMPTY_ROOT)
    if submitted.old != size:
        return Refusal(HTTPStatus.CONFLICT, f"{size}\n", SIZE_TYPE)
    if size == checkpoint.size and root != checkpoint.root:
        return Refusal(HTTPStatus.CONFLICT, "another tree of this size was cosigned\n")
    try:
        verify_consistency(
            old=size, new=checkpoint.size, old_root=root, new_root=checkpoint.root, proof=submitted.proof
        )
    except ProofError as error:
        return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, f"{error}\n")
    return None


class WitnessState:
    """What the witness remembers: a file that is written whole and is on the disk before anybody is answered."""

    def __init__(self, path: Path) -> None:
        """
        Read the file, if there is one.

        Raises:
            ValueError: It cannot be read. A witness that forgets would cosign anything, so it does not start.
        """
        self._path: Final = path
        self.logs: dict[str, Seen] = {}
        if path.exists():
            try:
                self.logs = msgspec.json.decode(path.read_bytes(), type=dict[str, Seen])
            except msgspec.DecodeError as error:
                raise ValueError(f"{path} is not what a witness remembers: {error}") from error

    def keep(self, origin: str, seen: Seen) -> None:
        """Remember a tree, whatever happens to the process or the machine afterwards. Cost: two fsync."""
        after = {**self.logs, origin: seen}
        draft = self._path.with_name(f"{self._path.name}.new")
        with draft.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(after), indent=1))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
        directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        self.logs = after


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """
    Keep a second witness away from the same file for as long as this one runs.

    Raises:
        BlockingIOError: There is one already.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


class WitnessServer:
    """Answers ``add-checkpoint``; looking and remembering are one step, so no request rolls back another."""

    def __init__(self, signer: NoteSigner, logs: Mapping[str, NoteKey], state: WitnessState, clock: Clock) -> None:
        self._signer: Final = signer
        self._logs: Final = logs
        self._state: Final = state
        self._clock: Final = clock
        self._one_at_a_time: Final = asyncio.Lock()

    def app(self) -> Starlette:
        """Make the ASGI application."""
        return Starlette(
            routes=[
                Route("/add-checkpoint", self._add, methods=["POST"]),
                Route("/healthz", self._health, methods=["GET"]),
            ]
        )

    async def _health(self, _: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def _add(self, request: Request) -> Response:
        raw = b""
        try:
            async for chunk in request.stream():
                raw += chunk
                if len(raw) > BODY_BYTES_MAX:
                    return PlainTextResponse("too long\n", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            submitted = read_submission(raw)
        except NoteError as error:
            return PlainTextResponse(f"{error}\n", HTTPStatus.BAD_REQUEST)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._answer, submitted)

    def _answer(self, submitted: Submitted) -> Response:
        checkpoint = submitted.checkpoint
        seen = self._state.logs.get(checkpoint.origin)
        refusal = decide(submitted, seen, self._logs)
        if refusal:
            return Response(refusal.body, refusal.status, headers={"Content-Type": refusal.media_type})
        if seen is None or seen.size < checkpoint.size:
            self._state.keep(checkpoint.origin, Seen(checkpoint.size, checkpoint.root.hex(), str(submitted.note)))
        line = self._signer.cosign(submitted.note.text, int(self._clock.now().timestamp()))
        return PlainTextResponse(str(line))
