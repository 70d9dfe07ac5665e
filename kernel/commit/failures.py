"""Why a batch did not come to be, and what its callers are told of that."""

import asyncpg
import structlog

from kernel.commit.batch import Outcome
from kernel.problems import Conflict, Unavailable

log = structlog.get_logger()


class Clash(Exception):
    """Another process appended to one of the batch's streams first."""


class KeyTaken(Exception):
    """One of the batch's idempotency keys was answered before."""


def failed(error: Exception) -> Outcome:
    """What a command is told that the database would not take: a duplicate is the caller's, all else is our bug."""
    if isinstance(error, asyncpg.UniqueViolationError):
        problem = Conflict(
            "同样的内容已经存在，请检查后再提交。",
            "The same thing exists already; check before submitting again.",
            reason="exists",
            constraint=str(error.constraint_name),
        )
        return Outcome(problem=problem)
    log.error("commit.failed", exc_info=error)
    return Outcome(bug=error)


def unavailable() -> Unavailable:
    """Say that nothing was done, and that it may be asked for again at once."""
    return Unavailable(
        "系统繁忙，本次操作没有执行，请稍后重试。",
        "The service is busy; nothing was done, please try again in a moment.",
        headers={"Retry-After": "1"},
    )
