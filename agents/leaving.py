"""How an agent leaves on a board that stops or updates it: it takes no more frames, and ends what it has begun.

Deterministic.
"""

from __future__ import annotations

from agents.robot import Robot
from swarm.core.ports import Host
from swarm.core.units import ns

CHECK_NS = ns(0.02)


class Leaving:
    """Stops the machine once no request of the robot and no run for a peer is left, and after `most_s` at the latest.

    A second call stops it at once.
    """

    def __init__(self, robot: Robot, host: Host, most_s: float) -> None:
        self._robot, self._host, self._most_ns = robot, host, ns(most_s)
        self._until_ns: int | None = None

    def begin(self) -> None:
        if self._until_ns is not None:
            self._host.machine.stop()
            return
        now = self._host.clock.now_ns()
        self._until_ns = now + self._most_ns
        self._robot.end_streams(now)
        self._check()

    def _check(self) -> None:
        holds = self._robot.holds
        assert self._until_ns is not None
        if self._host.clock.now_ns() >= self._until_ns or not (holds.open or holds.runs or holds.reports):
            self._host.machine.stop()
        else:
            self._host.timers.after(CHECK_NS, self._check)
