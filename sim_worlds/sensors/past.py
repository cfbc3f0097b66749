"""Where the robots of a fleet were some steps ago: what sensors with a latency read."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from sim_worlds.physics.motion import Motion

Reals = NDArray[np.float64]


class Past:
    """The places and speeds of a fleet in the last `longest_s`. Before its start a fleet stood where it started."""

    def __init__(self, motion: Motion, longest_s: float) -> None:
        self._motion = motion
        self._states = deque[tuple[Reals, Reals]](maxlen=steps_of(longest_s, motion.dt_s) + 1)
        self.keep()

    def keep(self) -> None:
        """Remember the present; call it after each step."""
        if self._states.maxlen != 1:
            self._states.append((self._motion.places.copy(), self._motion.speeds.copy()))

    def ago(self, latency_s: float) -> tuple[Reals, Reals]:
        """Places and speeds as in `Motion`, at most `longest_s` ago."""
        steps = steps_of(latency_s, self._motion.dt_s)
        if not steps:
            return self._motion.places, self._motion.speeds
        return self._states[max(0, len(self._states) - 1 - steps)]


def steps_of(latency_s: float, dt_s: float) -> int:
    """The steps that are nearest to a latency."""
    return round(latency_s / dt_s)
