"""
Limits on direct orders, and what counts towards them.

A limit is a row of dated policy data: a region, a level, a part of the classification, the day from which
it holds, the most that one order may cost and the most that one purchaser may order in a year. Amounts are
counted per purchaser, fiscal year and *group* of the classification: the first ``group_length`` characters
of the code, so that one need cannot be cut into many orders of neighbouring items.

The figures that ship are a sample and marked unverified: what a place really allows is configuration
(``ZHECAI_ORDER_LIMITS`` names a table of its own).

Source: 政府采购法实施条例 第二十八条 (化整为零: several purchases of one item or class within one fiscal year).
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from typing import Final, assert_never
from uuid import UUID, uuid5

import msgspec

from registries.regions.rules import Level, covers, path_of, region_of

_NAMESPACE: Final = UUID("0f0f1d0e-7a3c-5c60-8f53-6f7e4f0a5d21")
"""Fixed for ever: the identifier of a spending stream is derived from its organisation and year."""


KNOWN_MAX: Final = 4096
"""Policies that one table remembers."""


class Limit(msgspec.Struct, frozen=True, gc=False):
    """
    One row of the policy: what holds from ``effective_from`` (a Beijing day) on, in ``region``.

    ``level`` is the level of the purchaser's region that it is for, ``None`` for all. ``category`` is the
    beginning of the codes that it is for, empty for all. ``verified`` tells whether somebody has checked
    the figures against ``source``.
    """

    region: str
    level: Level | None
    category: str
    group_length: int
    effective_from: date
    order_max_fen: int
    year_max_fen: int
    verified: bool
    source: str


class PolicySnapshot(msgspec.Struct, frozen=True, gc=False):
    """What holds for the purchasers of one region on one day: the most particular limit first."""

    region: str
    level: Level
    day: date
    limits: tuple[Limit, ...]


class Spending(msgspec.Struct, frozen=True, gc=False):
    """What one organisation has ordered in one fiscal year, in fen by ``edition/code``."""

    organisation_id: UUID
    year: int
    by_category: dict[str, int]


class Counted(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="spending.counted"):
    """An order was placed: its amounts count."""

    organisation_id: UUID
    year: int
    order_id: UUID
    amounts: dict[str, int]


class Uncounted(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="spending.uncounted"):
    """The order came to nothing: its amounts count no more."""

    order_id: UUID
    amounts: dict[str, int]


Event = Counted | Uncounted


class Refusal(StrEnum):
    """Why a limit says no, in precedence order."""

    NO_POLICY = "no-limits-known"
    ORDER_LIMIT = "order-limit-exceeded"
    YEAR_LIMIT = "year-limit-exceeded"


class Standing(msgspec.Struct, frozen=True, gc=False):
    """
    Where a placement stands against one limit; amounts in fen.

    ``group`` is ``edition/beginning of the code``; ``order_fen`` is what is to be ordered, ``year_fen`` what
    was ordered before in the same year.
    """

    group: str
    order_fen: int
    order_max_fen: int
    year_fen: int
    year_max_fen: int
    effective_from: date
    verified: bool
    source: str


def read_table(text: str) -> tuple[Limit, ...]:
    """
    Read a table of limits: tab-separated, the first line names the columns.

    Raises:
        ValueError: a column is missing, or a value is none of its type.
    """
    head, *lines = text.splitlines()
    names = head.split("\t")
    return tuple(_limit(dict(zip(names, line.split("\t"), strict=True))) for line in lines if line)


def _limit(row: Mapping[str, str]) -> Limit:
    limit = Limit(
        region=row["region"],
        level=Level(row["level"]) if row["level"] else None,
        category=row["category"],
        group_length=int(row["group_length"]),
        effective_from=date.fromisoformat(row["effective_from"]),
        order_max_fen=int(row["order_max_fen"]),
        year_max_fen=int(row["year_max_fen"]),
        verified={"yes": True, "no": False}[row["verified"]],
        source=row["source"],
    )
    if len(limit.category) > limit.group_length:
        raise ValueError(f"a group of {limit.group_length} characters is wider than the category {limit.category!r}")
    return limit


LIMITS: Final = read_table(files(__package__).joinpath("limits.tsv").read_text("utf-8"))
"""The sample policy that ships with the product."""


def policy_on(table: Sequence[Limit], *, day: date, region: str) -> PolicySnapshot | None:
    """
    Resolve the policy for purchasers of ``region`` on a Beijing day; ``None`` when no limit is known.

    Of the rows for one part of the classification the one of the smallest region wins, then one for the
    level over one for all levels, then the latest.
    """
    try:
        level = region_of(region).level
    except ValueError:
        return None
    chosen: dict[str, tuple[tuple[int, bool, date], Limit]] = {}
    for limit in table:
        if limit.effective_from > day or limit.level not in (None, level) or not covers(limit.region, region):
            continue
        rank = (len(path_of(limit.region)), limit.level is not None, limit.effective_from)
        if limit.category not in chosen or rank > chosen[limit.category][0]:
            chosen[limit.category] = (rank, limit)
    limits = sorted((limit for _, limit in chosen.values()), key=lambda limit: -len(limit.category))
    return PolicySnapshot(region, level, day, tuple(limits)) if limits else None


class LimitTable:
    """
    A table of limits, and the policies that were resolved from it.

    Resolving is pure, so what was resolved once is remembered: orders are many, regions and days few.
    """

    def __init__(self, limits: Sequence[Limit]) -> None:
        self.limits: Final = tuple(limits)
        self._known: dict[tuple[date, str], PolicySnapshot | None] = {}

    def on(self, day: date, region: str) -> PolicySnapshot | None:
        """Resolve the policy for purchasers of ``region`` on a Beijing day (see :func:`policy_on`)."""
        key = (day, region)
        if key not in self._known:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            self._known[key] = policy_on(self.limits, day=day, region=region)
        return self._known[key]


def limit_for(policy: PolicySnapshot, category_code: str) -> Limit | None:
    """Find the limit of a code: the one whose category is the longest beginning of it."""
    return next((limit for limit in policy.limits if category_code.startswith(limit.category)), None)


@lru_cache(maxsize=4096)
def spending_id(organisation_id: UUID, year: int) -> UUID:
    """Derive the identifier of an organisation's spending stream of one year."""
    return uuid5(_NAMESPACE, f"{organisation_id}/{year}")


