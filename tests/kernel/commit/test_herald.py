"""Telling: in parts, in order, everybody once."""

import asyncio
from collections.abc import Sequence
from typing import Any, Never

import pytest

from kernel.commit.batch import Outcome, Pending
from kernel.commit.command import Command, Decided
from kernel.commit.herald import PART, Herald
from kernel.journal.streams import Recorded
from tests.builders.stock import ID, NOON, STOCK, Filled

RECORDED = {STOCK.ref(ID): [Recorded(1, NOON, Filled(1))]}
COMMAND: Command[None] = Command((), lambda _: Decided(None), "user/1", "192.0.2.1", NOON)


class Audience:
    """Callers and listeners that note what they are told, in order."""

    def __init__(self) -> None:
        self.herald = Herald("test")
        self.heard: list[Any] = []
        self.herald.listeners.append(self.heard.extend)

    def batch(self, answers: Sequence[Any]) -> tuple[list[Pending], list[Outcome]]:
        pending = [Pending(COMMAND, lambda outcome: self.heard.append(outcome.answer), 0.0) for _ in answers]
        return pending, [Outcome(answer) for answer in answers]


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_nobody_is_told_before_the_next_turn_of_the_loop() -> None:
    audience = Audience()

    audience.herald.announce(*audience.batch([1]), {})

    assert audience.heard == []
    await turns(1)
    assert audience.heard == [1]


async def test_a_batch_is_told_in_parts_with_a_turn_for_others_between_them() -> None:
    audience = Audience()
    audience.herald.announce(*audience.batch(range(2 * PART + 1)), RECORDED)

    heard = []
    for _ in range(3):
        await turns(1)
        heard.append(len(audience.heard))

    assert heard == [PART, 2 * PART, 2 * PART + 2]


async def test_batches_are_told_in_the_order_of_their_commits_and_listeners_after_the_callers() -> None:
    audience = Audience()
    audience.herald.announce(*audience.batch(range(PART + 1)), RECORDED)
    audience.herald.announce(*audience.batch(["next"]), RECORDED)

    await turns(4)

    assert audience.heard == [*range(PART + 1), STOCK.ref(ID), "next", STOCK.ref(ID)]


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1])
async def test_whatever_its_size_a_batch_is_told_whole_and_once(size: int) -> None:
    audience = Audience()
    audience.herald.announce(*audience.batch(range(size)), RECORDED)

    await turns(5)

    assert audience.heard == [*range(size), STOCK.ref(ID)]


async def test_whoever_closes_has_told_everything() -> None:
    audience = Audience()
    audience.herald.announce(*audience.batch(range(3 * PART)), RECORDED)

    audience.herald.finish()
    await turns(5)

    assert audience.heard == [*range(3 * PART), STOCK.ref(ID)]


async def test_a_caller_or_a_listener_that_stumbles_keeps_nothing_from_the_others() -> None:
    audience = Audience()
    pending, outcomes = audience.batch(["a", "b", "c"])

    def stumble(_: Any) -> Never:
        raise ZeroDivisionError

    pending[1].done = stumble
    audience.herald.listeners.insert(0, stumble)
    audience.herald.announce(pending, outcomes, RECORDED)
    await turns(2)

    assert audience.heard == ["a", "c", STOCK.ref(ID)]
