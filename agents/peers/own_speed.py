"""How much slower this board is than its profile says: warm, throttled, or busy with what is not ours. Deterministic.

One factor for all models, the median of what the last runs took against what they should have. A slow robot says so in
its advert, so that it is given work for what it can do, and reckons with it itself.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence
from statistics import median

from swarm.core.policy.cost import slowed
from swarm.core.policy.plan import Profile
from swarm.core.units import ns

RUNS = 5                             # of which the median counts: one hiccup is none, three slow runs in five are slow
NOTABLE = 2.0                        # a change by this factor is worth telling: smaller ones, peers see for themselves
HALF_NS = ns(10.0)                   # without a run for so long, half of the slowness is forgotten
MOST = 50.0


class OwnSpeed:
    """Told of runs, it gives the factor that holds; at first 1."""

    def __init__(self) -> None:
        self.factor = 1.0
        self._seen: collections.deque[float] = collections.deque(maxlen=RUNS)
        self._ran_ns = 0

    def ran(self, expected_s: float, took_s: float, ended: bool, now: int) -> bool:
        """A run took so long, where the board's profile has another time; one that was cut short took longer.

        Returns whether the factor has changed.
        """
        ratio = min(took_s / expected_s, MOST)
        if not ended and ratio < self.factor:
            return False                             # who knows how long it would have taken
        self._ran_ns = now
        self._seen.append(ratio)
        seen = median(self._seen)
        if len(self._seen) < RUNS or 1 / NOTABLE < seen / self.factor < NOTABLE:
            return False
        if self.factor == 1.0 and seen < 1.0:        # quicker than it says: so much the better
            return False
        self.factor = seen if seen >= NOTABLE else 1.0
        return True

    def rest(self, now: int) -> bool:
        """Time passes. Returns whether the factor has changed."""
        if self.factor == 1.0 or now - self._ran_ns < HALF_NS:
            return False
        self._seen.clear()
        self._ran_ns = now
        self.factor = self.factor / 2 if self.factor / 2 >= NOTABLE else 1.0
        return True


def scaled(profiles: Sequence[Profile], factor: float) -> list[Profile]:
    """The board's profiles where all takes so many times as long."""
    if factor == 1.0:
        return list(profiles)
    return [slowed(profile, factor, [factor] * len(profile.stages)) for profile in profiles]
