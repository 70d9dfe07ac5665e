"""
One-time codes and recovery codes, decided purely.

Source: RFC 6238 (TOTP: SHA-1, six digits, thirty seconds, which every authenticator app knows), RFC 4226; RFC 6238
section 5.2 for the window and for taking a code once.
"""

import base64
import hashlib
import hmac
import re
from datetime import datetime
from enum import StrEnum
from typing import Final
from urllib.parse import quote
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

SEED_BYTES: Final = 20
DIGITS: Final = 6
STEP_S: Final = 30
WINDOW: Final = 1
"""Steps that a phone's clock may be off, each way."""
RECOVERY_CODES: Final = 10
RECOVERY_BYTES: Final = 10
NAME_LENGTH_MAX: Final = 50
PASSKEYS_MAX: Final = 10
ISSUER: Final = "浙采"

_CODE: Final = re.compile(f"[0-9]{{{DIGITS}}}")
_SEPARATORS: Final = re.compile(r"[\s-]")
_GROUP: Final = 4


class Refusal(StrEnum):
    """Why a step is refused, in order of precedence."""

    EXISTS = "factor-exists"
    UNKNOWN = "factor-unknown"
    CODE_WRONG = "code-wrong"
    PASSKEY_WRONG = "passkey-wrong"
    TOO_MANY = "too-many-passkeys"
    LAST = "last-factor"
    NO_DOMAIN = "no-domain"


TEXTS: Final[dict[Refusal, tuple[str, str]]] = {
    Refusal.EXISTS: (
        "已设置动态口令；如需更换，请先移除。",
        "One-time codes are set up already; remove them first to change the phone.",
    ),
    Refusal.UNKNOWN: ("尚未设置该验证方式。", "This means of proof is not set up."),
    Refusal.CODE_WRONG: (
        "验证码不正确或已使用过，请输入当前显示的新验证码。",
        "The code is not right, or was used already; enter the one that is shown now.",
    ),
    Refusal.PASSKEY_WRONG: (
        "通行密钥验证未通过，请重试；请求须在5分钟内完成。",
        "The passkey was not accepted; try again, within five minutes.",
    ),
    Refusal.TOO_MANY: (
        f"最多可登记{PASSKEYS_MAX}个通行密钥，请先移除不用的。",
        f"An account has at most {PASSKEYS_MAX} passkeys; remove one first.",
    ),
    Refusal.LAST: (
        "这是最后一种第二因素，不能移除；请先设置另一种。",
        "This is the last second factor and cannot be removed; set up another one first.",
    ),
    Refusal.NO_DOMAIN: (
        "通过IP地址访问时不能使用通行密钥，请使用域名（本机可用 localhost）。",
        "Passkeys do not work at an IP address; use the site's name (on this machine: localhost).",
    ),
}


def step_of(at: datetime) -> int:
    """Tell the number of the half minute."""
    return int(at.timestamp()) // STEP_S


def code_at(seed: bytes, step: int) -> str:
    """Compute the code that a phone shows during a step."""
    return HOTP(seed, DIGITS, SHA1()).generate(step).decode()  # noqa: S303 - HMAC-SHA-1, as RFC 6238 and every app


def matching_step(seed: bytes, code: str, *, at: datetime, last_step: int) -> int | None:
    """
    Find the step whose code was entered; ``None`` when it is none that may still be used.

    A step is used once, and none before it afterwards: who looked over the shoulder is too late. Every step of the
    window is compared, in constant time, whichever matches.
    """
    now = step_of(at)
    found = [
        step
        for step in range(now - WINDOW, now + WINDOW + 1)
        if hmac.compare_digest(code_at(seed, step).encode(), code.encode()) and step > last_step
    ]
    return found[0] if found else None


def is_one_time_code(text: str) -> bool:
    """Tell a one-time code from a recovery code by its form."""
    return _CODE.fullmatch(text) is not None


def typed(text: str) -> str:
    """Write a code as it is compared: without spaces and hyphens, in capitals."""
    return _SEPARATORS.sub("", text).upper()


def recovery_text(secret: bytes) -> str:
    """Write a recovery code for people: four groups of four letters and digits."""
    text = base64.b32encode(secret).decode()
    return "-".join(text[place : place + _GROUP] for place in range(0, len(text), _GROUP))


def recovery_hash(user_id: UUID, code: str) -> bytes:
    """Hash a recovery code for storage: 80 random bits need no slow hash."""
    return hashlib.sha256(user_id.bytes + typed(code).encode()).digest()


def seed_text(seed: bytes) -> str:
    """Write a seed for typing into an app."""
    return base64.b32encode(seed).decode()


def key_uri(seed: bytes, login: str) -> str:
    """Write a seed as what a QR code of it holds (Google Authenticator's Key URI Format)."""
    label = quote(f"{ISSUER}:{login}")
    return (
        f"otpauth://totp/{label}?secret={seed_text(seed)}&issuer={quote(ISSUER)}"
        f"&algorithm=SHA1&digits={DIGITS}&period={STEP_S}"
    )
