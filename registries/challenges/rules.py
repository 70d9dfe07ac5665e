"""
Challenges: random bytes that the holder of a certificate signs, once, here, now, for this.

What is signed names the purpose, the address that the browser itself sees, the session (or the browser that asked,
before there is a session), the time and what the act is about; so a signature that somebody was tricked into elsewhere,
or an old one, opens nothing. Source: ADR-0042.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from crypto.suites import bound

LIFETIME: Final = timedelta(minutes=2)
NONCE_BYTES: Final = 32
ABOUT_LENGTH_MAX: Final = 200
_PREFIX: Final = "zhecai-auth/v1"


class Purpose(StrEnum):
    """What a signature is asked for."""

    LOGIN = "login"  # 登录
    REGISTER = "register"  # 登记外部证书
    SUBMIT = "submit"  # 提交
    OPEN = "open"  # 开标
    AWARD = "award"  # 定标
    SIGN = "sign"  # 签署


class Refusal(StrEnum):
    """Why a signed challenge is not accepted, in order of precedence."""

    UNKNOWN = "challenge-unknown"
    ELSEWHERE = "challenge-elsewhere"
    OTHER_PURPOSE = "challenge-other-purpose"


TEXTS: Final[dict[Refusal, tuple[str, str]]] = {
    Refusal.UNKNOWN: (
        "验证码已使用或已过期，请重新操作",
        "The challenge was used or has expired; begin again",
    ),
    Refusal.ELSEWHERE: (
        "签名不是在本页面完成的，已拒绝，请在本站页面重新操作",
        "The signature was not made for this site and this browser; begin again on its own page",
    ),
    Refusal.OTHER_PURPOSE: ("签名用途不符，请重新操作", "The signature was made for something else; begin again"),
}


class Challenge(msgspec.Struct, frozen=True):
    """What was handed out; ``site`` is the origin of the pages, ``binding`` stands for session or browser."""

    nonce: bytes
    purpose: Purpose
    site: str
    binding: bytes
    about: str
    issued_at: datetime

    @property
    def expires_at(self) -> datetime:
        return self.issued_at + LIFETIME

    def message(self, algorithm: str) -> bytes:
        """Give the bytes that are signed with ``algorithm``; the browser makes the same from what it sees itself."""
        parts = (
            self.purpose.value,
            self.site,
            self.binding.hex(),
            moment(self.issued_at),
            self.nonce.hex(),
            self.about,
        )
        return bound(_PREFIX, algorithm, *(part.encode() for part in parts))


def moment(at: datetime) -> str:
    """Write a time as it is signed: UTC, to the microsecond, such as ``2026-11-25T01:02:03.000004Z``."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def decide_answer(
    challenge: Challenge | None, *, purpose: Purpose, site: str, binding: bytes, at: datetime
) -> Challenge | Refusal:
    """Decide whether an answer may be looked at; a challenge is over at exactly ``expires_at``."""
    if challenge is None or at >= challenge.expires_at:
        return Refusal.UNKNOWN
    if challenge.site != site or challenge.binding != binding:
        return Refusal.ELSEWHERE
    if challenge.purpose is not purpose:
        return Refusal.OTHER_PURPOSE
    return challenge
