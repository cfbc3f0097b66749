"""What must hold in every run: checked while it happens, and at its end.

The names of the invariants are those of the findings. ARCHITECTURE.md states each as a promise.
"""

from __future__ import annotations

from collections import Counter
from types import MethodType
from typing import Any

import msgspec

from agents.robot import Robot
from agents.scheduling.peer_requests import QUEUE_BOUND
from swarm.core.policy.link import WINDOW_BYTES
from swarm.core.ports import Host
from swarm.core.protocol.wire import MAX_TENSOR_BYTES
from swarm.core.settings.launch_file import LaunchFile
from swarm.membership.events import PRESENT
from swarm.membership.outbox import BOUND
from swarm.planner.planner import Planner
from swarm.transport.bulk.receiver import MOST_TRANSFERS, ReceiverStatistics
from swarm.transport.bulk.sender import QUEUE_BYTES, QUEUE_MESSAGES, QueueStatistics
from swarm.transport.bulk.window import IN_FLIGHT
from swarm.virtual.explore.guard_watch import GuardWatch
from swarm.virtual.explore.messages import MessageWatch
from swarm.virtual.explore.requests import RequestWatch
from swarm.virtual.process import VirtualProcess
from swarm.virtual.processes import Policy
from swarm.virtual.run import VirtualRun

QUEUES_EVERY = 250                   # events between two looks at all queues
EVENTS_EVERY = 500                   # events between two looks at all that is to come
QUIET_S = 1.5                        # after the last fault, until all views agree
MOST_TO_COME = 2_000                 # timers and messages of one process; up to 300 were seen


class Broken(msgspec.Struct, frozen=True):
    """An invariant that does not hold: its name, what was found, and the requests and processes concerned."""

    invariant: str
    found: str
    where: str                       # the event
    at_s: float                      # since the streams began
    about: list[str] = []


