"""An occupancy map of the building, fed by scans, looks, masks and teammates' maps. Index [iy, ix], y north."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from agents.behaviours.search.camera_view import CameraView
from agents.behaviours.search.lidar_beams import LidarBeams
from swarm.core.protocol.world import Pose

CELL_M = 0.25
CELLS = 96                           # per side: 24 m, centred on the world's origin
HALF_M = CELL_M * CELLS / 2
LOOK_RANGE_M = 4.2                   # a target in a frame is assumed to be detected up to this distance
LOOKS = 4                            # a cell counts as looked at after this many observations with it in view

UNKNOWN, FREE, OCCUPIED, LOOKED = range(4)
"""States of a cell; LOOKED is free and searched by camera."""

_HIT, _SOLID, _CLEAR = 3, 9, -4      # evidence: gain of a hit, and its limits
_SLACK_M = 0.15                      # a beam clears cells whose centre is this much before its end
_RIM_RAD = 0.05                      # a cell this close to the edge of a frame does not count as looked at
_MATE_M = 0.5                        # a hit this close to a teammate is the teammate


def cell_of(x_m: float, y_m: float) -> tuple[int, int]:
    """(iy, ix) of the cell that holds a point, clipped to the grid."""
    return (min(max(math.floor((y_m + HALF_M) / CELL_M), 0), CELLS - 1),
            min(max(math.floor((x_m + HALF_M) / CELL_M), 0), CELLS - 1))


def centre_of(iy: int, ix: int) -> tuple[float, float]:
    """(x, y) in metres of a cell's centre."""
    return (ix + 0.5) * CELL_M - HALF_M, (iy + 0.5) * CELL_M - HALF_M


def line_free(blocked: NDArray[np.bool_], x0_m: float, y0_m: float, x1_m: float, y1_m: float) -> bool:
    """Whether the straight line between two points meets no blocked cell."""
    count = int(math.hypot(x1_m - x0_m, y1_m - y0_m) / (CELL_M / 2)) + 2
    ix = ((np.linspace(x0_m, x1_m, count) + HALF_M) / CELL_M).astype(np.intp).clip(0, CELLS - 1)
    iy = ((np.linspace(y0_m, y1_m, count) + HALF_M) / CELL_M).astype(np.intp).clip(0, CELLS - 1)
    return not bool(blocked[iy, ix].any())


