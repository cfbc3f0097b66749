"""Contacts of robots in a run: who bumped into something, and how many episodes of contact there were."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FIXED = -1                           # the other one in a contact with a wall or a thing that has no number of its own
GAP_S = 0.5                          # a shorter pause in a contact does not end its episode
_BITS, _SHIFT = 31, 1 << 30          # two numbers of robots or things, from -2**30 on, in one

Indices = NDArray[np.intp]


class Contacts:
    """Of a fleet of `count` robots. bumped: bool [count], since the reader cleared it."""

    def __init__(self, count: int) -> None:
        self.episodes = 0
        self.bumped = np.zeros(count, bool)
        self._pairs, self._seen_s = np.zeros(0, np.int64), np.zeros(0)      # of the last GAP_S

    def add(self, robots: Indices, others: Indices, now_s: float) -> None:
        """Record contacts of robots with others: a robot by its index, anything else by a number below 0.

        A contact starts an episode unless the same pair was in contact just before.
        """
        self.bumped[robots] = True
        self.bumped[others[others >= 0]] = True
        low, high = np.minimum(robots, others).astype(np.int64), np.maximum(robots, others).astype(np.int64)
        pairs = np.unique(((low + _SHIFT) << _BITS) + (high + _SHIFT))
        recent = now_s - self._seen_s <= GAP_S
        known, seen_s = self._pairs[recent], self._seen_s[recent]
        self.episodes += int((~np.isin(pairs, known)).sum())
        others_known = ~np.isin(known, pairs)
        self._pairs = np.concatenate([known[others_known], pairs])
        self._seen_s = np.concatenate([seen_s[others_known], np.full(len(pairs), now_s)])
