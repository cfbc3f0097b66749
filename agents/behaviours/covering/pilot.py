"""Flight to a place at one height, turning all the while, past whatever the robot's own lidar sees."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from agents.behaviours.covering.known_field import FLY_M
from swarm.core.protocol.sensors import Lidar
from swarm.core.protocol.world import Fly, Observation

Point = tuple[float, float]

TOP_MPS = 1.2
NEAR_PER_S = 1.2                     # speed by the distance to the place
TURN_RADPS = 0.8                     # the camera sees all around once in 8 s
CLIMB_PER_S, CLIMB_MPS = 1.2, 0.5    # speed up by the height that is missing, and at most
RADIUS_M = 0.27                      # of the robot
KEEP_M = 0.35                        # free room around it
BRAKE_PER_S = 0.8                    # speed towards something, by the room that is left beyond KEEP_M
ASIDE = 0.4                          # share of the speed that is lost to something, and goes past it to the right
TTL_S = 0.5


class Pilot:
    """Steers one robot by its own lidar alone: no teammate has to do anything for its safety."""

    def __init__(self, lidar: Lidar) -> None:
        angles = lidar.angles_rad().astype(float)
        self._directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        self._range_m = lidar.range_m

    def fly(self, seen: Observation, to: Point) -> Fly:
        """The command towards a place. A robot whose lidar gives nothing stays where it is, and turns."""
        pose = seen.pose
        dx, dy = to[0] - pose.x_m, to[1] - pose.y_m
        away_m = math.hypot(dx, dy)
        speed = min(TOP_MPS, NEAR_PER_S * away_m) / max(away_m, 1e-6) if seen.scan.size else 0.0
        c, s = math.cos(pose.heading_rad), math.sin(pose.heading_rad)
        ahead, left = self.safe(np.array([c * dx + s * dy, c * dy - s * dx]) * speed, seen.scan).tolist()
        up = min(max(CLIMB_PER_S * (FLY_M - pose.z_m), -CLIMB_MPS), CLIMB_MPS)
        return Fly(vx_mps=ahead, vy_mps=left, vz_mps=up, yaw_radps=TURN_RADPS, ttl_s=TTL_S)

    def safe(self, wanted: NDArray[np.float64], scan_m: NDArray[np.float32]) -> NDArray[np.float64]:
        """The velocity (ahead, left) without its part towards what is near, from the nearest hit to the farthest.

        What is nearer than KEEP_M pushes the robot away. Part of what a hit takes goes to the right, so that two robots
        that meet head-on pass each other.
        """
        velocity = wanted.copy()
        room_m = scan_m.astype(float) - RADIUS_M - KEEP_M
        near = np.flatnonzero((scan_m < self._range_m) & (BRAKE_PER_S * room_m < TOP_MPS))
        for aside in (ASIDE, 0.0):
            for k in near[np.argsort(room_m[near], kind="stable")].tolist():
                towards = self._directions[k]
                excess = float(velocity @ towards) - BRAKE_PER_S * float(room_m[k])
                if excess > 0.0:
                    velocity -= excess * towards
                    velocity += aside * min(excess, TOP_MPS) * np.array([towards[1], -towards[0]])
        return velocity
