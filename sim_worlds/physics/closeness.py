"""Which robots of a fleet may touch each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SLACK_M = 0.8                        # pairs are looked up with so much between their rims
MOVED_M = SLACK_M / 4                # and again once a robot has moved so far: two that do not count are 0.4 m apart
NEAR_M = 0.1                         # robots nearer than this may touch within one update


class Closeness:
    """The pairs of robots that are close. Robots are circles; places are x, y in metres, [n, 2]."""

    def __init__(self, radii_m: NDArray[np.float64]) -> None:
        self._radii_m = radii_m
        self._looked_at = np.full((len(radii_m), 2), np.inf)
        self._first = self._second = np.zeros(0, np.intp)
        self.others: list[list[int]] = []                    # of each robot, ascending: who may touch it

    def near(self, xy: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Bool [n]: the robots that may touch another one within an update. Keeps `others` up to date."""
        if (((xy - self._looked_at) ** 2).sum(axis=1) > MOVED_M ** 2).any():
            self._look_up(xy)
        a, b = self._first, self._second
        apart = np.hypot(*(xy[a] - xy[b]).T)
        touching = apart < self._radii_m[a] + self._radii_m[b] + NEAR_M
        near = np.zeros(len(xy), bool)
        near[a[touching]] = near[b[touching]] = True
        return near

    def _look_up(self, xy: NDArray[np.float64]) -> None:
        self._looked_at = xy.copy()
        a, b = pairs_within(xy, 2 * float(self._radii_m.max()) + SLACK_M)
        self._first, self._second = a, b
        self.others = [[] for _ in xy]
        for i, j in zip(a.tolist(), b.tolist(), strict=True):
            self.others[i].append(j)
            self.others[j].append(i)
        for others in self.others:
            others.sort()


def pairs_within(xy: NDArray[np.float64], reach_m: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The pairs of points [n, 2] at most `reach_m` apart: two arrays of indices. By a sweep along x."""
    order = np.argsort(xy[:, 0], kind="stable")
    x = xy[order, 0]
    counts = np.searchsorted(x, x + reach_m, side="right") - np.arange(1, len(x) + 1)    # of those that follow in reach
    first = np.repeat(np.arange(len(x)), counts)
    second = first + 1 + np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
    first, second = order[first], order[second]
    close = np.hypot(*(xy[first] - xy[second]).T) <= reach_m
    return first[close], second[close]
