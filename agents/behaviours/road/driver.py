"""One robot on a road: it drives out or home, watches the roadside, and reports at the depot."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.behaviours import Verdict, required
from agents.behaviours.road.book import Book
from agents.behaviours.road.way import Point, Way
from agents.behaviours.search.camera_view import CameraView
from agents.behaviours.search.classes import of_search
from agents.behaviours.search.driving.steering import Steering
from agents.behaviours.search.gossip import Find
from agents.behaviours.search.lidar_beams import LidarBeams
from agents.behaviours.search.locator import Locator
from agents.behaviours.search.occupancy_map import cells_of
from agents.behaviours.search.targets import Targets, claimed
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Act, Detections, Observation, Perceived, Pose, Report

SCANS_KEPT = 16
SCAN_MATCH_NS = 250_000_000


class Driver:
    """What all behaviours on a road share. It needs a camera and a lidar. Raises: BadInput."""

    def __init__(self, behaviour: str, robot: str, seed: int, sensors: SensorSuite) -> None:
        view = CameraView(required(behaviour, "camera", sensors.camera))
        beams = LidarBeams(required(behaviour, "lidar", sensors.lidar))
        self.way, self.book = Way(beams), Book()
        self.cells = cells_of(sensors.area_m)        # of a side of the area, by which notes tell places
        self._range_m = beams.range_m
        self._targets = Targets(Locator(view, beams))
        self._steering = Steering(robot, seed, beams)
        self._scans: deque[tuple[int, NDArray[np.float32]]] = deque(maxlen=SCANS_KEPT)

    def see(self, seen: Observation, now: int) -> NDArray[np.float32]:
        """Take in an observation. Returns its scan."""
        scan = np.nan_to_num(np.asarray(seen.scan, np.float32), nan=0.0, posinf=self._range_m)
        self._scans.append((now - int(seen.age_s * 1e9), scan))
        return scan

    def follow(self, seen: Observation, scan: NDArray[np.float32], path: Sequence[Point], now: int) -> Act:
        """The command that follows a path; an empty one: stay."""
        return self._steering.act(seen, scan, list(path), None, now)[0]

    def perceive(self, seen: Perceived, now: int) -> list[Find]:
        """Take in an outcome. Returns the things that are certain since."""
        taken, outcome = now - int(seen.age_s * 1e9), of_search(seen)
        if isinstance(outcome, Detections):
            self._targets.detections(outcome, seen.pose, self._scan_at(taken))
        elif outcome is not None:
            self._targets.mask(outcome, seen.pose, self._scan_at(taken))
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
        return self.book.reports((pose.x_m, pose.y_m), self.way.start, now, after_ns)

    def _scan_at(self, taken: int) -> NDArray[np.float32] | None:
        """The scan nearest to a time (ns), if there is one close enough."""
        if not self._scans:
            return None
        at, scan = min(self._scans, key=lambda one: abs(one[0] - taken))
        return scan if abs(at - taken) <= SCAN_MATCH_NS else None
