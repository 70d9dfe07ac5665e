"""What a test sees of the log."""

import threading
from contextlib import AbstractContextManager
from typing import Any, Final

from structlog import DropEvent
from structlog.testing import capture_logs
from structlog.typing import EventDict

SERVICE_THREAD: Final = "service"
"""Where the service of the browser's tests runs, beside whatever other tests the same worker has."""


def captured() -> AbstractContextManager[list[EventDict]]:
    """Capture what is logged while it lasts, but not what that service says of its own housekeeping."""
    return capture_logs(processors=[_ours])


def _ours(_logger: Any, _method: str, event: EventDict) -> EventDict:
    if threading.current_thread().name == SERVICE_THREAD:
        raise DropEvent
    return event
