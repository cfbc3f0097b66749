"""The planar lidar and the coverage of the floor by its scans, in NumPy.

The lidar of a robot that drives sees the footprint of everything that blocks the robot, at any height: also the legs
of a casualty. That of a robot that flies sees everything beside its body, in a plane that stays level.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from sim_worlds.occupancy import BLOCKS_BELOW_M, Grid
from sim_worlds.physics.solids import Solid
from sim_worlds.sensors.suite import LIDAR
from swarm.core.protocol.sensors import Lidar
from swarm.core.protocol.world import Pose

NO_CIRCLES = np.zeros((0, 3))
NO_SCAN = np.empty(0, np.float32)    # of a robot without a lidar, or with one that gives nothing
DRIVES = -math.inf, BLOCKS_BELOW_M   # the heights between which a robot that drives sees
HEIGHTS_M = 0.05                     # scanners are made for heights in such steps


class Scanner:
    """Casts scans against static solids and moving circles. sight_m: the heights between which it sees solids."""

    def __init__(self, solids: Iterable[Solid], lidar: Lidar = LIDAR, sight_m: tuple[float, float] = DRIVES) -> None:
        of, self._rounds = footprints(solids, sight_m)
        self._lidar = lidar
        self._angles = lidar.angles_rad().astype(float)
        self._boxes, c, s = of[:, :4], of[:, 4], of[:, 5]
        self._frames = np.stack([np.stack([c, s], axis=1), np.stack([-s, c], axis=1)])
        self._box_reach = np.hypot(self._boxes[:, 2], self._boxes[:, 3]) + lidar.range_m
        self._round_reach = self._rounds[:, 2] + lidar.range_m

    def scan(self, pose: Pose, circles: NDArray[np.float64] = NO_CIRCLES) -> NDArray[np.float32]:
        """Ranges in metres, float32 [beams]; a beam without a hit has the lidar's maximum range.

        circles: x, y and radius of the moving things in reach, [n, 3], without the robot that scans.
        """
        return self.cast(pose.x_m, pose.y_m, self._angles + pose.heading_rad, circles)

    def cast(self, x_m: float, y_m: float, angles_rad: NDArray[np.float64],
             circles: NDArray[np.float64] = NO_CIRCLES) -> NDArray[np.float32]:
        """Ranges from (x, y) along directions in the world frame, float32, one per angle."""
        beams = np.stack([np.cos(angles_rad), np.sin(angles_rad)])
        near = np.hypot(self._boxes[:, 0] - x_m, self._boxes[:, 1] - y_m) <= self._box_reach
        r = self._rounds[np.hypot(self._rounds[:, 0] - x_m, self._rounds[:, 1] - y_m) <= self._round_reach]
        ends = np.concatenate([
            _to_boxes(self._boxes[near], self._frames[:, near], x_m, y_m, beams),
            _to_circles(np.concatenate([r, circles]), x_m, y_m, beams)])
        return ends.min(axis=0, initial=self._lidar.range_m).astype(np.float32)


class Scanners:
    """The scanners of a lidar for all heights at which robots carry it, made when they are asked for."""

    def __init__(self, solids: Sequence[Solid], lidar: Lidar = LIDAR) -> None:
        self._solids, self._lidar = solids, lidar
        self._made = {DRIVES: Scanner(solids, lidar)}

    def between(self, low_m: float, high_m: float) -> Scanner:
        """The scanner that sees what is between two heights, widened to steps of HEIGHTS_M."""
        if (low_m, high_m) != DRIVES:
            low_m, high_m = math.floor(low_m / HEIGHTS_M) * HEIGHTS_M, math.ceil(high_m / HEIGHTS_M) * HEIGHTS_M
        if (low_m, high_m) not in self._made:
            self._made[low_m, high_m] = Scanner(self._solids, self._lidar, (low_m, high_m))
        return self._made[low_m, high_m]


def footprints(solids: Iterable[Solid], sight_m: tuple[float, float] = DRIVES
               ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a lidar sees of solids between two heights.

    x, y, half sizes, cosine and sine of the yaw of boxes; x, y, radius of round ones. Parts of a thing may share a
    footprint: each one counts once.
    """
    low_m, high_m = sight_m
    seen = [s for s in solids if s.z_m - s.hz_m < high_m and s.z_m + s.hz_m > low_m]
    boxes = [(s.x_m, s.y_m, s.hx_m, s.hy_m, math.cos(s.yaw_rad), math.sin(s.yaw_rad)) for s in seen if s.shape == "box"]
    rounds = [(s.x_m, s.y_m, s.hx_m) for s in seen if s.shape != "box"]
    return np.unique(np.array(boxes).reshape(-1, 6), axis=0), np.unique(np.array(rounds).reshape(-1, 3), axis=0)


def _to_boxes(b: NDArray[np.float64], frames: NDArray[np.float64], x_m: float, y_m: float,
              beams: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances along beams [2, beams] to boxes, [n, beams], inf for none: the slab method in each box's frame.

    frames: the axes of the boxes, [2, n, 2].
    """
    u = frames @ beams                                       # [2, n, beams], as all that follows with both axes
    u[u == 0.0] = 1e-12                                      # parallel to a slab
    middle = (frames[..., 0] * (b[:, 0] - x_m) + frames[..., 1] * (b[:, 1] - y_m))[..., None] / u
    wide = b.T[2:, :, None] / np.abs(u)
    near, far = middle - wide, middle + wide
    near, far = np.maximum(np.maximum(near[0], near[1]), 0.0), np.minimum(far[0], far[1])
    near[near > far] = np.inf
    return near


def _to_circles(r: NDArray[np.float64], x_m: float, y_m: float, beams: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances along beams [2, beams] to circles, [n, beams], inf for none."""
    ox, oy = r[:, 0] - x_m, r[:, 1] - y_m
    along = np.stack([ox, oy], axis=1) @ beams
    root = along * along - (ox * ox + oy * oy - r[:, 2] * r[:, 2])[:, None]
    half = np.sqrt(np.maximum(root, 0.0))
    near = np.maximum(along - half, 0.0)
    near[(root < 0.0) | (along + half < 0.0)] = np.inf
    return near


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
