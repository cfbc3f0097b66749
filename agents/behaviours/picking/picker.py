"""One robot that fetches goods: it asks for an order, finds the good by its camera, picks it, and delivers it.

Subclasses choose the bay to go to, and may coordinate with teammates.
"""

from __future__ import annotations

import math

import numpy as np

from agents.behaviours import STAY, Event, Heard, Output, Verdict, required
from agents.behaviours.picking.bay_beliefs import BayBeliefs
from agents.behaviours.picking.floor_plan import FloorPlan, Point, told
from agents.behaviours.search.camera_view import CameraView
from agents.behaviours.search.classes import TARGET_CLASSES, of_search
from agents.behaviours.search.driving.steering import Recovery, Steering
from agents.behaviours.search.lidar_beams import LidarBeams
from agents.behaviours.search.locator import Locator
from swarm.core.protocol.sensors import Battery, SensorSuite
from swarm.core.protocol.world import Detections, Observation, Perceived, Pose, Report

ASK_NS = 500_000_000                 # between two reports of the same kind
PLAN_NS = 400_000_000                # between two choices of a bay
THERE_M = 0.3                        # from the place before a bay, or the middle of a dock
STANDS_MPS = 0.1
PICK_FROM = 0.55                     # a good that is there with this probability is picked
LEAVE_BELOW = 0.05                   # at a bay with a smaller chance the robot does not look for the good
LOOK_NS = 1_500_000_000              # at a bay whose content is not sure; then something else is tried
HANDLE_NS = 2_000_000_000            # the robot lifts a good or sets it down, and cannot drive
LOW, CHARGED = 0.2, 0.8               # charge of the battery: below, a robot goes to a dock; then it may go on
NOWHERE: list[Point] = []


