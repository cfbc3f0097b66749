"""Robots with work that stand still, and pairs of them that stand in each other's way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOVED_M = 0.3                        # a robot this far from where it stood has moved
DEADLOCK_S = 5.0                     # two that stand this long, this close to each other, are in a deadlock
CLOSE_M = 1.2                        # between their middles


class Standstill:
    """deadlocks: pairs that stood in one, each counted once while it lasted. longest_s: of one robot with work."""

    def __init__(self, at: NDArray[np.float64]) -> None:
        self.deadlocks, self.longest_s = 0, 0.0
        self._anchors, self._since_s = at.copy(), np.zeros(len(at))
        self._locked: set[tuple[int, int]] = set()           # pairs of robots, ascending

    def watch(self, at: NDArray[np.float64], at_work: NDArray[np.bool_], now_s: float) -> None:
        """Take in the places of all robots, x and y [n, 2], and whether each has something to do that it can do now."""
        moved = ~at_work | (np.hypot(*(at - self._anchors).T) > MOVED_M)
        self._anchors[moved], self._since_s[moved] = at[moved], now_s
        stood_s = now_s - self._since_s
        self.longest_s = max(self.longest_s, float(stood_s.max()))
        stuck = np.flatnonzero(stood_s >= DEADLOCK_S)
        close = np.hypot(*(at[stuck, None] - at[stuck]).transpose(2, 0, 1)) < CLOSE_M
        first, second = np.nonzero(np.triu(close, 1))
        locked = set(zip(stuck[first].tolist(), stuck[second].tolist(), strict=True))
        self.deadlocks += len(locked - self._locked)
        self._locked = locked
