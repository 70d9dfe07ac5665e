from datetime import timedelta
from typing import Any

import msgspec
import pytest

from registries.challenges.rules import LIFETIME, TEXTS, Challenge, Purpose, Refusal, decide_answer, moment
from tests.builders.registries import AT

CHALLENGE = Challenge(bytes(range(32)), Purpose.LOGIN, "https://zc.example.cn", b"b" * 32, "", AT)
RIGHT: dict[str, Any] = {"purpose": Purpose.LOGIN, "site": "https://zc.example.cn", "binding": b"b" * 32, "at": AT}


def test_a_challenge_is_answered_where_and_for_what_it_was_made() -> None:
    assert decide_answer(CHALLENGE, **RIGHT) == CHALLENGE


def test_a_challenge_ends_at_exactly_two_minutes() -> None:
    microsecond = timedelta(microseconds=1)
    assert decide_answer(CHALLENGE, **RIGHT | {"at": AT + LIFETIME - microsecond}) == CHALLENGE
    assert decide_answer(CHALLENGE, **RIGHT | {"at": AT + LIFETIME}) is Refusal.UNKNOWN
    assert decide_answer(None, **RIGHT) is Refusal.UNKNOWN


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"site": "https://zc.example.com"}, Refusal.ELSEWHERE),
        ({"binding": b"c" * 32}, Refusal.ELSEWHERE),
        ({"purpose": Purpose.SIGN}, Refusal.OTHER_PURPOSE),
    ],
)
def test_elsewhere_and_for_something_else_it_is_of_no_use(changes: dict[str, Any], refusal: Refusal) -> None:
    assert decide_answer(CHALLENGE, **RIGHT | changes) is refusal


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": bytes(32)},
        {"purpose": Purpose.SIGN},
        {"site": "https://zc.example.com"},
        {"binding": b"c" * 32},
        {"about": "x"},
        {"issued_at": AT + timedelta(microseconds=1)},
    ],
)
def test_each_part_is_signed(changes: dict[str, Any]) -> None:
    changed = msgspec.structs.replace(CHALLENGE, **changes)
    assert changed.message("sm2-sm3") != CHALLENGE.message("sm2-sm3")
    assert CHALLENGE.message("sm2-sm3") != CHALLENGE.message("ecdsa-p256-sha256")


def test_the_message_is_what_the_browser_makes() -> None:
    """The same figures stand in ``portal/ui/tests/signing.test.ts``."""
    small = Challenge(b"\1", Purpose.LOGIN, "https://a", b"\2", "", AT)

    assert moment(AT) == "2026-11-23T01:00:00.000000Z"
    assert small.message("ecdsa-p256-sha256").hex() == (
        "7a68656361692d617574682f763100001165636473612d703235362d736861323536"
        "000000056c6f67696e0000000968747470733a2f2f61000000023032"
        "0000001b323032362d31312d32335430313a30303a30302e3030303030305a0000000230310000"
        "0000"
    )


def test_every_refusal_has_words() -> None:
    assert set(TEXTS) == set(Refusal)