class Watch:
    """Watches one run. `broken` is the first finding."""

    def __init__(self, run: VirtualRun, launch: LaunchFile) -> None:
        self._run, self._launch = run, launch
        self._agreed = False
        self._disturbed_s = 0.0                      # when a fault last began or ended, since the streams began
        # what was sent may arrive late, or not at all
        self._faulty = bool(launch.links) or launch.reach_m is not None
        self._own_runs = sum(len(fleet.robots()) for fleet in launch.fleet) * len(launch.streams)
        self.broken: Broken | None = None
        self._messages = MessageWatch(run, self.tell)
        self._requests = RequestWatch(run, self.tell)
        self.guards = GuardWatch(run, self.tell)
        run.processes.made, run.processes.began = self._made, self._began

    def _made(self, process: VirtualProcess, host: Host) -> None:
        self._messages.watch(process, host)
        self._requests.watch(process, host)

    def _began(self, process: VirtualProcess, policy: Policy) -> None:
        if isinstance(policy, Robot):
            self._requests.watch_robot(process, policy)
            self.guards.watch(process, policy)

    def recorded(self, what: str) -> None:
        """An event of the run was recorded."""
        self._faulty |= what in ("fault", "battery_empty")
        if what in ("fault", "fault_over", "battery_empty"):
            self._disturbed_s = self._run.at_s

    def after_event(self) -> None:
        """Look at the whole after an event."""
        run = self._run
        if run.timeline.happened % QUEUES_EVERY == 0:
            self._holdings()
            self._queues()
        if run.timeline.happened % EVENTS_EVERY == 0:
            self._to_come()
        if run.director.drain_ns and not self._agreed:
            self._agreed = True
            if self._run.at_s - self._disturbed_s >= QUIET_S and self._launch.reach_m is None:
                self._views()

    def at_end(self) -> None:
        """Look at the run when it is over."""
        run, total = self._run, self._run.collector.ledger()
        if run.director.error:
            self.tell("the run ends in order", run.director.error)
        for name in ("ended_twice", "submitted_twice", "not_an_ending"):
            count = getattr(total, name)
            if count:
                self.tell("a request ends exactly once", f"{name}: {count}")
        if total.total.open:
            self.tell("a request ends exactly once", f"{total.total.open} of {total.total.submitted} never ended",
                      *self._requests.open())
        for process in run.processes.started:
            if process.alive and process.name != run.launcher.name:
                self.tell("every process ends", f"{process.name} still runs", process.name)
            if process.role == "agent" and process.returncode == 0 and not self._messages.has_drained(process):
                self.tell("every process ends", f"{process.name} never said that it had drained", process.name)

    def tell(self, invariant: str, found: str, *about: object) -> None:
        """An invariant is broken. The first one counts."""
        if self.broken is None:
            self.broken = Broken(
                invariant, found, self._run.where(), self._run.at_s, [str(one) for one in about])

    # --- bounds ---

    def _holdings(self) -> None:
        """A robot holds nothing of what it has done."""
        for name, policy in self._run.processes.policies.items():
            if not isinstance(policy, Robot):
                continue
            holds, most = policy.holds, QUEUE_BOUND + self._own_runs
            if holds.runs > most or holds.reports > BOUND:
                self.tell("queues and windows are bounded", f"{name}: {holds}, at most {most} runs may wait", name)
            if holds.inputs != holds.open or holds.timed > holds.open or holds.peer_inputs > holds.runs:
                self.tell("memory is bounded", f"{name} keeps what belongs to no request: {holds}", name)

    def _queues(self) -> None:
        for name, host in self._run.processes.hosts.items():
            transport: Any = host.transport
            statistics = transport.statistics()
            for peer, queue in statistics.queues.items():
                if not _is_bounded(queue):
                    self.tell("queues and windows are bounded", f"{queue} from {name} to {peer}", name, peer)
                if queue.silences and not self._faulty:
                    self.tell("what arrives is acknowledged", f"{peer} does not acknowledge what {name} sends, and "
                              "nothing was lost", name, peer)
            for peer, receiver in statistics.receivers.items():
                if not _is_receiver_bounded(receiver):
                    self.tell("memory is bounded", f"{receiver} from {peer} at {name}", peer, name)

    def _to_come(self) -> None:
        """What is to come is bounded. A timer of an object (a bound method) is set again only when it has fired."""
        events = list(self._run.timeline.to_come())
        for owner, count in Counter(event.owner for event in events).items():
            if count > MOST_TO_COME:
                self.tell("timers are bounded", f"{count} timers and messages of {owner.name} are to come", owner.name)
        timers = Counter((event.owner, event.callback) for event in events if isinstance(event.callback, MethodType))
        for (owner, callback), count in timers.items():
            if count > 1:
                self.tell("timers are bounded", f"{count} calls of {callback.__qualname__} of {owner.name} are to come",
                          owner.name)

    # --- views ---

    def _views(self) -> None:
        """All faults have been over for some heartbeats: everybody sees who is there, and who is not."""
        processes = self._run.processes
        robots = [robot for fleet in self._launch.fleet for robot in fleet.robots()]
        boots = {robot: processes.hosts[robot].transport.member.boot for robot in robots if processes.is_alive(robot)}
        for name, policy in processes.policies.items():
            if not isinstance(policy, Robot | Planner) or not processes.is_alive(name):
                continue
            for other in robots:
                state = policy.view.state(other)
                if other in boots and other != name and policy.view.boot(other) != boots[other]:
                    self.tell("all views agree", f"to {name}, {other} is {state}, and its present start is alive",
                              name, other)
                if other not in boots and state in PRESENT:
                    self.tell("all views agree", f"to {name}, {other} is {state}, and it is dead", name, other)


def _is_bounded(queue: QueueStatistics) -> bool:
    """Whether queue and window are within their bounds, and an empty one holds no bytes."""
    return (
        queue.waiting <= QUEUE_MESSAGES and queue.waiting_bytes <= 2 * QUEUE_BYTES
        and queue.in_flight <= IN_FLIGHT and (queue.in_flight_bytes <= WINDOW_BYTES[1] or queue.in_flight == 1)
        and (queue.waiting > 0 or not queue.waiting_bytes) and (queue.in_flight > 0 or not queue.in_flight_bytes)
    )


def _is_receiver_bounded(receiver: ReceiverStatistics) -> bool:
    return receiver.transfers <= MOST_TRANSFERS and receiver.bytes <= MAX_TENSOR_BYTES
