"""What must hold in every run: checked while it happens, and at its end.

The names of the invariants are those of the findings. ARCHITECTURE.md states each as a promise.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import msgspec
from numpy.typing import NDArray

from agents.robot import Robot
from agents.scheduling.peer_requests import QUEUE_BOUND
from swarm.core.ports import Host
from swarm.core.protocol import messages as msg
from swarm.core.settings.launch_file import LaunchFile
from swarm.membership.events import PRESENT
from swarm.membership.outbox import BOUND
from swarm.planner.planner import Planner
from swarm.transport.bulk.sender import QUEUE_BYTES, QUEUE_MESSAGES
from swarm.virtual.explore.guard_watch import GuardWatch
from swarm.virtual.process import VirtualProcess
from swarm.virtual.processes import Policy
from swarm.virtual.run import VirtualRun

QUEUES_EVERY = 200                   # events between two looks at all queues

Send = Callable[..., bool]


class Broken(msgspec.Struct, frozen=True):
    """An invariant that does not hold: its name, what was found, and the event."""

    invariant: str
    found: str
    where: str


class Watch:
    """Watches one run. `broken` is the first finding."""

    def __init__(self, run: VirtualRun, launch: LaunchFile) -> None:
        self._run, self._launch = run, launch
        self._agreed = False
        self._own_runs = sum(len(fleet.robots()) for fleet in launch.fleet) * len(launch.streams)
        self.broken: Broken | None = None
        self.guards = GuardWatch(run, self._tell)
        run.processes.made, run.processes.began = self._watch_sends, self._began

    def after_event(self) -> None:
        """Look at the whole after an event."""
        run = self._run
        if run.timeline.happened % QUEUES_EVERY == 0:
            self._queues()
        if run.director.drain_ns and not self._agreed:
            self._agreed = True
            self._views()

    def at_end(self) -> None:
        """Look at the run when it is over."""
        run, total = self._run, self._run.collector.ledger()
        if run.director.error:
            self._tell("the run ends in order", run.director.error)
        for name in ("ended_twice", "submitted_twice", "not_an_ending"):
            count = getattr(total, name)
            if count:
                self._tell("a request ends exactly once", f"{name}: {count}")
        if total.total.open:
            self._tell("a request ends exactly once", f"{total.total.open} of {total.total.submitted} never ended")
        for process in run.processes.started:
            if process.alive and process.name != run.launcher.name:
                self._tell("every process ends", f"{process.name} still runs")

    # --- while it happens ---

    def _began(self, process: VirtualProcess, policy: Policy) -> None:
        if isinstance(policy, Robot):
            self.guards.watch(process, policy)

    def _watch_sends(self, process: VirtualProcess, host: Host) -> None:
        """Look at each message that a process sends."""
        net: Any = host.transport
        send: Send = net.send

        def watched(
            to: str, body: msg.Body, tensors: Sequence[NDArray[Any]] = (), budget_s: float | None = None,
            tag: Hashable = None,
        ) -> bool:
            if isinstance(body, msg.StageAsk):
                self._asked(process.name, to)
            return send(to, body, tensors, budget_s, tag)

        net.send = watched

    def _asked(self, sender: str, to: str) -> None:
        robot = self._run.processes.policies.get(sender)
        if isinstance(robot, Robot) and robot.view.state(to) not in PRESENT:
            self._tell("nobody gives work to who is lost to it", f"{sender} asks {to}, {robot.view.state(to)} to it")

    def _queues(self) -> None:
        for name, policy in self._run.processes.policies.items():
            if isinstance(policy, Robot):
                (runs, reports), most = policy.waiting, QUEUE_BOUND + self._own_runs
                if runs > most:
                    self._tell("queues are bounded", f"{runs} runs wait at {name}, at most {most} may")
                if reports > BOUND:
                    self._tell("queues are bounded", f"{reports} reports wait at {name}")
        for name, host in self._run.processes.hosts.items():
            statistics: Any = host.transport
            for peer, queue in statistics.statistics().queues.items():
                if queue.waiting > QUEUE_MESSAGES or queue.waiting_bytes > 2 * QUEUE_BYTES:
                    self._tell("queues are bounded", f"{queue} from {name} to {peer}")

    def _views(self) -> None:
        """All faults are over for some heartbeats: everybody sees who is there, and who is not."""
        processes = self._run.processes
        alive = [fleet_robot for fleet in self._launch.fleet for fleet_robot in fleet.robots()
                 if processes.is_alive(fleet_robot)]
        dead = [robot for fleet in self._launch.fleet for robot in fleet.robots() if robot not in alive]
        for name, policy in processes.policies.items():
            if not isinstance(policy, Robot | Planner) or not processes.is_alive(name):
                continue
            for other in alive:
                if other != name and policy.view.state(other) not in PRESENT:
                    self._tell("all views agree", f"to {name}, {other} is {policy.view.state(other)}, and it is alive")
            for other in dead:
                if policy.view.state(other) in PRESENT:
                    self._tell("all views agree", f"to {name}, {other} is {policy.view.state(other)}, and it is dead")

    def _tell(self, invariant: str, found: str, *about: object) -> None:
        if self.broken is None:
            self.broken = Broken(invariant, found, self._run.where())
