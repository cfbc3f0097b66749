"""The planar lidar and the coverage of the floor by its scans, in NumPy.

The lidar sees the footprint of everything that blocks a robot, at any height: also the legs of a casualty.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from sim_worlds.occupancy import BLOCKS_BELOW_M, Grid
from sim_worlds.physics.solids import Solid
from sim_worlds.sensors.suite import LIDAR
from swarm.core.protocol.world import Lidar, Pose

NO_CIRCLES = np.zeros((0, 3))
Distances = Callable[..., NDArray[np.float64]]


class Scanner:
    """Casts scans against static solids and moving circles."""

    def __init__(self, solids: Iterable[Solid], lidar: Lidar = LIDAR) -> None:
        low = [s for s in solids if s.z_m - s.hz_m < BLOCKS_BELOW_M]
        boxes = [s for s in low if s.shape == "box"]
        self._lidar = lidar
        self._angles = lidar.angles_rad().astype(float)
        # parts of a thing may share a footprint: each one counts once
        self._boxes = np.unique(np.array([(s.x_m, s.y_m, math.cos(s.yaw_rad), math.sin(s.yaw_rad), s.hx_m, s.hy_m)
                                          for s in boxes]).reshape(-1, 6), axis=0)
        self._box_reach = np.hypot(self._boxes[:, 4], self._boxes[:, 5]) + lidar.range_m
        self._rounds = np.unique(np.array([(s.x_m, s.y_m, s.hx_m) for s in low if s.shape != "box"]).reshape(-1, 3),
                                 axis=0)
        self._round_reach = self._rounds[:, 2] + lidar.range_m

    def scan(self, at: NDArray[np.float64], circles: NDArray[np.float64] = NO_CIRCLES,
             own: Sequence[int] = ()) -> NDArray[np.float32]:
        """Ranges in metres, float32 [n, beams]; a beam without a hit has the lidar's maximum range.

        at: x, y, heading of each scan, [n, 3]. circles: x, y and radius of moving things, [k, 3]. own: for each scan
        the circle that takes it, and that it does not see; empty: none does.
        """
        angles = self._angles + at[:, 2:]
        beams = np.stack([np.cos(angles), np.sin(angles)])                       # [2, n, beams]
        best = np.full(angles.shape, self._lidar.range_m)
        _shorten(best, self._boxes, self._box_reach, at, beams, _to_boxes)
        _shorten(best, self._rounds, self._round_reach, at, beams, _to_circles)
        _shorten(best, circles, circles[:, 2] + self._lidar.range_m, at, beams, _to_circles, own)
        return best.astype(np.float32)


def _shorten(best: NDArray[np.float64], solids: NDArray[np.float64], reach_m: NDArray[np.float64],
             at: NDArray[np.float64], beams: NDArray[np.float64], distances: Distances, own: Sequence[int] = (),
             ) -> None:
    """End beams [n, beams] at solids, x and y in their first columns, that are at most `reach_m` away."""
    near = np.hypot(solids[:, 0] - at[:, :1], solids[:, 1] - at[:, 1:2]) <= reach_m          # [n, solids]
    if len(own):
        near[np.arange(len(own)), own] = False
    scan, solid = near.nonzero()
    if scan.size:
        x, y = at[scan, 0, None], at[scan, 1, None]
        dx, dy = beams if len(at) == 1 else beams[:, scan]
        ends = distances(solids[solid].T[:, :, None], x, y, dx, dy)
        first = np.flatnonzero(np.diff(scan, prepend=-1))                        # of each scan with something near
        some = scan[first]
        best[some] = np.minimum(best[some], np.minimum.reduceat(ends, first, axis=0))


def _to_boxes(box: NDArray[np.float64], x_m: NDArray[np.float64], y_m: NDArray[np.float64], dx: NDArray[np.float64],
              dy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances along each beam to boxes, [n, beams], inf for none: the slab method in each box's frame."""
    bx, by, c, s, hx, hy = box
    rx, ry = x_m - bx, y_m - by
    ox, oy = c * rx + s * ry, c * ry - s * rx
    ux, uy = c * dx + s * dy, c * dy - s * dx
    ux[ux == 0.0] = uy[uy == 0.0] = 1e-12                    # parallel to a slab
    ax, ay = -ox / ux, -oy / uy                              # distance to the middle of each slab
    wx, wy = hx / np.abs(ux), hy / np.abs(uy)
    near, far = np.maximum(ax - wx, ay - wy), np.minimum(ax + wx, ay + wy)
    return np.where((near <= far) & (far >= 0.0), np.maximum(near, 0.0), np.inf)


def _to_circles(circle: NDArray[np.float64], x_m: NDArray[np.float64], y_m: NDArray[np.float64],
                dx: NDArray[np.float64], dy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances along each beam to circles, [n, beams], inf for none."""
    cx, cy, radius = circle
    ox, oy = cx - x_m, cy - y_m
    along = ox * dx + oy * dy
    root = along ** 2 - (ox ** 2 + oy ** 2 - radius ** 2)
    half = np.sqrt(np.maximum(root, 0.0))
    return np.where((root >= 0.0) & (along + half >= 0.0), np.maximum(along - half, 0.0), np.inf)


class Coverage:
    """The free cells of the floor that any scan has covered, up to `range_m`."""

    def __init__(self, occupied: NDArray[np.bool_], grid: Grid, range_m: float = 4.0, lidar: Lidar = LIDAR) -> None:
        self._free = ~occupied
        self._seen = np.zeros_like(occupied)
        self._grid, self._range_m, self._lidar = grid, range_m, lidar
        self._centres = grid.centres_m()
        self._total = max(1, int(self._free.sum()))

    @property
    def share(self) -> float:
        """Seen free cells over all free cells, 0..1."""
        return float(np.count_nonzero(self._seen)) / self._total

    def add(self, pose: Pose, scan: NDArray[np.float32]) -> None:
        """Mark the cells that a scan [beams] taken at a pose covers."""
        g, reach = self._grid, self._range_m
        ys = slice(g.index(pose.y_m - reach), g.index(pose.y_m + reach) + 1)
        xs = slice(g.index(pose.x_m - reach), g.index(pose.x_m + reach) + 1)
        dx, dy = self._centres[None, xs] - pose.x_m, self._centres[ys, None] - pose.y_m
        distance = np.hypot(dx, dy)
        turn = (np.arctan2(dy, dx) - pose.heading_rad + math.pi) / (2 * math.pi)
        beam = np.rint(turn * self._lidar.beams).astype(int) % self._lidar.beams
        self._seen[ys, xs] |= self._free[ys, xs] & (distance <= np.minimum(scan[beam], reach))
