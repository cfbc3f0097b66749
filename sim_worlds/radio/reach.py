"""Which of many places hear each other: those at most a distance apart, with hysteresis."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim_worlds.physics.closeness import pairs_within

BACK_AT = 0.95
"""A pair that has lost each other hears each other again at this share of the reach: at the border it does not flap."""


class Reach:
    """The pairs of places in reach of each other; both of a pair hear each other, or neither does.

    count: how many places. reach_m: above 0. All pairs are in reach until the first update.
    """

    def __init__(self, count: int, reach_m: float) -> None:
        self._count, self._reach_m = count, reach_m
        self._pairs: NDArray[np.intp] | None = None          # codes of the pairs in reach, ascending
        self._heard: tuple[NDArray[np.intp], NDArray[np.intp]] | None = None     # see `_heard_by_all`

    def update(self, xy: NDArray[np.float64]) -> NDArray[np.intp]:
        """Take in where all places are. Returns the indices of those that hear others than before, ascending.

        xy: metres, [count, 2]. The first update returns all, and takes each pair within the whole reach.
        """
        a, b = pairs_within(xy, self._reach_m)
        codes = np.minimum(a, b) * self._count + np.maximum(a, b)
        before, self._heard = self._pairs, None
        if before is None:
            self._pairs = np.sort(codes)
            return np.arange(self._count)
        near = np.hypot(*(xy[a] - xy[b]).T) <= BACK_AT * self._reach_m
        self._pairs = np.sort(codes[near | np.isin(codes, before)])
        return np.unique(np.divmod(np.setxor1d(self._pairs, before), self._count))

    def heard_by(self, index: int) -> list[int]:
        """Indices of the places that this one hears, ascending, without itself."""
        if self._pairs is None:
            return [i for i in range(self._count) if i != index]
        if self._heard is None:
            self._heard = self._heard_by_all(self._pairs)
        others, begin = self._heard
        return others[begin[index]:begin[index + 1]].tolist()

    def _heard_by_all(self, pairs: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Whom each place hears, one place after the other, and where each begins, [count + 1]: sorted once for all."""
        low, high = np.divmod(pairs, self._count)
        me, others = np.divmod(np.sort(np.concatenate([pairs, high * self._count + low])), self._count)
        return others, np.searchsorted(me, np.arange(self._count + 1))

    @property
    def share_apart(self) -> float:
        """Share of all pairs that are out of reach of each other; 0 where there is no pair."""
        pairs = self._count * (self._count - 1) // 2
        return 0.0 if self._pairs is None or not pairs else 1.0 - len(self._pairs) / pairs
