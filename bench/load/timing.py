"""Percentiles of what a load process has measured."""

from collections.abc import Sequence
from typing import Any


def summary(latencies_s: Sequence[float], seconds: float) -> dict[str, Any]:
    """Sum up latencies in seconds: rate, median, 99th percentile and worst, in milliseconds."""
    ordered = sorted(latencies_s)
    if not ordered:
        return {"count": 0, "per_s": 0.0, "p50_ms": 0.0, "p99_ms": 0.0, "max_ms": 0.0}
    return {
        "count": len(ordered),
        "per_s": round(len(ordered) / seconds, 1),
        "p50_ms": round(ordered[len(ordered) // 2] * 1e3, 3),
        "p99_ms": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1e3, 3),
        "max_ms": round(ordered[-1] * 1e3, 3),
    }
