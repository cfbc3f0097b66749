"""Robots that join or leave by the launch file, by orders to the host at their times, and those that run out of energy.

Before a robot joins, and after it has left, its body stands switched off where it is. Its process starts when it joins.
A robot that leaves ends its open requests first; peers and planner notice by themselves that it is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from swarm.core.protocol import messages as msg
from swarm.core.settings.launch_file import LaunchFile
from swarm.core.units import ns
from swarm.run import events as ev


class Presence:
    """The robots of one run that are not there all the time. `order` takes commands for the host.

    ready, running: the names of the processes that are ready now, and of those that have not ended. leave_s: how long
    a robot may take to end its open requests.
    """

    def __init__(
        self, launch: LaunchFile, leave_s: float, *, ready: Callable[[], Collection[str]],
        running: Callable[[], Collection[str]], order: Callable[[ev.Command], None],
    ) -> None:
        self._ready, self._running, self._order, self._leave_ns = ready, running, order, ns(leave_s)
        self._joins = {robot: fleet.joins_at_s for fleet in launch.fleet for robot in fleet.robots()
                       if fleet.joins_at_s}
        self._leaves = {robot: fleet.leaves_at_s for fleet in launch.fleet for robot in fleet.robots()
                        if fleet.leaves_at_s is not None}
        self._over = False
        self._empty: set[str] = set()                # robots whose battery is empty
        self._outside = set(self._joins)             # robots that have not joined, and robots that have left

    def is_outside(self, robot: str) -> bool:
        """Whether a robot has not joined yet, or has left, or is about to, or its battery is empty."""
        return robot in self._outside

    def schedule(self, start_ns: int) -> None:
        """The streams begin: the bodies of those that are not there yet are switched off."""
        for robot, at_s in self._joins.items():
            self._switch_off(robot)
            self._order(ev.Wake(start_ns + ns(at_s), ev.JoinDue(robot)))
        for robot, at_s in self._leaves.items():
            self._order(ev.Wake(start_ns + ns(at_s), ev.LeaveDue(robot)))

    def handle(self, event: ev.JoinDue | ev.LeaveDue | ev.LeaveLimit, now: int) -> None:
        """A time has come. Once the streams have ended, nobody joins or leaves."""
        match event:
            case ev.JoinDue(robot) if not self._over:
                self._outside.discard(robot)
                self._order(ev.Spawn(robot))
            case ev.LeaveDue(robot) if not self._over:
                self._leave(robot, now)
            case ev.LeaveLimit(robot):
                self._end(robot)
            case _:
                pass

    def end(self) -> None:
        """The streams have ended."""
        self._over = True

    def joined(self, robot: str) -> None:
        """Its process is ready; the first time that is told."""
        if self._joins.pop(robot, None) is not None:
            self._order(ev.RobotJoined(robot))

    def _leave(self, robot: str, now: int) -> None:
        """It takes no more frames, and ends what it has begun."""
        self._outside.add(robot)
        self._switch_off(robot)
        if robot in self._ready():
            self._order(ev.Tell(robot, msg.Drain()))
            self._order(ev.Wake(now + self._leave_ns, ev.LeaveLimit(robot)))
        else:
            self._end(robot)

    def drained(self, robot: str) -> None:
        """All of its requests have ended."""
        if robot in self._outside and robot in self._ready():
            self._order(ev.Tell(robot, msg.Shutdown()))

    def ran_out(self, robot: str) -> None:
        """The battery of a robot is empty: its computer ends at once, and for good."""
        if robot not in self._outside:
            self._outside.add(robot)
            self._empty.add(robot)
            self._order(ev.RobotEmpty(robot))
            self._end(robot)

    def _end(self, robot: str) -> None:
        """End its process, if it has one: it has had its time to leave, or was not ready yet, or has no energy."""
        if robot in self._running():
            self._order(ev.Kill(robot))

    def ended(self, robot: str, boot: int, by_us: bool) -> bool:
        """A process has ended. Whether this is a robot that has left; by_us: as it was told to, or killed."""
        left = robot in self._outside - self._empty and by_us
        if left:
            self._order(ev.RobotLeft(robot, boot))
        return left

    def _switch_off(self, robot: str) -> None:
        if "world" in self._ready():
            self._order(ev.Tell("world", msg.Gone(name=robot, boot=0)))
