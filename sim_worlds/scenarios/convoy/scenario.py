"""Convoy: robots drive out along a road and back, and report the things beside it to the depot where they started.

A report counts when it is made within 3.5 m of the gate: a robot carries it there, or tells a teammate that is there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec.structs import replace

from sim_worlds.engine import Engine, mission_of
from sim_worlds.scenarios.convoy.road import CELL_M, DEPOT, Road, cell_of, road
from sim_worlds.scenarios.search_rescue.claims import Claims
from swarm.core.protocol.scene import SHARE, Mission, Scene, SceneShape
from swarm.core.protocol.world import Observation, Report
from swarm.core.settings.process_files import RobotSpec

HEADLINE = "delivered_auc"
MEASURES = {
    "delivered_auc": (SHARE, "mean share of the things reported at the depot, less wrong reports, over the run"),
    "delivered": ("", "things whose right report has reached the depot"),
    "things": ("", "things beside the road"),
    "road": (SHARE, "share of the road's cells in which a robot has been"),
    "home": (SHARE, "share of the robots that are within the depot's reach"),
    "collisions": ("", "contacts of robots, each counted once while it lasts"),
    "wrong_claims": ("", "reports at the depot of what is not there, each place once"),
    "duplicate_claims": ("", "reports at the depot of what was reported before"),
}
"""Unit and meaning of each measure of the mission, in the order in which they are shown."""
DEPOT_REACH_M = 3.5                  # from the gate: reports from farther away do not reach the depot
GATE_HALF_M = 0.06                   # half of its thickness on maps


def build(fleet: Sequence[RobotSpec], seed: int, *, render: bool = True) -> Convoy:
    """The road of a seed with this fleet in its depot.

    Raises ValueError for a fleet that the engine refuses, or too large a one.
    """
    return Convoy(road(seed, len(fleet)), fleet, render=render)


class Convoy(Engine):
    """Robots on a road, and what has been reported at the depot."""

    mark, done = "thing", "reported"

    def __init__(self, place: Road, fleet: Sequence[RobotSpec], *, render: bool) -> None:
        super().__init__(place, fleet, scenario="convoy", seed=place.seed, render=render)
        self._claims = Claims(place.targets)
        self._noticed: dict[str, set[int]] = {}              # things, by robot, for `due_reports`
        self._cells, self._entered = frozenset(place.cells), set[tuple[int, int]]()

    def observe(self, robot: str, *, frame: bool) -> Observation:
        """The robot's sensor readings now; the cell where it is counts as driven."""
        x, y, _ = self.motion.at[self.index(robot)].tolist()
        self._entered |= {cell_of(x, y)} & self._cells
        return super().observe(robot, frame=frame)

    def judge(self, robot: str, report: Report) -> str:
        """Judge a report as `Claims.judge` does: found, duplicate or wrong.

        Returns also: far (the robot is out of the depot's reach: nothing counts).
        """
        if not self._at_depot(robot):
            return "far"
        return self._claims.judge(robot, report, self.time_s)

    def due_reports(self, robot: str) -> list[Report]:
        """At the depot, what the robot's camera has shown well from nearby."""
        seen = self._noticed.setdefault(robot, set())
        seen.update(self._claims.seen(self.view(robot)))
        return self._claims.claims_of(sorted(seen)) if self._at_depot(robot) else []

    def _at_depot(self, robot: str) -> bool:
        x, y, _ = self.motion.at[self.index(robot)].tolist()
        return math.dist((x, y), DEPOT) <= DEPOT_REACH_M

    def mission(self) -> Mission:
        """The progress of the mission."""
        home = sum(math.dist(place, DEPOT) <= DEPOT_REACH_M for place in self.places().tolist())
        return mission_of(HEADLINE, MEASURES, {
            "delivered_auc": self._claims.worth(self.time_s), "delivered": len(self._claims.found),
            "things": len(self.environment.targets), "road": len(self._entered) / len(self._cells),
            "home": home / len(self.names), "collisions": self.motion.contacts.episodes,
            "wrong_claims": len(self._claims.wrong_s), "duplicate_claims": self._claims.duplicate,
        })

    def scene(self) -> Scene:
        """The world as plain data, with the gate of the depot."""
        scene = super().scene()
        gate = SceneShape(layer="gate", shape="box", x_m=DEPOT[0], y_m=DEPOT[1], hx_m=GATE_HALF_M, hy_m=CELL_M / 2,
                          yaw_rad=0.0, colour="#2e8b57")
        return replace(scene, shapes=[*scene.shapes, gate], marks=self._claims.marked(scene.marks))
