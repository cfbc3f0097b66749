"""One robot on a road: it drives out or home, watches the roadside, and reports at the depot."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.behaviours import Verdict, required
from agents.behaviours.road.book import Book
from agents.behaviours.road.depot import gate_from
from agents.behaviours.road.way import Point, Way
from agents.behaviours.search.camera_view import CameraView
from agents.behaviours.search.classes import of_search
from agents.behaviours.search.driving.steering import Steering
from agents.behaviours.search.gossip import Find
from agents.behaviours.search.lidar_beams import LidarBeams, Scans
from agents.behaviours.search.locator import Locator
from agents.behaviours.search.occupancy_map import cells_of
from agents.behaviours.search.targets import Targets, claimed
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Act, Detections, Observation, Perceived, Pose, Report

LOOK_RAD = 0.33                      # a robot that looks around turns to a point so far aside: once around in 8 s


class Driver:
    """What all behaviours on a road share. It needs a camera and a lidar. Raises: BadInput.

    place: of the robot in the team, by which it knows how far it starts from the gate.
    """

    def __init__(self, behaviour: str, robot: str, place: int, seed: int, sensors: SensorSuite) -> None:
        view = CameraView(required(behaviour, "camera", sensors.camera))
        beams = LidarBeams(required(behaviour, "lidar", sensors.lidar))
        self.way, self.book = Way(beams, gate_from(place)), Book()
        self.cells = cells_of(sensors.area_m)        # of a side of the area, by which notes tell places
        self._targets = Targets(Locator(view, beams))
        self._steering, self._scans = Steering(robot, seed, beams), Scans(beams)

    def see(self, seen: Observation, now: int) -> NDArray[np.float32]:
        """Take in an observation. Returns its scan."""
        return self._scans.keep(seen, now)

    def follow(self, seen: Observation, scan: NDArray[np.float32], path: Sequence[Point], now: int, *,
               around: bool = False) -> Act:
        """The command that follows a path; an empty one: stay, and turn if it is to look around."""
        face = None
        if around:
            course = seen.pose.heading_rad + LOOK_RAD
            face = seen.pose.x_m + math.cos(course), seen.pose.y_m + math.sin(course)
        return self._steering.act(seen, scan, list(path), face, now)[0]

    def perceive(self, seen: Perceived, now: int) -> list[Find]:
        """Take in an outcome. Returns the things that are certain since."""
        scan, outcome = self._scans.at(now - int(seen.age_s * 1e9)), of_search(seen)
        if isinstance(outcome, Detections):
            self._targets.detections(outcome, seen.pose, scan)
        elif outcome is not None:
            self._targets.mask(outcome, seen.pose, scan)
        return [find for find in self._targets.claims(now) if self.take(find)]

    def take(self, find: Find, *, told: bool = False) -> bool:
        """Write a find into the book; its place is not looked at again. Returns whether it says something new.

        told: by a teammate.
        """
        new = self.book.add(find, told=told)
        if find.kind != "wrong" and (new or self.book.knows(find)):
            self._targets.add(Find(kind="found", label=find.label, x_m=find.x_m, y_m=find.y_m))
        return new

    def judged(self, event: Verdict) -> Find | None:
        """Take in a verdict of the depot. Returns it as a find, if it is new."""
        if event.verdict not in ("found", "duplicate", "wrong"):
            return None                              # too far away: it is reported again
        find = claimed(event.report, "wrong" if event.verdict == "wrong" else "found")
        return find if find is not None and self.take(find) else None

    def reports(self, pose: Pose, now: int, after_ns: int = 0) -> list[Report]:
        """What to report to the depot now, of what is known for so long."""
        return self.book.reports((pose.x_m, pose.y_m), self.way.gate, now, after_ns)
