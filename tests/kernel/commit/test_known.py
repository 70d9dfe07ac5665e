"""What a process still knows: what was changed last."""

from uuid import UUID

from kernel.commit.known import KnownStates
from kernel.journal.streams import Versioned
from tests.builders.stock import STOCK

ONE, TWO, THREE = (STOCK.ref(UUID(int=number)) for number in (1, 2, 3))


def test_what_was_changed_the_longest_ago_is_forgotten_first() -> None:
    known = KnownStates(2)
    known.keep({ONE: Versioned(1, "a")})
    known.keep({TWO: Versioned(1, "b")})
    known.keep({ONE: Versioned(2, "c")})
    known.keep({THREE: Versioned(1, "d")})

    assert dict(known) == {ONE: Versioned(2, "c"), THREE: Versioned(1, "d")}


def test_what_is_loaded_for_a_batch_pushes_out_nothing_that_the_batch_needs() -> None:
    known = KnownStates(1)
    known[ONE] = Versioned(1, "a")
    known[TWO] = Versioned(1, "b")

    assert set(known) == {ONE, TWO}
    known.keep({})
    assert set(known) == {TWO}
