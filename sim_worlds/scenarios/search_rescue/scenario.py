"""Search and rescue: find 12 targets of 3 classes in a building of rooms, and claim each one once."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec.structs import replace

from sim_worlds.engine import Engine, mission_of
from sim_worlds.environment import Environment
from sim_worlds.maps import FloorPlan
from sim_worlds.occupancy import Grid
from sim_worlds.robots import KINDS
from sim_worlds.scenarios.search_rescue.building import generate
from sim_worlds.scenarios.search_rescue.claims import Claims
from sim_worlds.scenarios.search_rescue.furnished_map import furnish
from sim_worlds.sensors.lidar import Coverage
from swarm.core.protocol.scene import SHARE, Mission, Scene
from swarm.core.protocol.world import Observation, Report
from swarm.core.settings.process_files import RobotSpec

HEADLINE = "found_auc"
MEASURES = {
    "found_auc": (SHARE, "mean share of the targets that had been found, less wrong claims, over the run"),
    "found": ("", "targets that a robot has claimed rightly"),
    "coverage": (SHARE, "share of the free floor that any robot has seen"),
    "targets": ("", "targets in the building"),
    "collisions": ("", "contacts of robots, each counted once while it lasts"),
    "wrong_claims": ("", "claims where there is no such target, each place once"),
    "duplicate_claims": ("", "claims of a target that was found before"),
}
"""Unit and meaning of each measure of the mission, in the order in which they are shown."""
COVERAGE_EVERY_S = 0.2               # per robot
COVERAGE_CELL_M = 0.25
COVERAGE_M = 4.0                     # a robot sees the floor up to this distance


def build(fleet: Sequence[RobotSpec], seed: int, *, render: bool = True) -> SearchRescue:
    """The world of a seed with this fleet, at rest at its spawn poses.

    Raises ValueError for a fleet that the engine refuses or that does not fit into the building.
    """
    return SearchRescue(generate(seed, len(fleet)), fleet, seed=seed, render=render)


def on_map(floor: FloorPlan, fleet: Sequence[RobotSpec], seed: int, *, render: bool = True) -> SearchRescue:
    """The same on the floor of a map, where the seed draws the targets.

    Raises ValueError for a fleet that the engine refuses, or if robots or targets do not fit on the floor.
    """
    return SearchRescue(furnish(floor, seed, len(fleet)), fleet, seed=seed, render=render)


def check_spawn(seed: int, robots: int, kind: str, x_m: float, y_m: float) -> None:
    """Raise ValueError with the reason if a robot of this kind cannot start at (x, y) in the building of a seed."""
    generate(seed, robots).check_spawn(x_m, y_m, KINDS[kind].radius_m)


class SearchRescue(Engine):
    """Robots in a building, the targets found and the floor seen."""

    mark, done = "target", "found"

    def __init__(self, building: Environment, fleet: Sequence[RobotSpec], *, seed: int, render: bool) -> None:
        super().__init__(building, fleet, scenario="search_rescue", seed=seed, render=render)
        grid = Grid(size_m=building.size_m, resolution_m=COVERAGE_CELL_M)
        self._coverage = Coverage(building.occupancy(COVERAGE_CELL_M), grid, COVERAGE_M, self._lidar)
        self._covered_s = dict.fromkeys(self.names, -math.inf)
        self._claims = Claims(building.targets)

    def observe(self, robot: str, *, frame: bool) -> Observation:
        """The robot's sensor readings now; its scan counts for the coverage."""
        observed = super().observe(robot, frame=frame)
        if self.suite.lidar is not None and self.time_s - self._covered_s[robot] >= COVERAGE_EVERY_S:
            self._coverage.add(self.scanned_from(robot), observed.scan)
            self._covered_s[robot] = self.time_s
        return observed

    def judge(self, robot: str, report: Report) -> str:
        """Judge a claim (`Claims.judge`): found, duplicate or wrong."""
        self.index(robot)
        return self._claims.judge(robot, report, self.time_s)

    def due_reports(self, robot: str) -> list[Report]:
        """Claims of the targets that the robot's camera shows well from nearby."""
        return self._claims.claims_of(self._claims.seen(self.view(robot)))

    def mission(self) -> Mission:
        """The progress of the mission."""
        return mission_of(HEADLINE, MEASURES, {
            "found_auc": self._claims.worth(self.time_s), "found": len(self._claims.found),
            "coverage": self._coverage.share, "targets": len(self.environment.targets),
            "collisions": self.motion.contacts.episodes,
            "wrong_claims": len(self._claims.wrong_s), "duplicate_claims": self._claims.duplicate,
        })

    def scene(self) -> Scene:
        """The world as plain data."""
        scene = super().scene()
        return replace(scene, marks=self._claims.marked(scene.marks))
