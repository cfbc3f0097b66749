"""The way along a road that no map shows: out by the lidar, home along the own trail."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from agents.behaviours.search.lidar_beams import LidarBeams
from swarm.core.protocol.world import Pose

Point = tuple[float, float]

TRAIL_M = 0.25                       # between two points of the trail
STEP_M = 0.6                         # a longer step between two points counts as this: no robot drives so far meanwhile
COURSE_M = 1.0                       # the course is the direction of the last so much of the trail
SIDE_MOST_RAD = math.radians(110)    # a road bends by less from the course
HALF_WIDTH_M = 0.45                  # what a robot needs at each side of a direction
SEE_M = 3.5                          # free road beyond this is no better
TURN_COSTS_M = 0.6                   # a turn by one radian is worth so much less free road
END_M = 1.1                          # with less free road in every direction there is no way
END_NS = 2_000_000_000               # without a way for so long: another robot would have driven on
STUCK_NS = 4_000_000_000             # on its way out it has come no farther for so long
AHEAD_M = 1.4                        # how far ahead the way out is laid, at most
DIRECTIONS = 45


class Way:
    """The trail of one robot, from where it started, and where to drive next.

    gate_from: the depot's gate from there: ahead and to the left, metres.
    """

    def __init__(self, beams: LidarBeams, gate_from: Point = (0.0, 0.0)) -> None:
        self._beams, self._gate_from = beams, gate_from
        self._trail: list[Point] = []
        self.driven_m = 0.0                          # length of the trail
        self._heading_rad = 0.0                      # at the start
        self._blocked_ns: int | None = None          # since when it finds no way out
        self._tried_ns = self._onward_ns = 0         # when it last looked for a way out, and last came onward meanwhile
        self._tried_at = -1                          # points of the trail then
        self._turns = np.linspace(-SIDE_MOST_RAD, SIDE_MOST_RAD, DIRECTIONS)

    def add(self, pose: Pose) -> None:
        """The robot is here."""
        here = pose.x_m, pose.y_m
        if not self._trail:
            self._heading_rad, self._trail = pose.heading_rad, [here]
        step_m = math.dist(self._trail[-1], here)
        if step_m >= TRAIL_M:
            self.driven_m += min(step_m, STEP_M)
            self._trail.append(here)

    @property
    def start(self) -> Point:
        """Where the robot stood first."""
        return self._trail[0]

    @property
    def gate(self) -> Point:
        """The depot's gate."""
        (x, y), (ahead_m, left_m) = self.start, self._gate_from
        c, s = math.cos(self._heading_rad), math.sin(self._heading_rad)
        return x + ahead_m * c - left_m * s, y + ahead_m * s + left_m * c

    def out(self, pose: Pose, scan_m: NDArray[np.float32], now: int) -> list[Point]:
        """Points ahead along the road; empty where there is none: a robot is in the way, or the road ends.

        Of the directions beside the course it takes the one with the most free road, less what the turn costs.
        """
        if len(self._trail) != self._tried_at or now - self._tried_ns > END_NS:
            self._onward_ns = now
        self._tried_ns, self._tried_at = now, len(self._trail)
        away = scan_m < self._beams.hit_below_m
        hits = (scan_m[away] * self._beams.directions[:, away]).T
        turns = self._course() + self._turns - pose.heading_rad
        free_m = _free(hits, turns)
        best = int(np.argmax(np.minimum(free_m, SEE_M) - TURN_COSTS_M * np.abs(self._turns)))
        if float(free_m.max()) < END_M:
            self._blocked_ns = now if self._blocked_ns is None else self._blocked_ns
            return []
        self._blocked_ns = None
        course = pose.heading_rad + float(turns[best])
        reach_m = min(float(free_m[best]), AHEAD_M)
        return [(pose.x_m + share * reach_m * math.cos(course), pose.y_m + share * reach_m * math.sin(course))
                for share in (1 / 3, 2 / 3, 1.0)]

    def ends(self, now: int) -> bool:
        """Whether there has been no way out, or none that it could take, for so long that the road must end here."""
        return (self._blocked_ns is not None and now - self._blocked_ns >= END_NS) or (
            self._tried_ns == now and now - self._onward_ns >= STUCK_NS)

    def home(self, pose: Pose) -> list[Point]:
        """The points of the trail from the nearest one back to the start."""
        away = [math.dist(point, (pose.x_m, pose.y_m)) for point in self._trail]
        return self._trail[away.index(min(away))::-1]

    def _course(self) -> float:
        """The direction in which the road was driven lately, radians."""
        last = self._trail[-1]
        for before in reversed(self._trail):
            if math.dist(before, last) >= COURSE_M:
                return math.atan2(last[1] - before[1], last[0] - before[0])
        return self._heading_rad


def _free(hits: NDArray[np.float64], turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each direction (radians, body frame, [n]) is free of hits ([k, 2]) for the width of a robot, metres."""
    if not len(hits):
        return np.full(len(turns), np.inf)
    c, s = np.cos(turns)[:, None], np.sin(turns)[:, None]
    along, aside = c * hits[:, 0] + s * hits[:, 1], np.abs(c * hits[:, 1] - s * hits[:, 0])
    return np.where((along > 0.0) & (aside < HALF_WIDTH_M), along, np.inf).min(axis=1)
