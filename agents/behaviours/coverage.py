"""Coverage: robots share what their cameras show, and spread by Lloyd's algorithm over what they believe to count."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.behaviours import Behaviour, required
from agents.behaviours.covering.beliefs import Beliefs, Look
from agents.behaviours.covering.cells import Reals
from agents.behaviours.covering.coverer import Coverer
from agents.behaviours.covering.sight import Sight
from agents.behaviours.search.classes import TARGET_CLASSES, of_search
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Detections, Perceived


class Coverage(Coverer):
    """The policy of one robot; see `Behaviour`. It needs a camera and a lidar. Raises: BadInput."""

    def __init__(self, robot: str, team: list[str], sensors: SensorSuite) -> None:
        super().__init__("coverage", robot, team, sensors)
        self._sight = Sight(required("coverage", "camera", sensors.camera))
        self.beliefs = Beliefs(self._sight, self.points)

    def density(self, of: NDArray[np.intp], now_s: float) -> Reals:
        """See `Coverer`."""
        return self.beliefs.density(of, now_s)

    def look(self, seen: Perceived, now_s: float) -> Look | None:
        """See `Coverer`."""
        found = of_search(seen)
        if not isinstance(found, Detections):
            return None
        located = [(TARGET_CLASSES[box.label], self._sight.locate(box, seen.pose)) for box in found.boxes]
        look = Look(at_s=now_s - seen.age_s, pose=seen.pose,
                    finds=tuple((label, place) for label, place in located if place is not None))
        self.beliefs.take(look)
        self.beliefs.forget(look.pose, self.far_m)
        return look

    def told(self, look: Look) -> None:
        """See `Coverer`."""
        self.beliefs.take(look)


def coverage(robot: str, team: list[str], seed: int, sensors: SensorSuite) -> Behaviour:
    """The behaviour of one robot that covers a field with its team. It draws nothing.

    Raises: BadInput when the robot has no camera or no lidar.
    """
    return Coverage(robot, team, sensors)
