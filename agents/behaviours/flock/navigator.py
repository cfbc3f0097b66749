"""One robot on the course, on its own: its map, the hazards that it has seen, its way to the end and its steering."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from agents.behaviours import required
from agents.behaviours.flock import known_course
from agents.behaviours.flock.known_course import KEEP_OUT_M, SAME_HAZARD_M, Point
from agents.behaviours.search import frontier
from agents.behaviours.search.camera_view import CameraView
from agents.behaviours.search.classes import of_search
from agents.behaviours.search.driving.steering import Steering
from agents.behaviours.search.lidar_beams import LidarBeams, Scans
from agents.behaviours.search.locator import Locator
from agents.behaviours.search.occupancy_map import OccupancyMap
from agents.behaviours.search.targets import Targets
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Detections, Drive, Observation, Perceived, Pose, Report

HAZARD = "hazard"
HITS = 2                             # detections that make a hazard
ROOM_M = 0.25                        # beyond a keep-out
PLAN_NS = 500_000_000


class Navigator:
    """The parts of a robot that moves alone. It needs a camera and a lidar. Raises: BadInput.

    left_m: from here to the end, along the path; infinite before the first plan.
    """

    def __init__(self, behaviour: str, robot: str, team: list[str], seed: int, sensors: SensorSuite) -> None:
        view = CameraView(required(behaviour, "camera", sensors.camera))
        beams = LidarBeams(required(behaviour, "lidar", sensors.lidar))
        self._map, self._targets = OccupancyMap(view, beams), Targets(Locator(view, beams))
        self._steering, self._scans = Steering(robot, seed, beams), Scans(beams)
        members = sorted({*team, robot})
        rank = members.index(robot) - (len(members) - 1) / 2
        self._place_m = 2 * (known_course.HALF_WIDTH_M - 1.0) * rank / len(members)    # across the field, at its ends
        self._path: list[Point] = []
        self._reported: list[Point] = []
        self._planned_at: int | None = None
        self.left_m = math.inf
        self.direction = 1.0         # 1.0: to the east end, -1.0: to the west end

    @property
    def hazards(self) -> list[Point]:
        """Those that the robot's own camera has shown often enough."""
        return [(float(t.xy[0]), float(t.xy[1])) for t in self._targets.tracks
                if t.label == HAZARD and t.hits >= HITS and t.hits > t.doubt]

    def reports(self) -> list[Report]:
        """A report to the world for each hazard that is new."""
        new = [place for place in self.hazards if all(math.dist(place, old) > SAME_HAZARD_M for old in self._reported)]
        self._reported += new
        return [Report(kind=HAZARD, values={"x_m": x, "y_m": y}) for x, y in new]

    def at_end(self, pose: Pose) -> bool:
        """Whether the robot is at the end to which it drives."""
        return self.direction * pose.x_m >= known_course.END_M

    def turn(self) -> None:
        """Drive to the other end from now on."""
        self.direction, self._planned_at, self.left_m = -self.direction, None, math.inf

    def sense(self, seen: Observation, now: int, mates: list[Point]) -> NDArray[np.float32]:
        """Take in a scan, whose hits at teammates are no obstacles. Returns the scan, without what is not finite."""
        scan = self._scans.keep(seen, now)
        self._map.scan(seen.pose, scan, mates)
        return scan

    def perceive(self, seen: Perceived, now: int) -> None:
        """Take in the boxes of a frame."""
        found = of_search(seen)
        if isinstance(found, Detections):
            self._targets.detections(found, seen.pose, self._scans.at(now - int(seen.age_s * 1e9)))

    def drive(self, seen: Observation, scan_m: NDArray[np.float32], hazards: list[Point], now: int) -> Drive:
        """The command on the way to the end, round these hazards."""
        if self._planned_at is None or now - self._planned_at >= PLAN_NS:
            self._plan(seen.pose, hazards, now)
        act, recovery = self._steering.act(seen, scan_m, self._path, None, now)
        if recovery is not None:
            self._planned_at = None
        return act

    def _plan(self, pose: Pose, hazards: list[Point], now: int) -> None:
        self._planned_at = now
        area = frontier.field(known_course.passable(self._map.states(now)), pose.x_m, pose.y_m,
                              costly=known_course.around(hazards, KEEP_OUT_M + ROOM_M))
        self._path, self.left_m = known_course.way_to_end(area, self.direction, self._place_m)
