"""What a bench is asked and what it gives back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from bench.result import Bar

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """How a bench is run; ``None`` is the bench's own figure."""

    rounds: int = 3
    seconds: float = 4.0
    connections: int | None = None
    profile: bool = False


class Measured(NamedTuple):
    """What a bench found."""

    load: dict[str, Any]
    leaves_out: tuple[str, ...]
    rounds: tuple[dict[str, Any], ...]
    checks: dict[str, Any]
    bars: tuple[Bar, ...]

    @property
    def right(self) -> bool:
        """Tell whether the product also did the right thing: what was acknowledged is there, once."""
        return not self.checks.get("failures") and all(
            check["ok"] for check in self.checks.values() if isinstance(check, dict)
        )
