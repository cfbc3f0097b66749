"""The baseline of `formation`: each robot drives to the ends on its own, round the hazards that it has seen itself."""

from __future__ import annotations

from agents.behaviours import STAY, Behaviour, Event, Output
from agents.behaviours.flock.lane import on_lane
from agents.behaviours.flock.navigator import Navigator
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Observation, Perceived


class Alone:
    """The policy of one robot; see `Behaviour`. It sends no notes and hears none."""

    def __init__(self, navigator: Navigator) -> None:
        self._navigator = navigator

    def on(self, event: Event, now: int) -> list[Output]:
        """See `Behaviour.on`."""
        navigator = self._navigator
        if isinstance(event, Perceived):
            navigator.perceive(event, now)
            return [*navigator.reports()]
        if not isinstance(event, Observation):
            return []
        if not event.scan.size:
            return [STAY]
        scan = navigator.sense(event, now, [])
        if navigator.at_end(event.pose):
            navigator.turn()
        return [navigator.drive(event, scan, navigator.hazards, now)]


def formation_baseline(robot: str, team: list[str], seed: int, sensors: SensorSuite) -> Behaviour:
    """The behaviour of one robot that has no flock. seed: of its random draws.

    Raises: BadInput when the robot has no camera or no lidar.
    """
    return on_lane(robot, team, lambda flock: Alone(Navigator("formation_baseline", robot, flock, seed, sensors)))