def category_key(edition: str, code: str) -> str:
    """Write a category of one edition as spending counts it."""
    return f"{edition}/{code}"


def standings(
    policy: PolicySnapshot | None, spending: Spending | None, amounts: Mapping[str, int]
) -> tuple[Standing, ...] | Refusal:
    """
    Set a placement (fen by :func:`category_key`) against the limits, one standing a group.

    All orders of one placement count as one: that the platform splits a cart by supplier loosens nothing.
    """
    if policy is None:
        return Refusal.NO_POLICY
    groups: dict[str, tuple[Limit, int]] = {}
    for key, amount in amounts.items():
        edition, code = key.split("/")
        limit = limit_for(policy, code)
        if limit is None:
            return Refusal.NO_POLICY
        group = f"{edition}/{code[: limit.group_length]}"
        groups[group] = (limit, groups[group][1] + amount if group in groups else amount)
    spent = spending.by_category if spending else {}
    return tuple(
        Standing(
            group=group,
            order_fen=amount,
            order_max_fen=limit.order_max_fen,
            year_fen=sum([fen for key, fen in spent.items() if key.startswith(group)]),
            year_max_fen=limit.year_max_fen,
            effective_from=limit.effective_from,
            verified=limit.verified,
            source=limit.source,
        )
        for group, (limit, amount) in groups.items()
    )


def refusal_of(standing: Standing) -> Refusal | None:
    """Tell which limit a standing breaks, if any: exactly the limit is within it (``以内`` includes the number)."""
    if standing.order_fen > standing.order_max_fen:
        return Refusal.ORDER_LIMIT
    if standing.year_fen + standing.order_fen > standing.year_max_fen:
        return Refusal.YEAR_LIMIT
    return None


def evolve(spending: Spending | None, event: Event, at: datetime) -> Spending:  # noqa: ARG001 - sums do not depend on time
    """Apply what was decided."""
    match event:
        case Counted():
            sums = spending.by_category.copy() if spending else {}
            for key, amount in event.amounts.items():
                sums[key] = sums.get(key, 0) + amount
            return Spending(event.organisation_id, event.year, sums)
        case Uncounted():
            assert spending is not None
            sums = spending.by_category.copy()
            for key, amount in event.amounts.items():
                sums[key] -= amount
            return Spending(spending.organisation_id, spending.year, sums)
        case _:
            assert_never(event)
