"""The states that a process still knows: those that its batches changed or loaded last."""

from collections import OrderedDict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from kernel.commit.batch import Ref
from kernel.journal.streams import Versioned


class KnownStates(OrderedDict[Ref, Versioned[Any]]):
    """
    States by stream; beyond ``count_max`` the one is forgotten that was changed or loaded the longest ago.

    A plain dictionary finds its first entry by walking over all that were deleted before it: with 50,000 states the
    walk is long.
    """

    def __init__(self, count_max: int) -> None:
        super().__init__()
        self._count_max: Final = count_max

    def keep(self, states: Mapping[Ref, Versioned[Any]], new: AbstractSet[Ref] = frozenset()) -> None:
        """
        Remember states as a batch left them, and forget what is too much; what is set otherwise does not forget.

        Those of ``new`` streams are left out: an order that was just placed is next touched in minutes, by another
        process as likely as by this one, and a thousand of them would only make room for each other.
        """
        for ref, versioned in states.items():
            if ref in new:
                continue
            self[ref] = versioned
            self.move_to_end(ref)
        while len(self) > self._count_max:
            self.popitem(last=False)
