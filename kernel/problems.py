"""
What a caller may be told when something cannot be done (RFC 9457).

Anything else that is raised is a bug and becomes a plain 500. Every problem says what happened in
Chinese and in English; the edge renders the language that was asked for.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

Scalar = str | int | float | bool | None
Member = Scalar | list[Scalar] | list[dict[str, Scalar]]


class Problem(Exception):
    """
    A refusal that the caller can act on.

    ``detail`` holds the Chinese and the English sentence: what is wrong and what to do about it.
    ``members`` are the extension members of the document, such as ``reason`` or ``available_fen``.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[tuple[str, str]]

    def __init__(self, zh: str, en: str, *, headers: Mapping[str, str] | None = None, **members: Member) -> None:
        super().__init__(en)
        self.detail: Final = (zh, en)
        self.headers: Final[Mapping[str, str]] = headers or {}
        self.members: Final = members


class Unreadable(Problem):
    """The request could not be read at all."""

    code, status, title = "unreadable", 400, ("请求无法读取", "The request cannot be read")


class Unauthenticated(Problem):
    """Nobody is logged in, or the session has ended."""

    code, status, title = "unauthenticated", 401, ("请先登录", "Please log in")


class Forbidden(Problem):
    """The caller's role may not do this to anything."""

    code, status, title = "forbidden", 403, ("没有权限", "Not permitted")


class StepUpNeeded(Problem):
    """
    The act needs a proof that the session has not shown, or not lately; ``level`` says which, ``methods`` how.

    With no methods the account must first get one: ``enrol`` is true. After the proof the same request is sent again.
    """

    code, status, title = "step-up-needed", 403, ("需要进一步验证身份", "Further proof of identity needed")


class NotFound(Problem):
    """Absent, or not the caller's to see."""

    code, status, title = "not-found", 404, ("未找到", "Not found")


class WrongMethod(Problem):
    """The address exists, but not for this HTTP method; ``Allow`` names those that do."""

    code, status, title = "wrong-method", 405, ("不支持的请求方法", "Method not allowed")


class Refused(Problem):
    """A business rule says no; ``reason`` names which."""

    code, status, title = "refused", 409, ("不符合业务规则", "Against a business rule")


class Conflict(Problem):
    """Something like it exists already, or an idempotency key was used for another request."""

    code, status, title = "conflict", 409, ("与已有数据冲突", "In conflict with what exists")


class TooLarge(Problem):
    """The body is over the limit."""

    code, status, title = "too-large", 413, ("内容过大", "Too large")


class Invalid(Problem):
    """A field is missing, of the wrong type or out of range; ``field`` names it."""

    code, status, title = "invalid", 422, ("内容不符合要求", "Invalid content")


class TooMany(Problem):
    """Too often; ``Retry-After`` says when."""

    code, status, title = "too-many", 429, ("操作过于频繁", "Too many requests")


class Unavailable(Problem):
    """The service is full or an engine is away; nothing was done, ``Retry-After`` says when."""

    code, status, title = "unavailable", 503, ("系统繁忙", "Temporarily unavailable")


def storage_full() -> Unavailable:
    """Say that the disk is full: what was asked is right, and works again once somebody has made room."""
    return Unavailable(
        "存储空间已满，本次操作没有执行；请稍后重试，并通知运维人员。",
        "The storage is full; nothing was done. Please try again later, and tell whoever runs the site.",
        headers={"Retry-After": "60"},
        reason="storage-full",
    )


PROBLEMS: Final[tuple[type[Problem], ...]] = (
    Unreadable,
    Unauthenticated,
    Forbidden,
    StepUpNeeded,
    NotFound,
    WrongMethod,
    Refused,
    Conflict,
    TooLarge,
    Invalid,
    TooMany,
    Unavailable,
)
