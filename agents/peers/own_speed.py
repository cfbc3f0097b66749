"""How much slower this board is than its profile says: warm, throttled, or loaded by other processes. Deterministic.

One factor for all models: the median ratio of the run times of the last runs to the profile's. A slow robot uses the
factor in its own predictions, and advertises it, so that peers send it only as much work as it can do.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence
from statistics import median

from swarm.core.policy.cost import slowed
from swarm.core.policy.plan import Profile
from swarm.core.units import ns

RUNS = 5                             # the median of this many runs counts, so that two slow runs do not change it
NOTABLE = 2.0                        # changes below this factor are not advertised: peers observe them themselves
HALF_LIFE_NS = ns(10.0)              # without runs, the factor is halved each time this long has passed
MAX_FACTOR = 50.0


class OwnSpeed:
    """`factor`: runs take this many times as long as the board's profile says; at first 1."""

    def __init__(self) -> None:
        self.factor = 1.0
        self._ratios: collections.deque[float] = collections.deque(maxlen=RUNS)
        self._ran_ns = 0

    def observe_run(self, expected_s: float, took_s: float, completed: bool, now: int) -> bool:
        """A run took `took_s`; the board's profile has `expected_s`. Returns whether the factor has changed.

        completed: False if the run was ended early: then its full run time is longer than `took_s`.
        """
        ratio = min(took_s / expected_s, MAX_FACTOR)
        if not completed and ratio < self.factor:
            return False                             # its full run time is unknown
        self._ran_ns = now
        self._ratios.append(ratio)
        seen = median(self._ratios)
        if len(self._ratios) < RUNS or 1 / NOTABLE < seen / self.factor < NOTABLE:
            return False
        if self.factor == 1.0 and seen < 1.0:        # a board faster than its profile is not advertised as such
            return False
        self.factor = seen if seen >= NOTABLE else 1.0
        return True

    def recover(self, now: int) -> bool:
        """Lower the factor when no run came for HALF_LIFE_NS. Returns whether the factor has changed."""
        if self.factor == 1.0 or now - self._ran_ns < HALF_LIFE_NS:
            return False
        self._ratios.clear()
        self._ran_ns = now
        self.factor = self.factor / 2 if self.factor / 2 >= NOTABLE else 1.0
        return True


def scaled(profiles: Sequence[Profile], factor: float) -> list[Profile]:
    """The profiles with all run times multiplied by the factor."""
    if factor == 1.0:
        return list(profiles)
    return [slowed(profile, factor, [factor] * len(profile.stages)) for profile in profiles]
