"""Contacts of robots in a run: who bumped into something, and how many episodes of contact there were."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

FIXED = -1                           # the other one in a contact with a wall or a thing that has no number of its own
GAP_S = 0.5                          # a shorter pause in a contact does not end its episode


class Contacts:
    """Of a fleet of `count` robots. bumped: bool [count], since the reader cleared it. last_s: when last, [count]."""

    def __init__(self, count: int) -> None:
        self.episodes = 0
        self.bumped = np.zeros(count, bool)
        self.last_s = np.full(count, -math.inf)
        self._seen_s = dict[tuple[int, int], float]()        # of the pairs that were in contact lately
        self._forget_s = 0.0                                 # when those that are no longer are looked for next

    def add(self, pairs: Iterable[tuple[int, int]], now_s: float) -> None:
        """Record contacts of two: a robot by its index, anything else by a number below 0.

        A contact starts an episode unless the same pair was in contact just before.
        """
        seen_s, bumped, last_s = self._seen_s, self.bumped, self.last_s
        for one, other in pairs:
            pair = (one, other) if one < other else (other, one)
            if now_s - seen_s.get(pair, -math.inf) > GAP_S:
                self.episodes += 1
            seen_s[pair] = now_s
            for robot in pair:
                if robot >= 0:
                    bumped[robot], last_s[robot] = True, now_s
        if now_s >= self._forget_s:
            self._forget_s = now_s + GAP_S
            self._seen_s = {pair: at_s for pair, at_s in seen_s.items() if now_s - at_s <= GAP_S}
