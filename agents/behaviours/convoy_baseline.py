"""Convoy, the simple way: each robot drives the road out and back by itself at full speed, and reports what it saw.

It is the reference of `convoy`: it sends no notes. Robots leave the depot one after the other, then wait for nobody.
"""

from __future__ import annotations

from agents.behaviours import STAY, Behaviour, Event, Output, Verdict
from agents.behaviours.road.driver import Driver
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Observation, Perceived

LEAVE_NS = 2_500_000_000             # from one robot to the next: two at a time would block each other


class ConvoyBaseline:
    """The policy of one robot; see `Behaviour`. Raises: BadInput."""

    def __init__(self, robot: str, place: int, seed: int, sensors: SensorSuite) -> None:
        self._driver = Driver("convoy_baseline", robot, place, seed, sensors)
        self._back = False
        self._wait_ns = place * LEAVE_NS
        self._began_ns: int | None = None

    def on(self, event: Event, now: int) -> list[Output]:
        """See `Behaviour.on`."""
        driver = self._driver
        if isinstance(event, Perceived):
            driver.perceive(event, now)
        elif isinstance(event, Verdict):
            driver.judged(event)
        if not isinstance(event, Observation):
            return []
        self._began_ns = now if self._began_ns is None else self._began_ns
        waits = now - self._began_ns < self._wait_ns
        if not self._back:
            driver.way.add(event.pose)
        if not event.scan.size:
            return [STAY, *driver.reports(event.pose, now)]
        scan = driver.see(event, now)
        path = [] if self._back or waits else driver.way.out(event.pose, scan, now)
        self._back |= driver.way.ends(now)
        if self._back:
            path = driver.way.home(event.pose)
        return [driver.follow(event, scan, path, now), *driver.reports(event.pose, now)]


def convoy_baseline(robot: str, team: list[str], seed: int, sensors: SensorSuite) -> Behaviour:
    """The simple behaviour of one robot on a road. Raises: BadInput when it has no camera or no lidar."""
    return ConvoyBaseline(robot, team.index(robot) if robot in team else 0, seed, sensors)
