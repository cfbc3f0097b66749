"""Strikes with the faults of a launch and ends what lasts: signals from here, the rest by word to whom it ails."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial

from swarm.core.clock import ns
from swarm.core.policy.faults import Fault, afflicted, ails, expand
from swarm.core.settings.launch_file import LaunchFile
from swarm.launcher.processes import Child, Children
from swarm.net.loop import Loop
from swarm.run.roster import Members
from swarm.telemetry.collector import Collector


def drawn(launch: LaunchFile) -> list[Fault]:
    """The single faults of a run. The world is nobody's peer: no partition cuts it off."""
    fleets = {fleet.name: fleet.robots() for fleet in launch.fleet}
    others = [name for name in launch.processes() if name == "planner"]
    return expand(launch.faults, launch.seed, launch.duration_s, fleets, others)


class Faults:
    """Of one run. `start_again` starts a process under a name that had one; everything happens in the loop's thread."""

    def __init__(
        self, loop: Loop, faults: list[Fault], seed: int, children: Children, members: Members, collector: Collector,
        start_again: Callable[[str], None],
    ) -> None:
        self._loop, self._faults, self._seed = loop, faults, seed
        self._children, self._members, self._collector = children, members, collector
        self._start_again = start_again
        self._on: list[Fault] = []                   # those that last at the moment
        self._to_come_back: dict[str, Fault] = {}    # restarts whose process has not said yet that it is ready
        self._over = False

    def begin(self, start_ns: int) -> None:
        """The streams begin: from here on each strikes at its time."""
        for fault in self._faults:
            self._loop.at(start_ns + ns(fault.at_s), partial(self._strike, fault))

    def end(self) -> None:
        """The streams stop: whoever stands still goes on, whoever is ailing is well, nobody comes back any more."""
        self._over = True
        for fault in list(self._on):
            self._lift(fault)

    def ready(self, name: str) -> None:
        """A process reports for work: one that was started again is still as ill as its predecessor."""
        if any(name in ails(fault) for fault in self._on):
            self._tell(name)
        back = self._to_come_back.pop(name, None)
        if back is not None:
            self._collector.over(back, self._loop.clock.now_ns())

    def ended(self, child: Child) -> None:
        """A process has ended. If that was a restart, the next one is started; what stops it has ended with it."""
        for fault in [fault for fault in self._on if fault.kind == "stop" and fault.target == child.name]:
            self._lift(fault)
        fault = self._to_come_back.get(child.name)
        if fault is not None and child.killed:
            self._loop.after(ns(fault.after_s), partial(self._restart, fault))
        elif fault is not None:
            del self._to_come_back[child.name]       # its successor crashed

    def clock_step_s(self, name: str) -> float:
        """By how much the wall clock of a process that starts now is off."""
        return afflicted(name, self._on, self._seed).clock_step_s

    # --- striking ---

    def _strike(self, fault: Fault) -> None:
        if self._over or not self._can_strike(fault):
            return
        self._collector.struck(fault, self._loop.clock.now_ns())
        match fault.kind:
            case "kill":
                self._children.kill(fault.target)
            case "restart" if self._children.is_running(fault.target):
                self._to_come_back[fault.target] = fault
                self._children.kill(fault.target)
            case "restart":
                self._to_come_back[fault.target] = fault
                self._restart(fault)
            case _:
                self._last(fault)

    def _can_strike(self, fault: Fault) -> bool:
        """Nothing but a restart strikes the dead, and nothing one that is on its way back."""
        if not fault.target:
            return True
        return fault.target not in self._to_come_back and (
            fault.kind == "restart" or self._children.is_running(fault.target))

    def _last(self, fault: Fault) -> None:
        """Begin what goes on for a while, or for good."""
        self._on.append(fault)
        if fault.kind == "stop":
            self._children.signal(fault.target, signal.SIGSTOP)
        elif fault.kind == "disk_full":
            self._collector.disk_full(True)
        for name in ails(fault):
            self._tell(name)
        if fault.for_s:
            self._loop.after(ns(fault.for_s), partial(self._lift, fault))

    def _lift(self, fault: Fault) -> None:
        """It has lasted long enough. Of several that do the same, the last one to end is the end of it."""
        if fault not in self._on:
            return
        self._on.remove(fault)
        if fault.kind == "stop" and not any(f.kind == "stop" and f.target == fault.target for f in self._on):
            self._children.signal(fault.target, signal.SIGCONT)
        elif fault.kind == "disk_full" and not any(f.kind == "disk_full" for f in self._on):
            self._collector.disk_full(False)
        for name in ails(fault):
            self._tell(name)
        if fault.for_s:
            self._collector.over(fault, self._loop.clock.now_ns())

    def _restart(self, fault: Fault) -> None:
        if not self._over:
            self._start_again(fault.target)

    def _tell(self, name: str) -> None:
        """All that ails a process now; one that is down hears it when it is ready again."""
        if name in self._members.names():
            self._members.tell(name, afflicted(name, self._on, self._seed))
