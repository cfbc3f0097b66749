"""The geometry of one lidar: the directions of its beams."""

from __future__ import annotations

import math

import numpy as np

from swarm.core.protocol.world import Lidar

NO_HIT_M = 0.05                      # a measured range is a hit if it is shorter than the lidar's by more than this


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
