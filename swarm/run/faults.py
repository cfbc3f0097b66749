"""Injects the faults of a run at their times and clears them: by orders to the host, or by messages to the processes.

Several faults may hold one process at once. A process is always told of all its faults together (`injected`), so that
a message that comes late or twice does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from swarm.core.policy.faults import Fault, affected, expand, injected
from swarm.core.settings.launch_file import PLANNERS, LaunchFile
from swarm.core.units import ns
from swarm.run import events as ev


def faults_of(launch: LaunchFile) -> list[Fault]:
    """The single faults of a run, in order of time. No partition cuts off the world: it is no peer."""
    fleets = {fleet.name: fleet.robots() for fleet in launch.fleet}
    others = [name for name in launch.processes() if name in PLANNERS]
    return expand(launch.faults, launch.seed, launch.duration_s, fleets, others)


class FaultSchedule:
    """The faults of one run. `order` takes commands for the host.

    ready, running: the names of the processes that are ready now, and of those that have not ended. outside: whether a
    robot has not joined yet, or has left: no fault hits it, or brings it back.
    """

    def __init__(
        self, faults: list[Fault], seed: int, *, ready: Callable[[], Collection[str]],
        running: Callable[[], Collection[str]], order: Callable[[ev.Command], None],
        outside: Callable[[str], bool] = lambda name: False,
    ) -> None:
        self._outside = outside
        self._faults, self._seed = faults, seed
        self._ready, self._running, self._order = ready, running, order
        self._active: list[Fault] = []               # faults that last at the moment
        self._restarting: dict[str, Fault] = {}      # restarts whose new process is not ready yet
        self._over = False

    def schedule(self, start_ns: int) -> None:
        """The streams begin: each fault is due at its time after that."""
        for fault in self._faults:
            self._order(ev.Wake(start_ns + ns(fault.at_s), ev.FaultDue(fault)))

    def end(self) -> None:
        """The streams stop: every fault is cleared, and no process is started again."""
        self._over = True
        for fault in list(self._active):
            self.clear(fault)

    def process_ready(self, name: str) -> None:
        """A process is ready. If it was restarted, it has the same faults as its predecessor."""
        if any(name in affected(fault) for fault in self._active):
            self._tell(name)
        restart = self._restarting.pop(name, None)
        if restart is not None:
            self._order(ev.FaultCleared(restart))

    def process_ended(self, name: str, killed: bool, now: int) -> None:
        """A process has ended, so it is no longer paused. After the kill of a restart, its successor is due."""
        for fault in [fault for fault in self._active if fault.kind == "stop" and fault.target == name]:
            self.clear(fault)
        restart = self._restarting.get(name)
        if restart is not None and killed:
            self._order(ev.Wake(now + ns(restart.after_s), ev.RestartDue(restart)))
        elif restart is not None:
            del self._restarting[name]               # the successor crashed before it was ready

    def inject(self, fault: Fault, now: int) -> None:
        """The time of a fault has come."""
        if self._over or not self._possible(fault):
            return
        self._order(ev.FaultInjected(fault))
        match fault.kind:
            case "kill":
                self._order(ev.Kill(fault.target))
            case "restart":
                self._restarting[fault.target] = fault
                if fault.target in self._running():
                    self._order(ev.Kill(fault.target))
                else:
                    self.restart(fault)
            case _:
                self._begin(fault, now)

    def clear(self, fault: Fault) -> None:
        """A fault ends. Where several do the same to a process, the process recovers when the last of them ends."""
        if fault not in self._active:
            return
        self._active.remove(fault)
        same = [other for other in self._active if (other.kind, other.target) == (fault.kind, fault.target)]
        if fault.kind == "stop" and not same:
            self._order(ev.Continue(fault.target))
        elif fault.kind == "disk_full" and not same:
            self._order(ev.DiskFull(False))
        for name in affected(fault):
            self._tell(name)
        if fault.for_s:
            self._order(ev.FaultCleared(fault))

    def restart(self, fault: Fault) -> None:
        """Start a process again whose kill, or whose death, was some time ago."""
        if not self._over and not self._outside(fault.target):
            clock_step_s = injected(fault.target, self._active, self._seed).clock_step_s
            self._order(ev.Spawn(fault.target, clock_step_s))

    def _possible(self, fault: Fault) -> bool:
        """A dead process can only be restarted; a process that is being restarted is left alone."""
        if not fault.target:
            return True
        if self._outside(fault.target):
            return False
        return fault.target not in self._restarting and (fault.kind == "restart" or fault.target in self._running())

    def _begin(self, fault: Fault, now: int) -> None:
        """Inject a fault that lasts for a while, or until the end."""
        self._active.append(fault)
        if fault.kind == "stop":
            self._order(ev.Pause(fault.target))
        elif fault.kind == "disk_full":
            self._order(ev.DiskFull(True))
        for name in affected(fault):
            self._tell(name)
        if fault.for_s:
            self._order(ev.Wake(now + ns(fault.for_s), ev.FaultExpired(fault)))

    def _tell(self, name: str) -> None:
        """All faults of a process at this moment. One that is not ready is told when it is."""
        if name in self._ready():
            self._order(ev.Tell(name, injected(name, self._active, self._seed)))
