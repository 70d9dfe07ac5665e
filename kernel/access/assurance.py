"""
How surely a session is its account's: what was shown, and what an act needs.

Source: GB/T 22239-2019 8.1.4.1 (two means of identification, one of them cryptographic); NIST SP 800-63B section 4.
"""

from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from typing import Final


class Assurance(StrEnum):
    """Levels, the weakest first."""

    PASSWORD = "password"  # noqa: S105 - 口令
    SECOND_FACTOR = "second-factor"  # 口令加第二因素，或经用户验证的通行密钥
    CERTIFICATE = "certificate"  # 数字证书

    def reaches(self, needed: "Assurance") -> bool:
        """Tell whether this level is at least ``needed``."""
        return _RANK[self] >= _RANK[needed]


class Method(StrEnum):
    """Ways to prove who one is."""

    PASSWORD = "password"  # noqa: S105 - a way, not a password
    TOTP = "totp"  # 动态口令
    PASSKEY = "passkey"  # 通行密钥
    RECOVERY = "recovery"  # 恢复码
    CERTIFICATE = "certificate"  # 数字证书


_RANK: Final = {level: rank for rank, level in enumerate(Assurance)}
PROVES: Final = {
    Method.PASSWORD: Assurance.PASSWORD,
    Method.TOTP: Assurance.SECOND_FACTOR,
    Method.PASSKEY: Assurance.SECOND_FACTOR,
    Method.RECOVERY: Assurance.SECOND_FACTOR,
    Method.CERTIFICATE: Assurance.CERTIFICATE,
}
"""The level of a session that has shown a password, and then this."""


def strongest(*levels: Assurance) -> Assurance:
    """Return the highest of ``levels``."""
    return max(levels, key=_RANK.__getitem__)


@cache
def weakest(*levels: Assurance) -> Assurance:
    """Return the lowest of ``levels``."""
    return min(levels, key=_RANK.__getitem__)


def has_second_factor(methods: Iterable[Method]) -> bool:
    """Tell whether an account can show more than its password."""
    return any(method is not Method.PASSWORD for method in methods)


def methods_for(needed: Assurance, methods: Iterable[Method]) -> tuple[Method, ...]:
    """Tell with which of an account's methods ``needed`` can be reached; none when it must first get one."""
    return tuple(method for method in methods if PROVES[method].reaches(needed))
