"""Formation: a flock goes from end to end of a field with walls and hazards, and back, as one ordered group.

On the wider field of a large fleet each lane has its flock, and what flocks are measured by is the mean over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from sim_worlds.engine import Engine, mission_of
from sim_worlds.robots import KINDS
from sim_worlds.robots.brought.body import kind_for
from sim_worlds.scenarios.formation.course import END_M, KEEP_OUT_M, Course
from sim_worlds.scenarios.formation.flocks import Flocks
from sim_worlds.scenarios.formation.lanes import check_lane, generate, groups_of, lanes_of, middle_m
from swarm.core.protocol.scene import SHARE, Mission, Scene
from swarm.core.protocol.world import Report
from swarm.core.settings.process_files import RobotSpec

HEADLINE = "flock_advance"
MEASURES = {
    "flock_advance": (SHARE, "way of the flock by that at top speed; a metre counts by order x connectivity x health"),
    "way": ("m", "along the course, of the robot that is last"),
    "order": (SHARE, "mean cosine between the velocities of neighbours, over the run"),
    "safety": (SHARE, "pairs of robots that do not touch, mean over the run"),
    "union": (SHARE, "(robots - groups) / (robots - 1), mean over the run"),
    "connectivity": (SHARE, "algebraic connectivity by the number of robots, mean over the run"),
    "health": (SHARE, "mean of the robots at the end: each loses a third for each second in a hazard's keep-out"),
    "exposure": ("s", "time in keep-outs, a robot on average"),
    "hazards_known": ("", "hazards that a robot has reported where one is"),
    "wrong_hazards": ("", "reports of a hazard where none is"),
    "collisions": ("", "contacts of robots, each counted once while it lasts"),
}
"""Unit and meaning of each measure of the mission, in the order in which they are shown."""
DEADLY_S = 3.0                       # in keep-outs: after that a robot has no health left, and counts no more
REPORT_M = 0.75                      # a report this close to a hazard is right
SAMPLE_S = 0.1


def build(fleet: Sequence[RobotSpec], seed: int, *, render: bool = True) -> Formation:
    """The world of a seed with this fleet, at rest at its spawn poses.

    Raises ValueError for a fleet that the engine refuses or that does not fit at the start.
    """
    return Formation(generate(seed, len(fleet)), fleet, render=render)


_place = lru_cache(maxsize=1)(generate)      # every robot of a fleet may have a spawn of its own


def check_spawn(seed: int, robots: int, kind: str, x_m: float, y_m: float) -> None:
    """Raise ValueError with the reason if a robot of this kind cannot start at (x, y) on the course of a seed."""
    _place(seed, robots).check_spawn(x_m, y_m, KINDS[kind].radius_m)


class Formation(Engine):
    """Robots on a course, the way that they have made as a flock, and how they kept together."""

    mark, done = "hazard", "known"

    def __init__(self, course: Course, fleet: Sequence[RobotSpec], *, render: bool) -> None:
        for number, robot in enumerate(fleet):
            check_lane(robot, number, len(fleet))
        super().__init__(course, fleet, scenario="formation", seed=course.seed, render=render)
        self._hazards = np.array([(h.x_m, h.y_m) for h in course.targets]).reshape(-1, 2)
        self._top_mps = min(kind_for(robot).v_max_mps for robot in fleet)
        self._legs = np.zeros(len(fleet))                    # ends that each robot has reached, in turn
        self._flocks = Flocks(groups_of(len(fleet)), self._ways_m())
        self._exposed_s = np.zeros(len(fleet))
        self._known: dict[int, tuple[str, float]] = {}       # hazard -> robot, time
        self._wrong = 0
        self._every = max(1, round(SAMPLE_S / self.dt_s))

    def step(self) -> None:
        """Advance by `dt_s`, and measure the flocks ten times a second."""
        super().step()
        if self._steps % self._every == 0:
            self._measure()

    def _ways_m(self) -> NDArray[np.float64]:
        """The way of each robot along the course, [n]: from end to end, back, and so on; none is made beyond an end."""
        x = self.motion.at[:, 0]
        course = np.where(self._legs % 2 == 0, 1.0, -1.0)
        return self._legs * 2 * END_M + np.clip(END_M + course * x, 0.0, 2 * END_M)

    def _measure(self) -> None:
        here = ~self._removed
        course = np.where(self._legs % 2 == 0, 1.0, -1.0)
        self._legs[here & (course * self.motion.at[:, 0] >= END_M)] += 1.0
        at = self.motion.at
        self._exposed_s[here & self._are_exposed(at[:, 0], at[:, 1])] += self._every * self.dt_s
        self._flocks.measure(here, at, self.motion.speeds[:, 0], self.motion.radii_m, self._ways_m(), self._health())

    def _are_exposed(self, x_m: NDArray[np.float64], y_m: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which robots are in a keep-out, bool [n]."""
        exposed = np.zeros(len(x_m), bool)
        robots, hazards = np.nonzero(np.abs(y_m[:, None] - self._hazards[:, 1]) < KEEP_OUT_M)    # few are that near
        away_m = np.hypot(x_m[robots] - self._hazards[hazards, 0], y_m[robots] - self._hazards[hazards, 1])
        exposed[robots[away_m < KEEP_OUT_M]] = True
        return exposed

    def judge(self, robot: str, report: Report) -> str:
        """Judge a report of a hazard by the nearest one within 0.75 m.

        Returns: known, again (it was known before) or wrong.
        """
        self.index(robot)
        match report:
            case Report(kind="hazard", values={"x_m": float() | int() as x_m, "y_m": float() | int() as y_m}):
                away_m = np.hypot(self._hazards[:, 0] - x_m, self._hazards[:, 1] - y_m)
            case _:
                away_m = np.empty(0)
        if not (away_m <= REPORT_M).any():
            self._wrong += 1
            return "wrong"
        hazard = int(away_m.argmin())
        if hazard in self._known:
            return "again"
        self._known[hazard] = robot, self.time_s
        return "known"

    def goal(self, robot: str) -> tuple[float, float]:
        """The end of the course to which the robot goes next."""
        i, lanes = self.index(robot), lanes_of(len(self.names))
        return (END_M if self._legs[i] % 2 == 0 else -END_M), middle_m(i % lanes, lanes)

    def scene(self) -> Scene:
        """The world as plain data, with the hazards that are known."""
        scene = super().scene()
        for k, (robot, at_s) in self._known.items():
            scene.marks[k] = replace(scene.marks[k], done_by=robot, done_at_s=at_s)
        return scene

    def _health(self) -> NDArray[np.float64]:
        """Of each robot, [n], 1 to 0."""
        return np.maximum(1.0 - self._exposed_s / DEADLY_S, 0.0)

    def mission(self) -> Mission:
        """The progress of the mission."""
        flocks, most_m = self._flocks, self._top_mps * self.time_s
        return mission_of(HEADLINE, MEASURES, flocks.means() | {
            "flock_advance": float(flocks.counted_m.mean()) / most_m if most_m else 0.0,
            "way": float((flocks.record_m - flocks.start_m).mean()),
            "health": float(self._health().mean()), "exposure": float(self._exposed_s.mean()),
            "hazards_known": len(self._known), "wrong_hazards": self._wrong,
            "collisions": self.motion.contacts.episodes})
