"""The planar lidars of a whole fleet in one call. For a single robot, `Scanner` is quicker; both see the same."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from sim_worlds.physics.closeness import Indices, pairs_within, ranges
from sim_worlds.physics.solids import Solid
from sim_worlds.sensors.lidar import footprints
from swarm.core.protocol.sensors import Lidar

CELL_M = 1.0                         # of the grid that says which solids may be in reach
BESIDE_RAD = 1e-6                    # more than the directions of beams are rounded

Reals = NDArray[np.float64]


class FleetScanner:
    """Casts the beams of many lidars at once against static solids and the robots that carry them.

    A grid gives the solids that may be in reach of a place. Of each, only the beams between its two sides are tested.
    """

    def __init__(self, solids: Iterable[Solid], lidar: Lidar) -> None:
        self._lidar = lidar
        beams_rad = lidar.angles_rad().astype(float)
        self._beams = np.stack([np.cos(beams_rad), np.sin(beams_rad)])       # [2, beams], in the robot's frame
        self._boxes, self._rounds = footprints(solids)
        self._near_boxes = _Near(self._boxes, lidar.range_m)
        self._near_rounds = _Near(self._rounds[:, [0, 1, 2, 2]], lidar.range_m)

    def scan(self, at: Reals, radii_m: Reals) -> NDArray[np.float32]:
        """The scans of all robots, float32 [n, beams]; they see each other.

        at: x, y, heading, [n, 3]. radii_m: [n].
        """
        first, second = pairs_within(at[:, :2], self._lidar.range_m + float(radii_m.max(initial=0.0)))
        me, other = np.concatenate([first, second]), np.concatenate([second, first])
        return self._cast(at, me, np.column_stack([at[other, :2], radii_m[other]]))

    def _cast(self, at: Reals, me: Indices, circles: Reals) -> NDArray[np.float32]:
        """Ranges of lidars at these places, [n, 3]. me: the lidar that may see each circle, [k]."""
        ends = np.full((len(at), self._lidar.beams), self._lidar.range_m)
        heading = at[:, 2, None]
        turn = np.stack([np.cos(heading), np.sin(heading)])
        x = turn[0] * self._beams[0] - turn[1] * self._beams[1]
        beams = np.stack([x, turn[1] * self._beams[0] + turn[0] * self._beams[1]])       # [2, n, beams], world frame
        self._boxes_into(ends, at, beams, *self._near_boxes.of(at))
        lidars, rounds = self._near_rounds.of(at)
        circles = np.concatenate([self._rounds[rounds], circles])
        self._circles_into(ends, at, beams, np.concatenate([lidars, me]), circles)
        return ends.astype(np.float32)

    def _boxes_into(self, ends: Reals, at: Reals, beams: Reals, me: Indices, boxes: Indices) -> None:
        """Shorten beams, [n, beams], to the boxes that they hit: the slab method in each box's frame."""
        if not me.size:
            return
        x, y, hx, hy, c, s = self._boxes[boxes].T
        dx, dy = x - at[me, 0], y - at[me, 1]
        ahead, left = c * dx + s * dy, c * dy - s * dx       # the middle of the box, in its frame
        corners = np.arctan2(left + _SIDES[1] * hy, ahead + _SIDES[0] * hx)              # [4, pairs]
        middle = np.arctan2(left, ahead)
        beside = corners - middle
        beside -= 2 * math.pi * np.rint(beside / (2 * math.pi))
        low, high = beside.min(axis=0), beside.max(axis=0)
        inside = (np.abs(ahead) <= hx) & (np.abs(left) <= hy)
        low[inside], high[inside] = -math.pi, math.pi
        pair, beam = self._between(middle + np.arctan2(s, c) - at[me, 2], low, high)
        lidar = me[pair]
        ux, uy = beams[:, lidar, beam]
        c, s = c[pair], s[pair]
        u = np.stack([c * ux + s * uy, c * uy - s * ux])
        u[u == 0.0] = 1e-12                                  # parallel to a slab
        centre, wide = np.stack([ahead, left])[:, pair] / u, np.stack([hx, hy])[:, pair] / np.abs(u)
        near, far = centre - wide, centre + wide
        start, end = np.maximum(np.maximum(near[0], near[1]), 0.0), np.minimum(far[0], far[1])
        self._shorten(ends, lidar, beam, start, start <= end)

    def _circles_into(self, ends: Reals, at: Reals, beams: Reals, me: Indices, circles: Reals) -> None:
        """Shorten beams, [n, beams], to the circles that they hit. circles: x, y, radius, [pairs, 3]."""
        if not me.size:
            return
        dx, dy, radius = circles[:, 0] - at[me, 0], circles[:, 1] - at[me, 1], circles[:, 2]
        away = np.sqrt(dx * dx + dy * dy)
        half = np.where(away > radius, np.arcsin(np.minimum(radius / np.maximum(away, 1e-12), 1.0)), math.pi)
        pair, beam = self._between(np.arctan2(dy, dx) - at[me, 2], -half, half)
        lidar = me[pair]
        ux, uy = beams[:, lidar, beam]
        along = dx[pair] * ux + dy[pair] * uy
        root = along * along - (away * away - radius * radius)[pair]
        deep = np.sqrt(np.maximum(root, 0.0))
        self._shorten(ends, lidar, beam, np.maximum(along - deep, 0.0), (root >= 0.0) & (along + deep >= 0.0))

    def _between(self, middle_rad: Reals, low_rad: Reals, high_rad: Reals) -> tuple[Indices, Indices]:
        """The beams between two directions, given from the middle one: the index of each pair, and the beam."""
        count = self._lidar.beams
        scale = count / (2 * math.pi)
        first = np.ceil((middle_rad + low_rad + math.pi - BESIDE_RAD) * scale).astype(np.intp)
        last = np.floor((middle_rad + high_rad + math.pi + BESIDE_RAD) * scale).astype(np.intp)
        pair, beam = ranges(first, np.minimum(last + 1, first + count))
        return pair, beam % count

    def _shorten(self, ends: Reals, lidar: Indices, beam: Indices, to_m: Reals, hits: NDArray[np.bool_]) -> None:
        np.minimum.at(ends.reshape(-1), lidar[hits] * self._lidar.beams + beam[hits], to_m[hits])


