"""The baseline of the warehouse: each robot for itself. It goes to the nearest bay in which it has seen such a good.

If it has seen none, it goes to the nearest bay that it has not looked at for long. Robots tell each other nothing; one
that is in another's way backs off and tries again.
"""

from __future__ import annotations

import numpy as np

from agents.behaviours import Behaviour
from agents.behaviours.picking.floor_plan import FloorPlan
from agents.behaviours.picking.picker import PICK_FROM, Picker
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Pose

STALE_S = 30.0                       # a look that is older than this is repeated


class WarehouseBaseline(Picker):
    """The policy of one robot; see `Behaviour`."""

    def choose(self, plan: FloorPlan, pose: Pose, label: str, now: int) -> int:
        """The nearest bay with such a good; else the nearest one with a stale look; else that with the oldest."""
        at = pose.x_m, pose.y_m
        looked_s = self._beliefs.looked_s()
        known = np.flatnonzero(self.belief(label, now) >= PICK_FROM)
        stale = np.flatnonzero(looked_s < now / 1e9 - STALE_S)
        bays = known if known.size else stale if stale.size else np.flatnonzero(looked_s == looked_s.min())
        return min(bays.tolist(), key=lambda bay: (plan.way_m(at, plan.access(bay)), bay))


def warehouse_baseline(robot: str, team: list[str], seed: int, sensors: SensorSuite) -> Behaviour:
    """The baseline for one robot of the team. seed: of its random draws.

    Raises: BadInput when the robot has no camera or no lidar.
    """
    return WarehouseBaseline("warehouse_baseline", robot, team, seed, sensors)
