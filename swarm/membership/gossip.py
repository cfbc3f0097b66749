"""Limits the gossip that a member sends: a token bucket for news of silence, and one for news of return.

A member that suspects everybody is probably slow itself, so its gossip is bounded. It has a file of its own, because
neither the rules of suspicion nor the ring depend on it.
"""

from __future__ import annotations

from swarm.core.units import seconds

BURST_PER_MEMBER = 2
REFILL_PER_S = 0.5                   # in total


class GossipBudget:
    """The token buckets of one member."""

    def __init__(self) -> None:
        self._used: dict[bool, tuple[float, int]] = {True: (0.0, 0), False: (0.0, 0)}    # silent -> tokens used, when

    def take(self, silent: bool, members: int, now: int) -> bool:
        """Take a token. Returns whether gossip may be sent now. members: their number."""
        used, since_ns = self._used[silent]
        used = max(0.0, used - REFILL_PER_S * seconds(now - since_ns))
        if used + 1.0 > BURST_PER_MEMBER * members:
            return False
        self._used[silent] = used + 1.0, now
        return True
