"""Nanoseconds and seconds: a file of its own, so that policy has units without a clock."""

from __future__ import annotations

NS = 1_000_000_000
NEVER_NS = 1 << 62                   # later than any time


def ns(seconds: float) -> int:
    """Seconds to integer nanoseconds."""
    return round(seconds * NS)


def seconds(nanoseconds: int) -> float:
    """Integer nanoseconds to seconds."""
    return nanoseconds / NS
