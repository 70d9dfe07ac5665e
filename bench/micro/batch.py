"""What deciding and recording one offer costs a batch, without a database: ``python -m bench.micro.batch``."""

import timeit
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from kernel.commit.batch import Batch
from kernel.commit.command import Command, Decided, Happened, States
from kernel.journal.streams import StreamKind, Versioned

OFFERS = 100
ROUNDS = 200


class Count(msgspec.Struct, frozen=True):
    value: int


class Counted(msgspec.Struct, frozen=True, tag_field="kind", tag="bench.counted"):
    by: int


async def _nothing(*_: object) -> dict[UUID, Versioned[Count]]:
    return {}


def _evolve(state: Count | None, event: Counted, _at: datetime) -> Count:
    return Count((state.value if state else 0) + event.by)


KIND: StreamKind[Count, Counted] = StreamKind("bench", Counted, _evolve, _nothing, _nothing)  # type: ignore[arg-type]
AT = datetime(2026, 1, 1, tzinfo=UTC)


def commands(streams: int) -> list[Command[int]]:
    """Make a batch of commands over so many streams."""

    def command(number: int) -> Command[int]:
        ref = KIND.ref(UUID(int=number % streams))

        def decide(states: States) -> Decided[int]:
            state = states.get(ref)
            return Decided(state.value if state else 0, [Happened(ref, Counted(1))])

        return Command((ref,), decide, "user/x", "127.0.0.1", AT + timedelta(microseconds=number))

    return [command(number) for number in range(OFFERS)]


def main() -> None:
    """Print microseconds a command, over many streams and over one."""
    for streams in (50, 1):
        asked = commands(streams)

        def work(asked: list[Command[int]] = asked) -> None:
            batch = Batch({})
            for one in asked:
                batch.decide(one)
            batch.sorted_entries()
            batch.changes()

        best_s = min(timeit.repeat(work, number=ROUNDS, repeat=5)) / ROUNDS / OFFERS
        print(f"{streams:3} streams: {best_s * 1e6:.2f} µs a command")


if __name__ == "__main__":
    main()
