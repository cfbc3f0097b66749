"""Which robots of a fleet may touch each other, by a grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SLACK_M = 0.8                        # pairs are looked up with so much between their rims
MOVED_M = SLACK_M / 4                # and again once a robot has moved so far: two that do not count are 0.4 m apart

Indices = NDArray[np.intp]


class Closeness:
    """The pairs of robots that are close. Robots are circles; places are x, y in metres, [n, 2]."""

    def __init__(self, radii_m: NDArray[np.float64]) -> None:
        self._radii_m = radii_m
        self._looked_at = np.full((len(radii_m), 2), np.inf)
        self._first = self._second = np.zeros(0, np.intp)

    def within(self, xy: NDArray[np.float64], margins_m: NDArray[np.float64]) -> tuple[Indices, Indices]:
        """The pairs of robots whose rims are at most the sum of their margins apart: two arrays of indices.

        margins_m: of each robot, [n]; two together are below 0.4 m.
        """
        if (((xy - self._looked_at) ** 2).sum(axis=1) > MOVED_M ** 2).any():
            self._looked_at = xy.copy()
            self._first, self._second = pairs_within(xy, 2 * float(self._radii_m.max()) + SLACK_M)
        a, b, wide_m = self._first, self._second, self._radii_m + margins_m
        close = np.hypot(*(xy[a] - xy[b]).T) <= wide_m[a] + wide_m[b]
        return a[close], b[close]


def pairs_within(xy: NDArray[np.float64], reach_m: float) -> tuple[Indices, Indices]:
    """The pairs of points [n, 2] at most `reach_m` apart: two arrays of indices.

    Points are sorted into cells of that size, row by row. So the candidates of a point are two ranges: those that
    follow in its own cell and the next one, and the three cells above.
    """
    cells = np.floor(xy / reach_m).astype(np.int64)
    cells -= cells.min(axis=0, initial=0)
    width = int(cells[:, 0].max(initial=0)) + 2              # an empty column: rows do not touch
    keys = cells[:, 1] * width + cells[:, 0]
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    beside = ranges(np.arange(1, len(keys) + 1), np.searchsorted(keys, keys + 1, side="right"))
    above = ranges(np.searchsorted(keys, keys + width - 1), np.searchsorted(keys, keys + width + 1, side="right"))
    first, second = (order[np.concatenate(both)] for both in zip(beside, above, strict=True))
    close = np.hypot(*(xy[first] - xy[second]).T) <= reach_m
    return first[close], second[close]


def ranges(starts: Indices, ends: Indices) -> tuple[Indices, Indices]:
    """All numbers of many ranges, one range after the other: the index of each number's range, and the number."""
    counts = ends - starts
    of = np.repeat(np.arange(len(counts)), counts)
    return of, np.arange(len(of)) + np.repeat(starts - (np.cumsum(counts) - counts), counts)
