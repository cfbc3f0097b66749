"""The geometry of one lidar: the directions of its beams, and the cells around it that they reach."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from swarm.core.protocol.sensors import Lidar
from swarm.core.protocol.world import Observation

NO_HIT_M = 0.05                      # a measured range is a hit if it is shorter than the lidar's by more than this
SCANS_KEPT = 16
SCAN_MATCH_NS = 250_000_000          # between a frame and the scan that belongs to it, at most
_CLOSE_M = 1.2                       # closer cells are always taken: their bearing depends on where the robot stands


class LidarBeams:
    """Beams of one lidar. Directions are radians in the body frame; beam 0 points backwards, counter-clockwise.

    angle_rad: float64 [beams]. directions: their cosines and sines, float64 [2, beams]. hit_below_m: a range below this
    is a hit.
    """

    def __init__(self, lidar: Lidar) -> None:
        self.count, self.range_m = lidar.beams, lidar.range_m
        self.hit_below_m = lidar.range_m - NO_HIT_M
        self.step_rad = 2 * math.pi / lidar.beams
        self.angle_rad = lidar.angles_rad().astype(np.float64)
        self.directions = np.stack([np.cos(self.angle_rad), np.sin(self.angle_rad)])

    def position(self, turn_rad: float) -> float:
        """The fractional beam index of a direction: 2.25 is a quarter of a step after beam 2. Not wrapped."""
        return (turn_rad + math.pi) / self.step_rad

    def nearest(self, turn_rad: float) -> int:
        """Index of the beam that points closest to a direction."""
        return round(self.position(turn_rad)) % self.count

    def ranges_m(self, seen: Observation) -> NDArray[np.float32]:
        """The scan of an observation, [beams], metres. Ranges that are not finite show nothing, or are 0."""
        scan = np.asarray(seen.scan, np.float32)
        return scan if np.isfinite(scan).all() else np.nan_to_num(scan, nan=0.0, posinf=self.range_m, neginf=0.0)


class Scans:
    """The last scans of one robot, to find the one that belongs to a frame."""

    def __init__(self, beams: LidarBeams) -> None:
        self._beams = beams
        self._kept: deque[tuple[int, NDArray[np.float32]]] = deque(maxlen=SCANS_KEPT)

    def keep(self, seen: Observation, now: int) -> NDArray[np.float32]:
        """Take in an observation. Returns its ranges, [beams], metres."""
        scan = self._beams.ranges_m(seen)
        self._kept.append((now - int(seen.age_s * 1e9), scan))
        return scan

    def at(self, taken: int) -> NDArray[np.float32] | None:
        """The scan nearest to a time (ns), if there is one close enough."""
        at, scan = min(self._kept, key=lambda one: abs(one[0] - taken), default=(0, None))
        return scan if abs(at - taken) <= SCAN_MATCH_NS else None


class ScanWindow:
    """The cells around a robot that one scan may change: few of the thousands in reach.

    It may take a cell too many, and never one too few.
    """

    def __init__(self, beams: LidarBeams, cell_m: float) -> None:
        self.reach = math.ceil(beams.range_m / cell_m)           # cells
        offset_m = np.arange(-self.reach, self.reach + 1) * cell_m
        x, y = offset_m[None, :], offset_m[:, None]
        away = np.hypot(x, y)
        aside_m = math.hypot(cell_m, cell_m) / 2                 # of the robot from the middle of its own cell, at most
        # it changes nothing from one cell behind where the beams end
        self._reached_m = np.where(away < _CLOSE_M, -np.inf, away - aside_m - cell_m)
        self._beam = np.floor((np.arctan2(y, x) + math.pi) / beams.step_rad).astype(np.intp) % beams.count
        spread = 1 + math.ceil(math.asin(aside_m / _CLOSE_M) / beams.step_rad)
        self._beside = np.arange(-spread, spread + 2)[:, None] + np.arange(beams.count)
        self._beams = beams

    def cells(self, iy: int, ix: int, heading_rad: float, ranges_m: NDArray[np.float32], settled: NDArray[np.bool_],
              ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows and columns of these cells, given the cell of the robot and the cells [n, n] that no scan changes."""
        n, r = len(settled), self.reach
        top, left = max(iy - r, 0), max(ix - r, 0)
        rows, columns = slice(top, iy + r + 1), slice(left, ix + r + 1)
        part = (slice(top - iy + r, min(n - iy, r + 1) + r), slice(left - ix + r, min(n - ix, r + 1) + r))
        turned = round(heading_rad / self._beams.step_rad)
        farthest = ranges_m[(self._beside - turned) % self._beams.count].max(axis=0)     # of the beams beside each one
        may_change = (self._reached_m[part] < farthest[self._beam[part]]) & ~settled[rows, columns]
        y, x = may_change.nonzero()
        return y + top, x + left
