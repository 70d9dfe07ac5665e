"""Logs are events with fields: JSON lines for machines, colours for a terminal. One line a request."""

import contextlib
import logging
import sys
from typing import Any, Final

import msgspec
import structlog

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class _Stderr:
    """Standard error as it is now. What it cannot take is lost: a log that nobody reads must not stop the service."""

    def write(self, said: str | bytes) -> None:
        with contextlib.suppress(OSError, ValueError):
            if isinstance(said, bytes):
                sys.stderr.buffer.write(said)
            else:
                sys.stderr.write(said)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


_STDERR: Final[Any] = _Stderr()


def configure_logging(level: str, form: str) -> None:
    """
    Set up structlog for this process.

    ``level`` is debug, info, warning or error; ``form`` is json, console, or auto (console on a terminal).
    """
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    factory: Any
    if console:
        processors.append(structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback))  # no locals
        factory = structlog.WriteLoggerFactory(file=_STDERR)
    else:
        processors += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_dumps)]
        factory = structlog.BytesLoggerFactory(file=_STDERR)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)


def _dumps(event: Any, **_: Any) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)
