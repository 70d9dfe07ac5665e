"""Databases of a test server that are there for a while, each under a name of its own."""

import itertools
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg

_numbers = itertools.count(1)


class Databases:
    """What ``url_of`` a name leads to: one server of tests, on which several processes may work at once."""

    def __init__(self, url_of: Callable[[str], str], template: str | None = None) -> None:
        self._url_of = url_of
        self._template = template

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[str]:
        """A copy of the template (empty without one), dropped afterwards with whoever is still connected; its URL."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        admin = await asyncpg.connect(self._url_of("postgres"))
        try:
            await admin.execute(f"create database {name} template {self._template or 'template1'}")
            yield self._url_of(name)
        finally:
            await admin.execute(f"drop database if exists {name} with (force)")
            await admin.close()
