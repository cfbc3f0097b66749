"""Formation: a flock goes from end to end of a field with walls and hazards, and back, as one ordered group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from sim_worlds.engine import Engine, mission_of
from sim_worlds.robots import KINDS
from sim_worlds.robots.brought.body import kind_for
from sim_worlds.scenarios.formation import metrics
from sim_worlds.scenarios.formation.course import END_M, KEEP_OUT_M, Course, generate
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
REACH_M = 4.0                        # robots this close are neighbours
TOUCH_M = 0.02                       # between the rims of robots that touch
DEADLY_S = 3.0                       # in keep-outs: after that a robot has no health left, and counts no more
REPORT_M = 0.75                      # a report this close to a hazard is right
SAMPLE_S = 0.1


def build(fleet: Sequence[RobotSpec], seed: int, *, render: bool = True) -> Formation:
    """The world of a seed with this fleet, at rest at its spawn poses.

    Raises ValueError for a fleet that the engine refuses or that does not fit at the start.
    """
    return Formation(generate(seed, len(fleet)), fleet, render=render)


def check_spawn(seed: int, robots: int, kind: str, x_m: float, y_m: float) -> None:
    """Raise ValueError with the reason if a robot of this kind cannot start at (x, y) on the course of a seed."""
    generate(seed, robots).check_spawn(x_m, y_m, KINDS[kind].radius_m)


class Formation(Engine):
    """Robots on a course, the way that they have made as a flock, and how they kept together."""

    mark, done = "hazard", "known"

    def __init__(self, course: Course, fleet: Sequence[RobotSpec], *, render: bool) -> None:
        super().__init__(course, fleet, scenario="formation", seed=course.seed, render=render)
        self._hazards = np.array([(h.x_m, h.y_m) for h in course.targets]).reshape(-1, 2)
        self._top_mps = min(kind_for(robot).v_max_mps for robot in fleet)
        self._legs = np.zeros(len(fleet))                    # ends that each robot has reached, in turn
        self._record_m = self._start_m = float(self._ways_m().min())     # of the flock's way
        self._counted_m = 0.0
        self._samples = 0
        self._sums: dict[str, float] = dict.fromkeys(("order", "safety", "union", "connectivity"), 0.0)
        self._exposed_s = np.zeros(len(fleet))
        self._known: dict[int, tuple[str, float]] = {}       # hazard -> robot, time
        self._wrong = 0
        self._every = max(1, round(SAMPLE_S / self.dt_s))

    def step(self) -> None:
        """Advance by `dt_s`, and measure the flock ten times a second."""
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
        if not here.any():
            return
        at, speeds = self.motion.at[here], self.motion.speeds[here, 0]
        xy, near = at[:, :2], metrics.within_reach(at[:, :2], REACH_M)
        away_m = np.hypot(xy[:, None, 0] - self._hazards[:, 0], xy[:, None, 1] - self._hazards[:, 1])
        exposed = (away_m < KEEP_OUT_M).any(axis=1)
        self._exposed_s[here] += exposed * self._every * self.dt_s
        now = {
            "order": metrics.order(speeds[:, None] * np.column_stack([np.cos(at[:, 2]), np.sin(at[:, 2])]), near),
            "safety": metrics.safety(xy, self.motion.radii_m[here], TOUCH_M),
            "union": metrics.union(near), "connectivity": metrics.connectivity(near),
        }
        self._samples += 1
        for name, value in now.items():
            self._sums[name] += value
        way_m = float(self._ways_m()[here].min())
        if way_m > self._record_m:
            health = float(self._health()[here].mean())
            self._counted_m += (way_m - self._record_m) * max(now["order"], 0.0) * now["connectivity"] * health
            self._record_m = way_m

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
        return (END_M if self._legs[self.index(robot)] % 2 == 0 else -END_M), 0.0

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
        means = {name: total / max(self._samples, 1) for name, total in self._sums.items()}
        most_m = self._top_mps * self.time_s
        return mission_of(HEADLINE, MEASURES, means | {
            "flock_advance": self._counted_m / most_m if most_m else 0.0, "way": self._record_m - self._start_m,
            "health": float(self._health().mean()), "exposure": float(self._exposed_s.mean()),
            "hazards_known": len(self._known), "wrong_hazards": self._wrong,
            "collisions": self.motion.contacts.episodes})
