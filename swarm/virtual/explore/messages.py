"""What must hold of the messages between members: who is heard, who is lost, and how often somebody lost is tried."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol

import msgspec
from numpy.typing import NDArray

from agents.robot import Robot
from swarm.core.ports import Host, Received
from swarm.core.protocol import messages as msg
from swarm.core.units import ns, seconds
from swarm.membership.events import PRESENT
from swarm.membership.introductions import PEER_ROLES
from swarm.membership.view import HEARTBEAT_S, LOST_S
from swarm.planner.planner import Planner
from swarm.planner.solvers.place import choices
from swarm.virtual.process import VirtualProcess
from swarm.virtual.run import VirtualRun

SLACK_S = 0.02                       # a loop may be held up by so much between an answer and its record
TRIES, WITHIN_NS = 60, ns(2.0)
"""A lost member gets at most so many heartbeats in this time: 4 a second by turn, one on each sign of life."""


class Tell(Protocol):
    """Tells that an invariant is broken: its name, what was found, the requests and processes concerned."""

    def __call__(self, invariant: str, found: str, *about: object) -> None: ...


def _nothing(to: str, tag: Hashable, reason: str) -> None: ...


class MessageWatch:
    """Looks at each message when it is sent, and when it is handed to the policy of its receiver."""

    def __init__(self, run: VirtualRun, tell: Tell) -> None:
        self._run, self._tell = run, tell
        self._started: dict[tuple[str, int], int] = {}               # by name and boot: which process of the run
        self._answered: dict[tuple[str, str], tuple[int, int]] = {}  # when one last answered another, and its pauses
        self._tries: dict[tuple[str, str], list[int]] = {}           # heartbeats to a lost member
        self._placed: dict[tuple[int, int], Any] = {}                # by boot of the planner and epoch
        self._drained: set[int] = set()

    def watch(self, process: VirtualProcess, host: Host) -> None:
        """Watch a new process."""
        net: Any = host.transport
        self._started[process.name, net.member.boot] = process.pid
        send, attach, name = net.send, net.attach, process.name
        sent = {msg.StageAsk: self._on_ask, msg.Happened: self._on_happened, msg.PlanNews: self._on_plan,
                msg.Heartbeat: self._on_heartbeat, msg.Drained: self._on_drained}

        def watched_send(
            to: str, body: msg.Body, tensors: Sequence[NDArray[Any]] = (), budget_s: float | None = None,
            tag: Hashable = None,
        ) -> bool:
            look = sent.get(type(body))
            if look is not None:
                look(process, to, body)
            return send(to, body, tensors, budget_s, tag)

        def watched_attach(received: Callable[[Received], None], undelivered: Any = _nothing) -> None:
            boots: dict[str, int] = {}               # the newest of each sender that was heard
            deaf_to: frozenset[str] = frozenset()
            hears: frozenset[str] | None = None      # None: all

            def watched(message: Received) -> None:
                nonlocal deaf_to, hears
                sender, body = message.sender, message.body
                if sender in deaf_to:
                    self._tell("a partition holds", f"{name} hears {type(body).__name__} of {sender}", name, sender)
                if hears is not None and sender not in hears and net.role(sender) in PEER_ROLES:
                    self._tell("nobody is heard from out of reach", f"{name} hears {type(body).__name__} of {sender}",
                               name, sender)
                if boots.get(sender) != message.boot:
                    if self._is_older(sender, message.boot, boots.get(sender)):
                        self._on_old_start(name, message, received)
                        return
                    boots[sender] = message.boot
                received(message)
                if isinstance(body, msg.HeartbeatAck):
                    self._answered[name, sender] = self._run.timeline.now_ns, process.paused_ns
                elif isinstance(body, msg.InjectedFaults):
                    deaf_to = frozenset(body.deaf_to)
                elif isinstance(body, msg.InReach):
                    hears = frozenset(body.members)

            attach(watched, undelivered)

        net.send, net.attach = watched_send, watched_attach

    def has_drained(self, process: VirtualProcess) -> bool:
        """Whether a robot has said that it has drained."""
        return process.pid in self._drained

    # --- sent ---

    def _on_ask(self, process: VirtualProcess, to: str, ask: msg.StageAsk) -> None:
        policy = self._run.processes.policies[process.name]
        if isinstance(policy, Robot) and policy.view.state(to) not in PRESENT:
            self._tell("nobody gives work to who is lost to it",
                       f"{process.name} asks {to}, {policy.view.state(to)} to it", ask.request, process.name, to)

    def _on_plan(self, process: VirtualProcess, to: str, news: msg.PlanNews) -> None:
        """A plan places on members that are there; one epoch is one set of placements."""
        plan, planner = news.plan, self._run.processes.policies[process.name]
        if to != self._run.launcher.name or not isinstance(planner, Planner):
            return                                   # only the launcher gets it whole
        placed = choices(plan.placements)
        if placed != self._placed.setdefault((process.pid, plan.epoch), placed):
            self._tell("no two planners lead", f"two plans have epoch {plan.epoch}", process.name)
        for agent in dict.fromkeys(agent for placement in plan.placements for agent in placement.where):
            state = planner.view.state(agent)
            if state not in PRESENT:
                self._tell("nobody gives work to who is lost to it",
                           f"plan {plan.epoch} places on {agent}, {state} to its planner", agent, process.name)

    def _on_happened(self, process: VirtualProcess, to: str, event: msg.Happened) -> None:
        """Who answers is not lost. A loop that was paused cannot tell a heartbeat's length of silence."""
        if event.what not in ("peer_lost", "agent_lost"):
            return
        lost = str(event.detail.get("peer", event.detail.get("agent", "")))
        answered_ns, paused_ns = self._answered.get((process.name, lost), (None, 0))
        policy: Any = self._run.processes.policies[process.name]
        if answered_ns is None or policy.view.state(lost) != "lost":
            return                                   # its start has ended, and a new one is there
        unheard_ns, since_ns = process.paused_ns - paused_ns, self._run.timeline.now_ns - answered_ns
        least_s = LOST_S - SLACK_S - (HEARTBEAT_S if unheard_ns else 0.0)
        if seconds(since_ns - unheard_ns) < least_s:
            self._tell("who answers is not lost", f"to {process.name}, {lost} is lost, and it has answered "
                       f"{seconds(since_ns):.3f} s ago", process.name, lost)

    def _on_heartbeat(self, process: VirtualProcess, to: str, heartbeat: msg.Heartbeat) -> None:
        """Somebody lost is tried again, and not all the time."""
        policy: Any = self._run.processes.policies[process.name]
        if policy.view.state(to) != "lost":
            return
        now, tries = self._run.timeline.now_ns, self._tries.setdefault((process.name, to), [])
        tries.append(now)
        if len(tries) > TRIES and now - tries.pop(0) < WITHIN_NS:
            self._tell("the lost are tried seldom", f"{process.name} sends {to} {TRIES} heartbeats in "
                       f"{seconds(WITHIN_NS):g} s, and it is lost to it", process.name, to)

    def _on_drained(self, process: VirtualProcess, to: str, _: msg.Drained) -> None:
        self._drained.add(process.pid)

    # --- received ---

    def _is_older(self, sender: str, boot: int, known: int | None) -> bool:
        """Whether this boot of a sender was started before the one that is known."""
        started = self._started
        return known is not None and started.get((sender, boot), 0) < started.get((sender, known), 0)

    def _on_old_start(self, name: str, message: Received, received: Callable[[Received], None]) -> None:
        """A message of a start that has ended, after one of its successor: nothing comes of it."""
        policy: Any = self._run.processes.policies.get(name)
        before = _state(policy, message.sender)
        received(message)
        if _state(policy, message.sender) != before:
            self._tell("an ended start is not heard", f"{name} acts on {type(message.body).__name__} of a start of "
                       f"{message.sender} that has ended", name, message.sender)


def _state(policy: Any, sender: str) -> Any:
    """What a message of a member could change."""
    if not isinstance(policy, Robot | Planner):
        return None
    holds = msgspec.structs.astuple(policy.holds) if isinstance(policy, Robot) else ()
    return policy.view.state(sender), policy.view.boot(sender), holds