_SIDES = np.array([(1, 1, -1, -1), (1, -1, 1, -1)])[..., None]               # the corners of a box


class _Near:
    """Which of many solids may be in reach of a place: a list for each cell of a grid.

    solids: x, y, half sizes, and cosine and sine of the yaw if there is one, [n, 4 or 6].
    """

    def __init__(self, solids: Reals, reach_m: float) -> None:
        hx, hy = solids[:, 2:4].T
        c, s = np.abs(solids[:, 4:].T) if solids.shape[1] > 4 else (np.ones(len(hx)), np.zeros(len(hx)))
        wide = np.stack([c * hx + s * hy, s * hx + c * hy], axis=1) + reach_m
        low, high = solids[:, :2] - wide, solids[:, :2] + wide
        self._from = np.floor(low.min(axis=0, initial=0.0) / CELL_M).astype(np.intp)
        self._cells = np.ceil(high.max(axis=0, initial=0.0) / CELL_M).astype(np.intp) - self._from
        counts = np.zeros(self._cells[::-1], np.intp)
        first = (np.floor(low / CELL_M).astype(np.intp) - self._from).tolist()
        last = (np.floor(high / CELL_M).astype(np.intp) - self._from + 1).tolist()
        windows = [(slice(y0, y1), slice(x0, x1)) for (x0, y0), (x1, y1) in zip(first, last, strict=True)]
        for window in windows:
            counts[window] += 1
        self._ends = np.cumsum(counts).reshape(counts.shape)
        self._starts = free = self._ends - counts
        free = free.copy()
        self._solids = np.zeros(int(counts.sum()), np.intp)
        for k, window in enumerate(windows):
            self._solids[free[window]] = k
            free[window] += 1

    def of(self, at: Reals) -> tuple[Indices, Indices]:
        """Of places [n, 2 or more]: the index of a place, and the solid, for each pair in reach."""
        x, y = (np.floor(at[:, :2] / CELL_M).astype(np.intp) - self._from).T
        known = np.flatnonzero((x >= 0) & (y >= 0) & (x < self._cells[0]) & (y < self._cells[1]))
        cell = y[known], x[known]
        of, k = ranges(self._starts[cell], self._ends[cell])
        return known[of], self._solids[k]
