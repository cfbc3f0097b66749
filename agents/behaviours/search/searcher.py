"""A robot that searches: its map, its targets, its steering and its claims. A behaviour adds how goals are chosen."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.behaviours import STAY, Event, Heard, Output, Verdict, required
from agents.behaviours.search.camera_view import CameraView
from agents.behaviours.search.classes import of_search
from agents.behaviours.search.driving.steering import Steering
from agents.behaviours.search.goals import Goal, Goals
from agents.behaviours.search.gossip import Find
from agents.behaviours.search.lidar_beams import LidarBeams, Scans
from agents.behaviours.search.locator import Locator
from agents.behaviours.search.occupancy_map import OccupancyMap, cells_of
from agents.behaviours.search.targets import Targets, claim
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Detections, Observation, Perceived, Pose

PLAN_NS = 700_000_000                # between plans on the way to a goal
PLAN_MIN_NS = 300_000_000            # between other plans
MASK_MARK_NS = 4_000_000_000
BUMP_MARK_NS = 25_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Counts since the start."""

    observations: int = 0
    plans: int = 0
    recoveries: int = 0
    bumps: int = 0
    claims: int = 0
    found: int = 0
    wrong: int = 0
    notes_heard: int = 0
    notes_ignored: int = 0           # malformed, or from a robot outside the team
    marks: int = 0                   # obstacle cells from masks


class Searcher(ABC):
    """The policy of one robot; see `Behaviour`. It needs a camera and a lidar. Raises: BadInput.

    behaviour: its name. robot, seed: of its random draws.
    """

    def __init__(self, behaviour: str, robot: str, seed: int, sensors: SensorSuite, goals: Goals) -> None:
        view = CameraView(required(behaviour, "camera", sensors.camera))
        self._beams = LidarBeams(required(behaviour, "lidar", sensors.lidar))
        self._locator = Locator(view, self._beams)
        self._cells = cells_of(sensors.area_m)
        self._map, self._targets = OccupancyMap(view, self._beams, self._cells), Targets(self._locator)
        self._steering, self._goals = Steering(robot, seed, self._beams), goals
        self._scans = Scans(self._beams)
        self._goal: Goal | None = None
        self._planned_at = -PLAN_NS
        self._count = dict.fromkeys(Statistics.__dataclass_fields__, 0)

    @property
    def goal(self) -> Goal | None:
        """The present goal."""
        return self._goal

    def statistics(self) -> Statistics:
        """An immutable snapshot of the counts."""
        return Statistics(**self._count)

    @abstractmethod
    def _choose(self, pose: Pose, states: NDArray[np.uint8], now: int) -> Goal:
        """The next goal. states: uint8 [cells, cells], of the map."""

    @abstractmethod
    def _hear(self, heard: Heard, now: int) -> None:
        """Take in a teammate's note, or count it as ignored."""

    def _mates_expected(self, now: int) -> list[tuple[float, float]]:
        """Where (x, y) teammates are expected: a hit there is no part of the building."""
        return []

    def _share(self, pose: Pose, now: int) -> list[Output]:
        """The periodic notes that are due."""
        return []

    def _share_finds(self, finds: list[Find]) -> list[Output]:
        """What teammates are told of own claims and of verdicts on them, at once."""
        return []

    def on(self, event: Event, now: int) -> list[Output]:
        """See `Behaviour.on`."""
        if isinstance(event, Observation):
            return self._observe(event, now)
        if isinstance(event, Perceived):
            return self._perceive(event, now)
        if isinstance(event, Verdict):
            self._count["found"] += event.verdict == "found"
            self._count["wrong"] += event.verdict == "wrong"
            news = self._targets.judged(event.report, event.verdict)
            return self._share_finds([news]) if news is not None else []
        self._count["notes_heard"] += 1
        self._hear(event, now)
        return []

    def _observe(self, seen: Observation, now: int) -> list[Output]:
        """Update the map, plan when it is time, steer, claim, and share notes. Without a scan: stay."""
        self._count["observations"] += 1
        if not seen.scan.size:
            return [STAY, *self._claim(now), *self._share(seen.pose, now)]
        scan = self._scans.keep(seen, now)
        self._map.scan(seen.pose, scan, self._mates_expected(now))
        if now - self._planned_at >= (PLAN_NS if self._on_the_way(seen.pose) else PLAN_MIN_NS):
            self._count["plans"] += 1
            self._planned_at = now
            self._goal = self._choose(seen.pose, self._map.states(now), now)
        path = list(self._goal.path) if self._goal is not None else []
        act, recovery = self._steering.act(seen, scan, path, self._goal.face if self._goal is not None else None, now)
        if recovery is not None:
            self._count["recoveries"] += 1
            self._count["bumps"] += recovery.bumped
            if self._goal is not None:
                self._goals.ban(self._goal, now)
            if recovery.bumped:
                self._map.mark(_touched(seen, scan), now + BUMP_MARK_NS)
            self._planned_at = -PLAN_NS
        return [act, *self._claim(now), *self._share(seen.pose, now)]

    def _on_the_way(self, pose: Pose) -> bool:
        return (self._goal is not None and bool(self._goal.path)
                and math.dist(self._goal.path[-1], (pose.x_m, pose.y_m)) > 0.4)

    def _perceive(self, seen: Perceived, now: int) -> list[Output]:
        """Fuse detections, or weigh tracks and mark low obstacles by a mask."""
        scan, outcome = self._scans.at(now - int(seen.age_s * 1e9)), of_search(seen)
        if outcome is None:                                  # of a stream that is not the search's
            return []
        if isinstance(outcome, Detections):
            self._targets.detections(outcome, seen.pose, scan)
            return self._claim(now)
        self._targets.mask(outcome, seen.pose, scan)
        points = self._locator.obstacles(outcome, seen.pose, scan)
        self._count["marks"] += len(points)
        self._map.mark(points, now + MASK_MARK_NS)
        return []

    def _claim(self, now: int) -> list[Output]:
        claims = self._targets.claims(now)
        if not claims:
            return []
        self._count["claims"] += len(claims)
        return [*map(claim, claims), *self._share_finds(claims)]


def _touched(seen: Observation, scan: NDArray[np.float32]) -> list[tuple[float, float]]:
    """Points (x, y) of a thing that was touched and that the scan does not show: ahead, or behind when backing up."""
    if float(scan.min()) < 0.5:
        return []
    course = seen.pose.heading_rad + (math.pi if seen.v_mps < -0.05 else 0.0)
    return [(seen.pose.x_m + 0.45 * math.cos(course + side), seen.pose.y_m + 0.45 * math.sin(course + side))
            for side in (-0.4, 0.0, 0.4)]