class OccupancyMap:
    """One robot's map of the building: its own evidence, and teammates' maps where it has none."""

    def __init__(self, view: CameraView, beams: LidarBeams) -> None:
        self._beams = beams
        self._reach = math.ceil(beams.range_m / CELL_M)          # cells
        self._look_rad = view.half_fov_rad - _RIM_RAD
        self._evidence = np.zeros((CELLS, CELLS), np.int8)       # > 0 occupied, < 0 free, 0 unknown
        self._looks = np.zeros((CELLS, CELLS), np.uint8)
        self._peers = np.zeros((CELLS, CELLS), np.uint8)
        self._marked_until = np.zeros((CELLS, CELLS), np.int64)  # ns; obstacles that the scan does not show
        self._centres = (np.arange(CELLS) + 0.5) * CELL_M - HALF_M

    def scan(self, pose: Pose, ranges_m: NDArray[np.float32], mates: list[tuple[float, float]]) -> None:
        """Take in a scan (float [beams], metres) taken at `pose`; hits at `mates` (x, y) are not part of the building.

        Each cell in reach is compared with the two beams beside it (an inverse sensor model), so that cells between two
        beams become free, too, if both beams pass.
        """
        beams = self._beams
        jy, jx = cell_of(pose.x_m, pose.y_m)
        rows = slice(max(jy - self._reach, 0), jy + self._reach + 1)
        cols = slice(max(jx - self._reach, 0), jx + self._reach + 1)
        dx, dy = self._centres[None, cols] - pose.x_m, self._centres[rows, None] - pose.y_m
        away = np.sqrt(dx * dx + dy * dy)
        bearing = np.arctan2(dy, dx) - pose.heading_rad
        beam = ((bearing + math.pi) / beams.step_rad) % beams.count
        low = beam.astype(np.intp) % beams.count
        share = beam - low
        left, right = ranges_m[low], ranges_m[(low + 1) % beams.count]
        nearest = np.where(share < 0.5, left, right)
        aside = np.minimum(share, 1.0 - share) * away * beams.step_rad
        passed = (aside < 0.12) & (away < nearest - _SLACK_M) | (away < np.minimum(left, right) - _SLACK_M)

        evidence = self._evidence[rows, cols]
        clearer = passed & (evidence <= 0)
        erode = (evidence > 0) & (aside < 0.08) & (away < nearest - 2 * _SLACK_M)
        hit, between = self._hits(pose, ranges_m, mates)
        before = self._evidence[hit].copy()
        evidence[clearer | erode] -= 1
        np.maximum(evidence, _CLEAR, out=evidence)
        self._evidence[hit] = np.minimum(np.maximum(before, self._evidence[hit]) + _HIT, _SOLID)
        soft = self._evidence[between] == 0
        self._evidence[between[0][soft], between[1][soft]] = 1

        ahead = np.abs((bearing + math.pi) % (2 * math.pi) - math.pi) < self._look_rad
        seen = ahead & (away < LOOK_RANGE_M) & (away < np.maximum(left, right) + CELL_M)
        looks = self._looks[rows, cols]
        looks[seen & (looks < LOOKS)] += 1
        looks[away < 0.5] = LOOKS                                # a target this close would have been seen

    def _hits(self, pose: Pose, ranges_m: NDArray[np.float32], mates: list[tuple[float, float]],
              ) -> tuple[tuple[NDArray[np.intp], NDArray[np.intp]], tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """(iy, ix) of the cells in which beams end, and of cells between two ends on one surface."""
        ends = ranges_m.astype(np.float64) + 0.03                # a little into the surface
        solid = ranges_m < self._beams.hit_below_m
        x = pose.x_m + ends * np.cos(self._beams.angle_rad + pose.heading_rad)
        y = pose.y_m + ends * np.sin(self._beams.angle_rad + pose.heading_rad)
        for mx, my in mates:
            solid &= np.hypot(x - mx, y - my) > _MATE_M
        solid &= (np.abs(x) < HALF_M) & (np.abs(y) < HALF_M)
        x2, y2 = np.roll(x, -1), np.roll(y, -1)
        joined = solid & np.roll(solid, -1) & (np.hypot(x2 - x, y2 - y) < 0.7)
        mx, my = (x[joined] + x2[joined]) / 2, (y[joined] + y2[joined]) / 2
        flat = np.unique(_index(y[solid]) * CELLS + _index(x[solid]))
        return (flat // CELLS, flat % CELLS), (_index(my), _index(mx))

    def mark(self, points: list[tuple[float, float]], until: int) -> None:
        """Mark the cells of these points (x, y) as obstacles until a time (ns)."""
        for x, y in points:
            cell = cell_of(x, y)
            self._marked_until[cell] = max(int(self._marked_until[cell]), until)

    def merge(self, ids: NDArray[np.intp], states: NDArray[np.uint8]) -> None:
        """Take in a teammate's `blocks`: ids [n], states uint8 [n, 8, 8]. Cells unknown to it stay as they are."""
        for block, state in zip(ids.tolist(), states, strict=True):
            iy, ix = block // (CELLS // 8) * 8, block % (CELLS // 8) * 8
            mine = self._peers[iy:iy + 8, ix:ix + 8]
            state = np.where((state == FREE) & (mine == LOOKED), LOOKED, state)
            np.copyto(mine, state, where=state != UNKNOWN)

    def own_states(self) -> NDArray[np.uint8]:
        """uint8 [cells, cells]: states from this robot's own evidence alone; these are shared with teammates."""
        free = np.where(self._looks >= LOOKS, LOOKED, FREE)
        return np.where(self._evidence > 0, OCCUPIED, np.where(self._evidence < 0, free, UNKNOWN)).astype(np.uint8)

    def states(self, now: int) -> NDArray[np.uint8]:
        """uint8 [cells, cells]: own evidence, teammates' maps and the marks that are still valid."""
        own = self.own_states()
        merged = np.where(own == UNKNOWN, self._peers, own)
        merged[(own == FREE) & (self._peers == LOOKED)] = LOOKED
        merged[self._marked_until > now] = OCCUPIED
        return merged


def _index(v_m: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.floor((v_m + HALF_M) / CELL_M).astype(np.intp)


def blocks(states: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The grid as 8 x 8 blocks: uint8 [144, 8, 8], rows of blocks from the south-west."""
    n = CELLS // 8
    return states.reshape(n, 8, n, 8).transpose(0, 2, 1, 3).reshape(n * n, 8, 8)
