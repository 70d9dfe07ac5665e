"""
What the log does with entries of some kinds. A table, as the access table is: the kinds are those of the areas above.

Source: 2014/24/EU annex IV (g), infringements must be clearly detectable; SEALING.md, "Tamper-evident log".
"""

from collections.abc import Mapping
from typing import Final

SEALED: Final[frozenset[str]] = frozenset({"auction.awarded"})
"""
Acts that are refused unless witnesses can see them (fail-closed): with ``witnesses_required`` of them.

All other entries go on without (fail-open): they are in the next checkpoint that is cosigned.
"""

COMMITTED: Final[Mapping[str, frozenset[str]]] = {
    "auction.offered": frozenset({"auction.awarded", "auction.failed"}),
}
"""
Entries that stand in the log as salted commitments, and the kinds of entry in the same stream that make them public.

Who made an offer is nobody's business before the award, and a leaf without salt can be guessed from a list of bidders.
"""
