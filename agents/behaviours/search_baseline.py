"""A baseline for `search_rescue`: each robot goes to the nearest place where something is unseen, as if it were alone.

Map, perception, driving, visits to possible targets and claims are those of `search_rescue`. Robots tell each other
nothing. Source: Yamauchi, A Frontier-Based Approach for Autonomous Exploration, CIRA 1997.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.behaviours import Behaviour, Heard
from agents.behaviours.search import frontier
from agents.behaviours.search.goals import Goal, Goals
from agents.behaviours.search.searcher import Searcher
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Pose


class SearchBaseline(Searcher):
    """The policy of one robot; see `Behaviour`. It needs a camera and a lidar. Raises: BadInput."""

    def __init__(self, robot: str, seed: int, sensors: SensorSuite) -> None:
        super().__init__("search_baseline", robot, seed, sensors, Goals(robot, seed, frontier.nearest))

    def _choose(self, pose: Pose, states: NDArray[np.uint8], now: int) -> Goal:
        return self._goals.pick(pose, states, self._targets, {}, self._goal, now)

    def _hear(self, heard: Heard, now: int) -> None:
        self._count["notes_ignored"] += 1


def search_baseline(robot: str, team: list[str], seed: int, sensors: SensorSuite) -> Behaviour:
    """The baseline's behaviour of one robot; its team does not matter. seed: of its random draws.

    Raises: BadInput when the robot has no camera or no lidar.
    """
    return SearchBaseline(robot, seed, sensors)
