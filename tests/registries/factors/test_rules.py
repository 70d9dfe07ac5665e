from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

import pytest

from registries.factors.rules import (
    STEP_S,
    TEXTS,
    Refusal,
    code_at,
    is_one_time_code,
    key_uri,
    matching_step,
    recovery_hash,
    recovery_text,
    step_of,
    typed,
)

SEED = b"12345678901234567890"
"""Of RFC 6238, Appendix B."""
HALF_MINUTE = timedelta(seconds=STEP_S)
AT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_the_vectors_of_rfc_6238(seconds: int, code: str) -> None:
    assert code_at(SEED, step_of(datetime.fromtimestamp(seconds, UTC))) == code


@pytest.mark.parametrize(("steps", "good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_phone_may_be_half_a_minute_off(steps: int, good: bool) -> None:  # noqa: FBT001
    code = code_at(SEED, step_of(AT) + steps)
    assert (matching_step(SEED, code, at=AT, last_step=0) == step_of(AT) + steps) is good


def test_a_code_is_used_once_and_none_before_it_afterwards() -> None:
    now = step_of(AT)
    for steps in (-1, 0):
        assert matching_step(SEED, code_at(SEED, now + steps), at=AT, last_step=now) is None
    assert matching_step(SEED, code_at(SEED, now + 1), at=AT, last_step=now) == now + 1


@pytest.mark.parametrize("code", ["", "000000", "12345", "字字字字字字", "\ud7ff×Û"])
def test_another_code_matches_nothing(code: str) -> None:
    assert matching_step(SEED, code, at=AT, last_step=0) is None


def test_a_code_is_typed_with_spaces_or_small_letters() -> None:
    code = recovery_text(bytes(range(10)))
    assert len(code) == 19
    assert recovery_hash(UUID(int=1), code.lower().replace("-", " ")) == recovery_hash(UUID(int=1), code)
    assert recovery_hash(UUID(int=2), code) != recovery_hash(UUID(int=1), code)
    assert typed(" 123 456 ") == "123456"
    assert is_one_time_code("123456")
    assert not is_one_time_code("1234567")
    assert not is_one_time_code("12345A")


def test_an_app_reads_the_seed_from_its_address() -> None:
    parts = urlsplit(key_uri(SEED, "zhang.san"))
    assert (parts.scheme, parts.netloc, unquote(parts.path)) == ("otpauth", "totp", "/浙采:zhang.san")
    assert parse_qs(parts.query) == {
        "secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"],
        "issuer": ["浙采"],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }


def test_every_refusal_has_texts() -> None:
    assert set(TEXTS) == set(Refusal)
