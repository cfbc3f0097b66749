"""How much of something one sender may have: so much at once, and so much per second (a token bucket). Deterministic.

Source: Turner, New directions in communications, IEEE Communications Magazine 24(10), 1986.
"""

from __future__ import annotations

from collections.abc import Callable

from swarm.core.units import seconds


class Allowance:
    """The allowance of one sender, full at first."""

    __slots__ = ("_at_ns", "_burst", "_left", "_per_s")

    def __init__(self, burst: float, per_s: float, now: int) -> None:
        self._burst, self._per_s, self._left, self._at_ns = burst, per_s, burst, now

    def take(self, now: int, count: float = 1.0) -> bool:
        """Take so many. False: too few are left, and none is taken."""
        left = min(self._burst, self._left + self._per_s * seconds(now - self._at_ns))
        self._at_ns = now
        self._left = left - count if left >= count else left
        return left >= count


class Allowances:
    """One allowance for each sender, whose names are few: those of members. kept: False for one that has left."""

    def __init__(self, burst: float, per_s: float, kept: Callable[[str], bool] = lambda name: True) -> None:
        self._burst, self._per_s, self._kept = burst, per_s, kept
        self._of: dict[str, Allowance] = {}

    def take(self, sender: str, now: int, count: float = 1.0) -> bool:
        """Take so many from a sender's allowance. False: too few are left, and none is taken."""
        allowance = self._of.get(sender)
        if allowance is None:
            self._of = {name: known for name, known in self._of.items() if self._kept(name)}
            allowance = self._of[sender] = Allowance(self._burst, self._per_s, now)
        return allowance.take(now, count)
