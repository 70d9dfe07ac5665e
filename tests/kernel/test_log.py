"""Logs in a process of its own: what is set up once cannot be set up for one test."""

import os
import subprocess
import sys
from uuid import UUID

import msgspec

PROGRAM = """
import structlog
from uuid import UUID
from kernel.log import configure_logging
configure_logging({level!r}, {form!r})
log = structlog.get_logger()
log.info("offer.accepted", auction_id=UUID(int=7), best_fen=5)
try:
    password = "hunter" + "2"
    raise RuntimeError("采购")
except RuntimeError:
    log.exception("request.failed")
"""


def logged(level: str, form: str) -> str:
    program = PROGRAM.format(level=level, form=form)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stderr


def test_for_machines_each_event_is_one_json_line_with_its_fields() -> None:
    first, second = map(msgspec.json.decode, logged("info", "auto").splitlines())

    assert (first["event"], first["level"], first["auction_id"], first["best_fen"]) == (
        "offer.accepted",
        "info",
        str(UUID(int=7)),
        5,
    )
    assert first["timestamp"].endswith("Z")
    assert "RuntimeError: 采购" in second["exception"]


def test_below_the_level_nothing_is_said() -> None:
    assert "offer.accepted" not in logged("error", "json")


def test_no_form_of_the_log_shows_what_a_failed_function_had_in_its_variables() -> None:
    for form in ("json", "console"):
        said = logged("info", form)
        assert "request.failed" in said
        assert "hunter2" not in said


def test_a_log_that_nobody_can_take_stops_nothing() -> None:
    program = PROGRAM.format(level="info", form="json") + "print('went on')"
    reading, writing = os.pipe()
    os.close(reading)  # as when the program behind the pipe has died
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=writing, check=False)
    os.close(writing)

    assert done.stdout == b"went on\n"
