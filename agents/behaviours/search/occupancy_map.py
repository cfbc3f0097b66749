"""An occupancy map of the building, fed by scans, looks, masks and teammates' maps. Index [iy, ix], y north."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from agents.behaviours.search.camera_view import CameraView
from agents.behaviours.search.lidar_beams import LidarBeams, ScanWindow
from swarm.core.protocol.world import Pose

CELL_M = 0.25
CELLS = 96                           # per side, of a map of 24 m, centred on the world's origin
BLOCK = 8                            # cells per side of a block: maps have whole blocks
LOOK_RANGE_M = 4.2                   # a target in a frame is assumed to be detected up to this distance
LOOKS = 4                            # a cell counts as looked at after this many observations with it in view

UNKNOWN, FREE, OCCUPIED, LOOKED = range(4)
"""States of a cell; LOOKED is free and searched by camera."""

_HIT, _SOLID, _CLEAR = 3, 9, -4      # evidence: gain of a hit, and its limits
_SLACK_M = 0.15                      # a beam clears cells whose centre is this much before its end
_RIM_RAD = 0.05                      # a cell this close to the edge of a frame does not count as looked at
_MATE_M = 0.5                        # a hit this close to a teammate is the teammate


def cells_of(area_m: float) -> int:
    """Cells per side of a map of an area with sides of `area_m`."""
    return BLOCK * math.ceil(area_m / (BLOCK * CELL_M))


def half_m(cells: int) -> float:
    """Half the side of a map."""
    return CELL_M * cells / 2


def middles_m(cells: int) -> NDArray[np.float64]:
    """Where the middles of the cells are along a side, [cells]."""
    return (np.arange(cells, dtype=np.float64) + 0.5) * CELL_M - half_m(cells)


def cell_of(x_m: float, y_m: float, cells: int = CELLS) -> tuple[int, int]:
    """(iy, ix) of the cell that holds a point, clipped to the grid. cells: per side, as in all that follows."""
    half = half_m(cells)
    return (min(max(math.floor((y_m + half) / CELL_M), 0), cells - 1),
            min(max(math.floor((x_m + half) / CELL_M), 0), cells - 1))


def centre_of(iy: int, ix: int, cells: int = CELLS) -> tuple[float, float]:
    """(x, y) in metres of a cell's centre."""
    return (ix + 0.5) * CELL_M - half_m(cells), (iy + 0.5) * CELL_M - half_m(cells)


def line_free(blocked: NDArray[np.bool_], x0_m: float, y0_m: float, x1_m: float, y1_m: float) -> bool:
    """Whether the straight line between two points meets no blocked cell."""
    count = int(math.hypot(x1_m - x0_m, y1_m - y0_m) / (CELL_M / 2)) + 2
    last, half = len(blocked) - 1, half_m(len(blocked))
    ix = ((np.linspace(x0_m, x1_m, count) + half) / CELL_M).astype(np.intp).clip(0, last)
    iy = ((np.linspace(y0_m, y1_m, count) + half) / CELL_M).astype(np.intp).clip(0, last)
    return not bool(blocked[iy, ix].any())