class Picker:
    """The policy of one robot; see `Behaviour`. It needs a camera and a lidar. Raises: BadInput."""

    def __init__(self, behaviour: str, robot: str, team: list[str], seed: int, sensors: SensorSuite) -> None:
        self._view = CameraView(required(behaviour, "camera", sensors.camera))
        self._beams = LidarBeams(required(behaviour, "lidar", sensors.lidar))
        self._steering = Steering(robot, seed, self._beams)
        self._locator = Locator(self._view, self._beams)
        self._team = frozenset(team) - {robot}
        self.plan: FloorPlan | None = None                   # until the world has told it
        self.order: str | None = None                        # class of the good to fetch
        self.loaded = False
        self.bay: int | None = None                          # to which the robot goes
        self.recoveries = 0
        self._asked: dict[str, int] = {}                     # kind of report -> when
        self._planned_at = -PLAN_NS
        self._busy_until = 0
        self._there_since: int | None = None
        self._battery = next(iter(sensors.all(Battery)), "")         # name of its sensor; empty: there is none
        self._low = False                                    # it is to be charged

    def on(self, event: Event, now: int) -> list[Output]:
        """See `Behaviour.on`."""
        if isinstance(event, Observation):
            return self._observe(event, now)
        if isinstance(event, Perceived):
            outcome = of_search(event)
            if self.plan is not None and isinstance(outcome, Detections):
                self._beliefs.look(outcome, event.pose, now / 1e9 - event.age_s)
        elif isinstance(event, Verdict):
            self._judged(event.report, event.verdict, now)
        else:
            self.hear(event, now)
        return []

    # For subclasses.

    def ready(self, plan: FloorPlan) -> None:
        """The world has told the floor plan."""

    def choose(self, plan: FloorPlan, pose: Pose, label: str, now: int) -> int:
        """The bay to go to for a good of this class."""
        raise NotImplementedError

    def dock(self, plan: FloorPlan, at: Point, now: int) -> Point:
        """The dock to deliver to: the nearest one."""
        return min(plan.docks(), key=lambda dock: plan.way_m(at, dock))

    def way(self, plan: FloorPlan, at: Point, goal: Point, now: int) -> list[Point]:
        """The way to drive now, towards a goal or to where the robot waits."""
        return plan.way(at, goal)

    def hear(self, heard: Heard, now: int) -> None:
        """A teammate's note."""

    def notes(self, pose: Pose, now: int) -> list[Output]:
        """Notes to teammates, with each observation."""
        return []

    # The stages of an errand.

    def _observe(self, seen: Observation, now: int) -> list[Output]:
        if not seen.scan.size:
            return [STAY, *self.notes(seen.pose, now)]
        scan = self._beams.ranges_m(seen)
        at, out = (seen.pose.x_m, seen.pose.y_m), list[Output]()
        path, face = NOWHERE, None
        if self.plan is None:
            out += self._ask("plan", {}, now)
        elif self.order is None and self._is_low(seen):
            dock = self.dock(self.plan, at, now)
            path = self.way(self.plan, at, dock, now) if math.dist(dock, at) > THERE_M else NOWHERE
        elif self.order is None:
            out += self._ask("order", {}, now)
            self.idle(self.plan, now)
        elif now >= self._busy_until:
            goal, face = self._goal(self.plan, self.order, seen.pose, now)
            if math.dist(goal, at) > THERE_M:
                path, self._there_since = self.way(self.plan, at, goal, now), None
            elif abs(seen.v_mps) < STANDS_MPS:
                out += self._work(self.plan, self.order, now)
        act, recovery = self._steering.act(seen, scan, path, face, now)
        if recovery is not None:
            self.recoveries += 1
            self.stopped(recovery, now)
        return [act, *out, *self.notes(seen.pose, now)]

    def _is_low(self, seen: Observation) -> bool:
        """Whether the robot, which has no order, is to be charged at a dock before it asks for one."""
        charge = seen.readings.get(self._battery)
        if charge is not None and charge.values:
            self._low = charge.values[0] < (CHARGED if self._low else LOW)
        return self._low

    def idle(self, plan: FloorPlan, now: int) -> None:
        """The robot has no order."""

    def in_vain(self, bay: int, now: int) -> None:
        """The robot is at the bay, and such a good is not."""

    def stopped(self, recovery: Recovery, now: int) -> None:
        """Something is in the robot's way, and it backs off."""

    def _goal(self, plan: FloorPlan, label: str, pose: Pose, now: int) -> tuple[Point, Point | None]:
        """Where to go, and what to look at from there."""
        at = pose.x_m, pose.y_m
        if self.loaded:
            return self.dock(plan, at, now), None
        if self.bay is None or (now - self._planned_at >= PLAN_NS and self._there_since is None):
            self._planned_at = now
            self.bay = self.choose(plan, pose, label, now)
        return plan.access(self.bay), plan.middle(self.bay)

    def _work(self, plan: FloorPlan, label: str, now: int) -> list[Output]:
        """What the robot does at a dock, or at a bay: it picks, or looks until it gives up."""
        if self.loaded:
            return self._ask("deliver", {}, now)
        assert self.bay is not None
        if self._there_since is None:
            self._there_since = now
        chance = self.belief(label, now)[self.bay]
        if chance >= PICK_FROM:
            return self._ask("pick", {"bay": float(self.bay), "label": label}, now)
        if chance < LEAVE_BELOW or now - self._there_since > LOOK_NS:
            self._beliefs.refuted(self.bay, label, now / 1e9)
            self.in_vain(self.bay, now)
            self.bay, self._there_since = None, None
        return []

    def belief(self, label: str, now: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Of each bay the probability that it has a good of this class, [bays]."""
        return self._beliefs.probabilities(now / 1e9)[:, TARGET_CLASSES.index(label)]

    def _ask(self, kind: str, values: dict[str, float | str], now: int) -> list[Output]:
        if now - self._asked.get(kind, -ASK_NS) < ASK_NS:
            return []
        self._asked[kind] = now
        return [Report(kind=kind, values=values)]

    def _judged(self, report: Report, verdict: str, now: int) -> None:
        """Take in the world's answer. One that fits no report of this robot's is ignored."""
        match report.kind, verdict:
            case "plan", _ if self.plan is None:
                self.plan = told(verdict)
                if self.plan is not None:
                    self._beliefs = BayBeliefs(self.plan, self._view, self._locator)
                    self.ready(self.plan)
            case "order", _ if verdict in TARGET_CLASSES and not self.loaded:
                self.order = verdict
            case "deliver", "delivered":
                self.order, self.loaded, self._busy_until = None, False, now + HANDLE_NS
            case "pick", "picked" | "wrong":
                self._picked(report, verdict, now)
            case _:
                pass

    def _picked(self, report: Report, verdict: str, now: int) -> None:
        match report.values:
            case {"bay": float() | int() as bay, "label": str(label)} if (
                    self.plan is not None and bay in range(self.plan.count) and label in TARGET_CLASSES):
                self.bay, self._there_since = None, None
                if verdict == "picked":
                    self.loaded, self._busy_until = True, now + HANDLE_NS
                    self._beliefs.emptied(int(bay), now / 1e9)
                    self.picked(int(bay), now)
                else:
                    self._busy_until = now + 2 * HANDLE_NS
                    self._beliefs.refuted(int(bay), label, now / 1e9)
                    self.in_vain(int(bay), now)
            case _:
                pass

    def picked(self, bay: int, now: int) -> None:
        """The robot has picked a good from a bay."""
