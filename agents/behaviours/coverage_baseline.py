"""The baseline of `coverage`: robots spread evenly by Lloyd's algorithm, as if all places counted alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.behaviours import Behaviour
from agents.behaviours.covering.beliefs import Look
from agents.behaviours.covering.cells import Reals
from agents.behaviours.covering.coverer import Coverer
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Perceived


class Even(Coverer):
    """The policy of one robot; see `Behaviour`. It looks at nothing."""

    def density(self, of: NDArray[np.intp], now_s: float) -> Reals:
        """See `Coverer`."""
        return np.ones(len(of))

    def look(self, seen: Perceived, now_s: float) -> Look | None:
        """See `Coverer`."""

    def told(self, look: Look) -> None:
        """See `Coverer`."""


def coverage_baseline(robot: str, team: list[str], seed: int, sensors: SensorSuite) -> Behaviour:
    """The behaviour of one robot that covers a field evenly with its team. It draws nothing.

    Raises: BadInput when the robot has no lidar.
    """
    return Even("coverage_baseline", robot, team, sensors)