class OccupancyMap:
    """One robot's map of the building: its own evidence, and teammates' maps where it has none."""

    def __init__(self, view: CameraView, beams: LidarBeams, cells: int = CELLS) -> None:
        self._beams, self._cells, self._half_m = beams, cells, half_m(cells)
        self._window = ScanWindow(beams, CELL_M)
        self._look_rad = view.half_fov_rad - _RIM_RAD
        self._evidence = np.zeros((cells, cells), np.int8)       # > 0 occupied, < 0 free, 0 unknown
        self._looks = np.zeros((cells, cells), np.uint8)
        self._peers = np.zeros((cells, cells), np.uint8)
        self._marked_until = np.zeros((cells, cells), np.int64)  # ns; obstacles that the scan does not show
        self._next = (np.arange(beams.count) + 1) % beams.count
        self._centres = middles_m(cells)

    def scan(self, pose: Pose, ranges_m: NDArray[np.float32], mates: list[tuple[float, float]]) -> None:
        """Take in a scan (float [beams], metres) taken at `pose`; hits at `mates` (x, y) are not part of the building.

        Each cell in reach is compared with the two beams beside it (an inverse sensor model), so that cells between two
        beams become free, too, if both beams pass.
        """
        beams, heading = self._beams, math.remainder(pose.heading_rad, 2 * math.pi)
        jy, jx = cell_of(pose.x_m, pose.y_m, self._cells)
        rows, columns = self._window.cells(
            jy, jx, heading, ranges_m, (self._evidence == _CLEAR) & (self._looks == LOOKS))
        cells = rows * self._cells + columns
        dx, dy = self._centres[columns] - pose.x_m, self._centres[rows] - pose.y_m
        away = np.sqrt(dx * dx + dy * dy)
        bearing = np.arctan2(dy, dx) - heading                   # -2 pi to 2 pi
        beam = (bearing + math.pi) / beams.step_rad
        low = np.floor(beam)
        share = beam - low
        right_of = low.astype(np.intp) + 1                       # -1/2 to 3/2 of a turn: beam -1 is the last one
        turns = np.concatenate([ranges_m, ranges_m])
        left, right = turns[right_of - 1], turns[right_of]
        nearest = np.where(share < 0.5, left, right)
        aside = np.minimum(share, 1.0 - share) * away * beams.step_rad
        passed = (aside < 0.12) & (away < nearest - _SLACK_M) | (away < np.minimum(left, right) - _SLACK_M)

        flat, flat_looks = self._evidence.reshape(-1), self._looks.reshape(-1)           # views
        evidence, looks = flat[cells], flat_looks[cells]
        solid = evidence > 0
        erode = solid & (aside < 0.08) & (away < nearest - 2 * _SLACK_M)
        hit, between = self._hits(pose, ranges_m, mates)
        before = flat[hit]
        evidence -= passed & ~solid | erode
        flat[cells] = np.maximum(evidence, _CLEAR)
        flat[hit] = np.minimum(np.maximum(before, flat[hit]) + _HIT, _SOLID)
        flat[between[flat[between] == 0]] = 1

        turn = np.abs(bearing)
        ahead = (turn < self._look_rad) | (turn > 2 * math.pi - self._look_rad)
        looks += ahead & (away < LOOK_RANGE_M) & (away < np.maximum(left, right) + CELL_M) & (looks < LOOKS)
        looks[away < 0.5] = LOOKS                                # a target this close would have been seen
        flat_looks[cells] = looks

    def _hits(self, pose: Pose, ranges_m: NDArray[np.float32], mates: list[tuple[float, float]],
              ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The cells in which beams end, and cells between two ends on one surface, by their index in the flat grid."""
        ends = ranges_m.astype(np.float64) + 0.03                # a little into the surface
        solid = ranges_m < self._beams.hit_below_m
        x = pose.x_m + ends * np.cos(self._beams.angle_rad + pose.heading_rad)
        y = pose.y_m + ends * np.sin(self._beams.angle_rad + pose.heading_rad)
        reach_m = self._beams.range_m + 2 * _MATE_M
        near = [m for m in mates if abs(m[0] - pose.x_m) < reach_m and abs(m[1] - pose.y_m) < reach_m]
        if near:
            mx, my = np.array(near).T[:, :, None]
            solid &= (np.hypot(x - mx, y - my) > _MATE_M).all(axis=0)
        solid &= (np.abs(x) < self._half_m) & (np.abs(y) < self._half_m)
        x2, y2 = x[self._next], y[self._next]
        joined = solid & solid[self._next] & (np.hypot(x2 - x, y2 - y) < 0.7)
        return (_flat(x[solid], y[solid], self._cells),
                _flat((x[joined] + x2[joined]) / 2, (y[joined] + y2[joined]) / 2, self._cells))

    def mark(self, points: list[tuple[float, float]], until: int) -> None:
        """Mark the cells of these points (x, y) as obstacles until a time (ns)."""
        for x, y in points:
            cell = cell_of(x, y, self._cells)
            self._marked_until[cell] = max(int(self._marked_until[cell]), until)

    def merge(self, ids: NDArray[np.intp], states: NDArray[np.uint8]) -> None:
        """Take in a teammate's `blocks`: ids [n], states uint8 [n, 8, 8]. Cells unknown to it stay as they are."""
        n = self._cells // BLOCK
        rows, columns = np.divmod(ids, n)
        grid = self._peers.reshape(n, BLOCK, n, BLOCK)               # a view: row of blocks, row in it, and columns
        mine = grid[rows, :, columns]
        kept = (states == UNKNOWN) | (states == FREE) & (mine == LOOKED)
        grid[rows, :, columns] = np.where(kept, mine, states)

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


def _flat(x_m: NDArray[np.float64], y_m: NDArray[np.float64], cells: int) -> NDArray[np.intp]:
    """The indices in the flat grid of the cells that hold points."""
    iy, ix = (np.floor((v_m + half_m(cells)) / CELL_M).astype(np.intp) for v_m in (y_m, x_m))
    return iy * cells + ix


def blocks(states: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The grid as 8 x 8 blocks: uint8 [blocks, 8, 8], rows of blocks from the south-west."""
    n = len(states) // BLOCK
    return states.reshape(n, BLOCK, n, BLOCK).transpose(0, 2, 1, 3).reshape(n * n, BLOCK, BLOCK)
