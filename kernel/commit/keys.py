"""Idempotency keys: the answer of the first time, kept in the transaction that gave it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from kernel.commit.batch import Outcome, Pending
from kernel.commit.command import Command, Key
from kernel.journal import lines
from kernel.journal.streams import Connection
from kernel.problems import Conflict

KEEP: Final = """
insert into idempotency_keys (owner, key, fingerprint, answer, at)
select k.owner, k.key, decode(k.fingerprint, 'hex'), convert_to(k.answer, 'UTF8'), k.at::timestamptz
from unnest(string_to_array($1, E'\\n'), string_to_array($2, E'\\n'), string_to_array($3, E'\\n'),
            string_to_array(convert_from($4, 'UTF8'), E'\\n'), string_to_array($5, E'\\n'))
    as k(owner, key, fingerprint, answer, at)
on conflict do nothing"""
"""Stores answers under their keys, where these are free. Columns travel as the journal's: no key has a line break."""
KEEP_PARAMETERS: Final = 5

Answer = tuple[Key, bytes, datetime]
"""An answer in bytes, its key, and when it was asked for."""
_FIND: Final = """
select k.owner, k.key, k.fingerprint, k.answer from idempotency_keys k
join unnest($1::text[], $2::text[]) as asked(owner, key) on k.owner = asked.owner and k.key = asked.key
"""
_FORGET: Final = "delete from idempotency_keys where at < $1"

_encode: Final = msgspec.json.Encoder().encode


def answers_of(pending: Sequence[Pending], outcomes: Sequence[Outcome]) -> list[Answer]:
    """List the answers that are to be kept under an idempotency key."""
    return [
        (one.command.key, _encode(outcome.answer), one.command.at)
        for one, outcome in zip(pending, outcomes, strict=True)
        if one.command.key is not None and outcome.problem is None and outcome.bug is None and not outcome.replayed
    ]


async def keep(tx: Connection, answers: Sequence[Answer]) -> bool:
    """Store answers under their keys; ``False`` when one of the keys was answered before."""
    status = await tx.execute(KEEP, *columns(answers))
    return int(status.rsplit(" ", 1)[1]) == len(answers)


def columns(answers: Sequence[Answer]) -> list[str | bytes]:
    """Turn answers into the columns that are sent."""
    return [
        "\n".join([key.owner for key, _, _ in answers]),
        "\n".join([key.key for key, _, _ in answers]),
        "\n".join([key.fingerprint.hex() for key, _, _ in answers]),
        b"\n".join([answer for _, answer, _ in answers]),
        lines.plain([at for _, _, at in answers]),
    ]


async def find(connection: Connection, keys: Sequence[Key]) -> dict[tuple[str, str], tuple[bytes, bytes]]:
    """Read (fingerprint, answer) of those ``keys`` that were answered before, by (owner, key)."""
    rows = await connection.fetch(_FIND, [key.owner for key in keys], [key.key for key in keys])
    return {(row[0], row[1]): (row[2], row[3]) for row in rows}


def replayed(command: Command[Any], key: Key, kept: tuple[bytes, bytes]) -> Outcome:
    """Answer a command again from what was kept: the answer of the first time, or that the key was another's."""
    fingerprint, answer = kept
    if fingerprint != key.fingerprint:
        problem = Conflict(
            "这个幂等键（Idempotency-Key）已用于另一个请求，请换一个新的键再提交。",
            "This Idempotency-Key was used for another request; use a new key.",
            reason="key-reused",
        )
        return Outcome(problem=problem)
    assert command.answer_type is not None, "a command with a key names the type of its answer"
    return Outcome(answer=msgspec.json.decode(answer, type=command.answer_type), replayed=True)


def parted(pending: Sequence[Pending]) -> tuple[list[Pending], list[Pending]]:
    """Part commands from those that repeat the idempotency key of one before them; these come last one first."""
    seen: set[tuple[str, str]] = set()
    first: list[Pending] = []
    repeated: list[Pending] = []
    for one in pending:
        key = one.command.key
        if key is None:
            first.append(one)
        elif (key.owner, key.key) in seen:
            repeated.append(one)
        else:
            seen.add((key.owner, key.key))
            first.append(one)
    return first, repeated


async def answer_replays(connection: Connection, pending: Sequence[Pending], outcomes: list[Outcome]) -> None:
    """Change ``outcomes``: a refused command whose key was answered before is a retry, and gets that answer."""
    asked = [
        one.command.key for one, outcome in zip(pending, outcomes, strict=True) if outcome.problem and one.command.key
    ]
    if not asked:
        return
    found = await find(connection, asked)
    for index, one in enumerate(pending):
        key = one.command.key
        if key and outcomes[index].problem and (key.owner, key.key) in found:
            outcomes[index] = replayed(one.command, key, found[key.owner, key.key])


async def replays(
    connection: Connection, pending: Sequence[Pending]
) -> tuple[list[Pending], list[Outcome], list[Pending]]:
    """Part the commands whose keys were answered before, with those answers, from the others."""
    found = await find(connection, [one.command.key for one in pending if one.command.key])
    done: list[Pending] = []
    outcomes: list[Outcome] = []
    rest: list[Pending] = []
    for one in pending:
        key = one.command.key
        if key and (key.owner, key.key) in found:
            done.append(one)
            outcomes.append(replayed(one.command, key, found[key.owner, key.key]))
        else:
            rest.append(one)
    return done, outcomes, rest


async def forget(connection: Connection, before: datetime) -> None:
    """Delete answers older than a moment: a client does not retry for days."""
    await connection.execute(_FORGET, before)
