"""
The administrative regions of Zhejiang and what covers what.

A code has six digits: two for the province, two for the city, two for the county. A code that was
abolished stays readable and stands for its successor, so that an old file is never orphaned. The
``本级`` pseudo codes that some budget systems use (``339900``) are not in GB/T 2260 and not here.

Source: GB/T 2260; ``regions.tsv`` as published by the Ministry of Civil Affairs.
"""

from collections.abc import Iterable
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

import msgspec


class Level(StrEnum):
    """How much a region spans."""

    PROVINCE = "province"  # 省
    CITY = "city"  # 设区市
    COUNTY = "county"  # 县（市、区）


class Status(StrEnum):
    """Whether a code is in use."""

    CURRENT = "current"
    ABOLISHED = "abolished"


class Region(msgspec.Struct, frozen=True):
    """
    One code.

    ``parent`` is empty for the province. ``end_year`` and ``successor`` are set for an abolished code.
    """

    code: str
    name: str
    level: Level
    parent: str
    status: Status
    end_year: int | None
    successor: str


class UnknownRegionError(ValueError):
    """No such code, now or before."""


def read_table(text: str) -> dict[str, Region]:
    """Read the table that ships with the product; its first line names the columns."""
    head, *lines = text.splitlines()
    names = head.split("\t")
    rows = [dict(zip(names, line.split("\t"), strict=True)) for line in lines]
    regions = [
        Region(
            code=row["code"],
            name=row["name"],
            level=Level(row["level"]),
            parent=row["parent"],
            status=Status(row["status"]),
            end_year=int(row["end_year"]) if row["end_year"] else None,
            successor=row["successor"],
        )
        for row in rows
    ]
    return {region.code: region for region in regions}


# Reference data that ships inside the package is a constant of the program, read once like its code.
REGIONS: Final = read_table(files(__package__).joinpath("regions.tsv").read_text("utf-8"))


def region_of(code: str) -> Region:
    """
    Look a code up, abolished ones included.

    Raises:
        UnknownRegionError: there is and was no such code.
    """
    try:
        return REGIONS[code]
    except KeyError:
        raise UnknownRegionError(f"no such region: {code!r}") from None


@cache
def successor_of(code: str) -> str:
    """
    Return the code in use today: the code itself, or the one that took its place.

    Raises:
        UnknownRegionError: there is and was no such code.
    """
    region = region_of(code)
    return region.code if region.status is Status.CURRENT else successor_of(region.successor)


@cache
def path_of(code: str) -> tuple[str, ...]:
    """
    List the region and what it lies in, the province first: ``330000, 330100, 330102``.

    An abolished code has the path of its successor.

    Raises:
        UnknownRegionError: there is and was no such code.
    """
    region = region_of(successor_of(code))
    return (*path_of(region.parent), region.code) if region.parent else (region.code,)


@lru_cache(maxsize=100_000)
def covers(scope: str, code: str) -> bool:
    """
    Tell whether ``code`` lies in ``scope`` or is it: province covers city covers county.

    Either may be abolished. An unknown or empty code is covered by nothing and covers nothing.
    """
    return scope in REGIONS and code in REGIONS and successor_of(scope) in path_of(code)


def covered_by_any(scopes: Iterable[str], code: str) -> bool:
    """Tell whether one of ``scopes`` covers ``code``."""
    return any(covers(scope, code) for scope in scopes)


def prefix_of(code: str) -> str:
    """
    Return the digits that every code within shares: ``33``, ``3301`` or ``330102``.

    For ``LIKE prefix || '%'`` on columns that hold current codes.

    Raises:
        UnknownRegionError: there is and was no such code.
    """
    region = region_of(successor_of(code))
    return region.code[: {Level.PROVINCE: 2, Level.CITY: 4, Level.COUNTY: 6}[region.level]]


def full_name(code: str) -> str:
    """
    Write the name with what it lies in: ``浙江省杭州市上城区``. An abolished code keeps its own name.

    Raises:
        UnknownRegionError: there is and was no such code.
    """
    region = region_of(code)
    return (full_name(region.parent) if region.parent else "") + region.name
