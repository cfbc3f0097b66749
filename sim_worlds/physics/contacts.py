"""Contacts of robots in a run: who bumped into something, and how many episodes of contact there were."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

FIXED = -1                           # the other one in a contact with a wall or a thing that has no number of its own
GAP_S = 0.5                          # a shorter pause in a contact does not end its episode


class Contacts:
    """Of a fleet of `count` robots. bumped: bool [count], since the reader cleared it."""

    def __init__(self, count: int) -> None:
        self.episodes = 0
        self.bumped = np.zeros(count, bool)
        self._seen_s = dict[tuple[int, int], float]()        # of the pairs of the last GAP_S

    def add(self, pairs: Iterable[tuple[int, int]], now_s: float) -> None:
        """Record contacts of two: a robot by its index, anything else by a number below 0.

        A contact starts an episode unless the same pair was in contact just before.
        """
        now = {(one, other) if one < other else (other, one) for one, other in pairs}
        self.bumped[[robot for pair in now for robot in pair if robot >= 0]] = True
        self.episodes += sum(now_s - self._seen_s.get(pair, -math.inf) > GAP_S for pair in now)
        self._seen_s = {pair: seen_s for pair, seen_s in self._seen_s.items() if now_s - seen_s <= GAP_S}
        self._seen_s.update(dict.fromkeys(now, now_s))
