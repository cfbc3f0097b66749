"""Patrol: drive round a square that begins where the robot started, and report each corner that is reached."""

from __future__ import annotations

import math

from agents.behaviours import Behaviour, Event, Output
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Drive, Observation, Report

SIDE_M = 1.0
REACHED_M = 0.2
V_MPS, W_RADPS = 0.4, 1.2
AIM_RAD = 0.5                        # it drives while the corner is this far off its course at most
STOP_M = 0.35                        # nearer than this it does not drive on


class Patrol:
    """The policy of one robot; see `Behaviour`. It needs no sensor; with a lidar it stops before obstacles."""

    def __init__(self) -> None:
        self._corners: list[tuple[float, float]] = []
        self._next = 0

    def on(self, event: Event, now: int) -> list[Output]:
        """See `Behaviour.on`."""
        if not isinstance(event, Observation):
            return []
        pose = event.pose
        if not self._corners:
            around = (SIDE_M, 0.0), (SIDE_M, SIDE_M), (0.0, SIDE_M), (0.0, 0.0)
            self._corners = [(pose.x_m + dx, pose.y_m + dy) for dx, dy in around]
        x, y = self._corners[self._next]
        out: list[Output] = []
        if math.hypot(x - pose.x_m, y - pose.y_m) < REACHED_M:
            out.append(Report(kind="corner", values={"x_m": x, "y_m": y}))
            self._next = (self._next + 1) % len(self._corners)
            x, y = self._corners[self._next]
        turn = math.remainder(math.atan2(y - pose.y_m, x - pose.x_m) - pose.heading_rad, 2 * math.pi)
        blocked = event.scan.size > 0 and float(event.scan.min()) < STOP_M
        ahead = 0.0 if abs(turn) > AIM_RAD or blocked else V_MPS
        return [Drive(v_mps=ahead, w_radps=min(max(2.0 * turn, -W_RADPS), W_RADPS)), *out]


def patrol(robot: str, team: list[str], seed: int, sensors: SensorSuite) -> Behaviour:
    """The patrol behaviour of one robot."""
    return Patrol()
