"""
A session that takes the next statement before the last one is answered: PostgreSQL's pipeline mode, by libpq.

asyncpg asks, waits and asks again. Until its answer has travelled, and the event loop got to it, the server has nothing
to do. What is sent here lies at the server already when the statement before it ends, and begins at once.

Each statement is a transaction of its own: one that fails leaves those behind it as they are. Whoever sends one that
only makes sense after another has it look whether that one came to be.

Cost: about 27 µs a statement of 16 kB, on our side; see ``bench/micro/pipeline.py``.

Source: PostgreSQL 18, section 32.5; asyncpg has no such mode.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import asyncpg
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import DiagnosticField, ExecStatus
from psycopg.pq.abc import PGresult

_TEXT: Final = 0
_BINARY: Final = 1
_FIELDS: Final = {
    "S": DiagnosticField.SEVERITY,
    "C": DiagnosticField.SQLSTATE,
    "M": DiagnosticField.MESSAGE_PRIMARY,
    "D": DiagnosticField.MESSAGE_DETAIL,
    "H": DiagnosticField.MESSAGE_HINT,
    "t": DiagnosticField.TABLE_NAME,
    "n": DiagnosticField.CONSTRAINT_NAME,
}
"""What asyncpg calls the fields of an error, and libpq."""
_ENDS: Final = 1
"""How often no result comes behind a statement; once more, and there is nothing left."""
_FAILED: Final = frozenset({ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE})


class _Asked:
    """A statement that is on its way."""

    __slots__ = ("answer", "error", "prepared")

    def __init__(self, answer: asyncio.Future[None], prepared: str | None) -> None:
        self.answer = answer
        self.prepared = prepared
        """The statement, where this is the first time that the session sees it."""
        self.error: Exception | None = None


class Pipeline:
    """One session in pipeline mode, for statements whose result nobody reads; errors are those of asyncpg."""

    def __init__(self, connection: psycopg.AsyncConnection) -> None:
        """Take over a connection that nothing has been done with yet; see :meth:`open`."""
        self._connection: Final = connection
        self._pg: Final = connection.pgconn
        self._loop: Final = asyncio.get_running_loop()
        self._socket: Final = self._pg.socket
        self._asked: Final[deque[_Asked]] = deque()
        self._names: Final[dict[str, bytes]] = {}
        self._named = 0
        self._writing = False
        self._gone = False
        self._pg.nonblocking = 1
        self._pg.enter_pipeline_mode()
        self._loop.add_reader(self._socket, self._read)

    @classmethod
    async def open(cls, dsn: str, settings: dict[str, str], *, timeout_s: int, primary: bool) -> "Pipeline":
        """
        Connect; ``settings`` are those of the session, ``primary`` tells not to be content with a standby.

        Raises:
            ConnectionError: it cannot be connected.
        """
        wanted = {"connect_timeout": timeout_s} | ({"target_session_attrs": "primary"} if primary else {})
        try:
            own = str(conninfo_to_dict(dsn).get("options") or "")
            options = " ".join([own, *(f"-c {name}={value}" for name, value in settings.items())])
            given = make_conninfo(dsn, options=options, **wanted)
            connection = await psycopg.AsyncConnection.connect(given, autocommit=True)
        except psycopg.Error as error:
            raise ConnectionError(str(error)) from error
        return cls(connection)

    def send(self, statement: str, values: Sequence[Any]) -> asyncio.Future[None]:
        """
        Send a statement; the future is done when it is committed, or fails as ``execute`` of asyncpg would.

        Values are texts, bytes, numbers, moments, UUIDs, ``None`` and lists of these. Raises ``ValueError`` for a text
        with U+0000, and :class:`asyncpg.ConnectionDoesNotExistError`; nothing was sent then.
        """
        if self._gone:
            raise _lost("the connection is closed")
        encoded = [value if isinstance(value, bytes) else _text(value) for value in values]
        formats = [_BINARY if isinstance(value, bytes) else _TEXT for value in values]
        asked = _Asked(self._loop.create_future(), None if statement in self._names else statement)
        try:
            if asked.prepared is not None:
                self._named += 1
                self._names[statement] = b"s%d" % self._named
                self._pg.send_prepare(self._names[statement], statement.encode())
            self._pg.send_query_prepared(self._names[statement], encoded, formats)
            self._pg.pipeline_sync()
        except psycopg.Error as error:
            self._lose(error)
            raise _lost(str(error)) from error
        self._asked.append(asked)
        self._write()
        return asked.answer

    def is_closed(self) -> bool:
        """Tell whether the connection is gone, as far as we know."""
        return self._gone

    def terminate(self) -> None:
        """Close it at once; who waits for an answer will never know it."""
        self._lose(None)

    async def close(self) -> None:
        """Close it once everything is answered."""
        if self._asked:
            await asyncio.wait([asked.answer for asked in self._asked])
        self.terminate()

    def _write(self) -> None:
        try:
            unsent = bool(self._pg.flush())
        except psycopg.Error as error:
            self._lose(error)
            return
        if unsent != self._writing:
            self._writing = unsent
            if unsent:
                self._loop.add_writer(self._socket, self._write)
            else:
                self._loop.remove_writer(self._socket)

    def _read(self) -> None:
        try:
            self._pg.consume_input()
            nothing = 0
            while nothing <= _ENDS and self._asked and not self._pg.is_busy():
                result = self._pg.get_result()
                nothing = 0 if result else nothing + 1
                if result:
                    self._take(result)
        except psycopg.Error as error:
            self._lose(error)

    def _take(self, result: PGresult) -> None:
        if result.status in _FAILED:
            self._asked[0].error = _error_of(result)
        if result.status != ExecStatus.PIPELINE_SYNC:
            return
        asked = self._asked.popleft()
        if asked.error and asked.prepared is not None:
            del self._names[asked.prepared]
        if asked.answer.done():  # whoever waited has given up
            return
        if asked.error:
            asked.answer.set_exception(asked.error)
        else:
            asked.answer.set_result(None)

    def _lose(self, error: Exception | None) -> None:
        if self._gone:
            return
        self._gone = True
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._pg.finish()
        lost = _lost(str(error or "the connection was closed before the answer came"))
        while self._asked:
            asked = self._asked.popleft()
            if not asked.answer.done():
                asked.answer.set_exception(lost)
                asked.answer.exception()  # nobody has to look: those who wait for it are told


def _lost(why: str) -> asyncpg.ConnectionDoesNotExistError:
    return asyncpg.ConnectionDoesNotExistError(why)


def _error_of(result: PGresult) -> Exception:
    """Say it as asyncpg would, so that everybody catches one kind of errors."""
    fields = {key: text.decode() for key, name in _FIELDS.items() if (text := result.error_field(name)) is not None}
    error: Exception = asyncpg.PostgresError.new(fields)
    return error


def _text(value: Any) -> bytes | None:
    """Write a value as PostgreSQL reads it."""
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return b"{%b}" % b",".join(_item(item) for item in value)
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    encoded = text.encode()
    if b"\0" in encoded:
        raise ValueError("PostgreSQL holds no text with U+0000")
    return encoded


def _item(value: Any) -> bytes:
    """Write an element of an array; there are none within others here."""
    if value is None:
        return b"NULL"
    text = b"\\x%b" % value.hex().encode() if isinstance(value, bytes) else _text(value)
    assert text is not None
    return b'"%b"' % text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
