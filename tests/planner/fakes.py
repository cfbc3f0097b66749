"""A host without threads and sockets: time passes when a test says so, messages are handed over by hand."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from swarm.core.policy.link import LinkEstimator, LinkQuality
from swarm.core.ports import Host, Received, Traffic
from swarm.core.protocol.messages import Advert, Body, Heartbeat, HeartbeatAck, InjectedFaults, Member
from swarm.core.units import ns
from swarm.planner.events import Solve, Solved
from swarm.planner.ports import Refined
from swarm.planner.problem import Problem
from swarm.planner.solvers.budget import CountedBudget
from swarm.planner.solvers.place import place
from tests.clock import FakeClock

Call = Callable[[], None]


def member(name: str, role: str, boot: int = 1) -> Member:
    return Member(name=name, role=role, urgent=f"tcp://127.0.0.1:1{boot}", bulk="tcp://127.0.0.1:2", boot=boot)


class FakeTimer:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeTimers:
    """Calls in the order of their time, then of asking, while `run` moves the clock."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock, self._count = clock, 0
        self._calls: list[tuple[int, int, FakeTimer, Call]] = []

    def at(self, when_ns: int, callback: Call) -> FakeTimer:
        timer, self._count = FakeTimer(), self._count + 1
        heapq.heappush(self._calls, (when_ns, self._count, timer, callback))
        return timer

    def after(self, delay_ns: int, callback: Call) -> FakeTimer:
        return self.at(self._clock.now_ns() + delay_ns, callback)

    def every(self, period_ns: int, callback: Call) -> FakeTimer:
        timer = FakeTimer()

        def again() -> None:
            if not timer.cancelled:
                self.after(period_ns, again)
                callback()

        self.after(period_ns, again)
        return timer

    def run(self, seconds: float) -> None:
        until = self._clock.now_ns() + ns(seconds)
        while self._calls and self._calls[0][0] <= until:
            when_ns, _, timer, callback = heapq.heappop(self._calls)
            self._clock.at_ns = max(self._clock.at_ns, when_ns)
            if not timer.cancelled:
                callback()
        self._clock.at_ns = until


class FakeTransport:
    """Keeps what was sent; `deliver` hands over what arrives."""

    def __init__(self, own: Member, clock: FakeClock) -> None:
        self.member, self._clock = own, clock
        self.sent: list[tuple[str, Body]] = []
        self.on_sent: Callable[[str, Body], None] = lambda to, body: None
        self._members: dict[str, Member] = {}
        self._links: dict[str, LinkEstimator] = {}
        self._received: Callable[[Received], None] = lambda message: None

    def attach(self, received: Callable[[Received], None],
               undelivered: Callable[[str, Hashable, str], None] = lambda to, tag, reason: None) -> None:
        self._received = received

    def deliver(self, sender: str, body: Body, boot: int = 1) -> None:
        now = self._clock.now_ns()
        self._received(Received(sender, boot, body, [], None, now, now))

    def join(self, members: Sequence[Member]) -> None:
        for one in members:
            if one.name != self.member.name and self._members.get(one.name) != one:
                self._members[one.name], self._links[one.name] = one, LinkEstimator()

    def leave(self, name: str) -> None:
        self._members.pop(name, None)

    def peers(self, *roles: str) -> list[str]:
        return [name for name, one in self._members.items() if not roles or one.role in roles]

    def role(self, name: str) -> str:
        return self._members[name].role if name in self._members else ""

    def where(self, name: str) -> Member | None:
        return self._members.get(name)

    def send(self, to: str, body: Body, tensors: Sequence[Any] = (), budget_s: float | None = None,
             tag: Hashable = None) -> bool:
        self.sent.append((to, body))
        self.on_sent(to, body)
        return True

    def cancel(self, to: str, tag: Hashable) -> bool:
        return False

    def link(self, name: str) -> LinkEstimator | None:
        return self._links.get(name)

    def links(self) -> dict[str, LinkQuality]:
        return {name: link.quality for name, link in self._links.items()}

    def inject(self, faults: InjectedFaults) -> None: ...

    def traffic(self) -> Traffic:
        return Traffic(0, 0, 0, 0, 0)


class FakeMachine:
    pid = 1
    stopped = False

    def rss_bytes(self) -> int:
        return 0

    def battery(self) -> float | None:
        return None

    def step_wall_clock(self, step_s: float) -> None: ...

    def stop(self) -> None:
        self.stopped = True


class FakeHost:
    """All ports, and the agents of a problem that answer heartbeats and advertise themselves."""

    def __init__(self, problem: Problem) -> None:
        self.clock = FakeClock(ns(10))
        self.timers = FakeTimers(self.clock)
        self.net = FakeTransport(member("planner", "planner"), self.clock)
        self.net.on_sent = self._sent
        self.machine = FakeMachine()
        self.host = Host(self.clock, self.timers, self.net, self.machine)
        self._problem = problem
        self.alive = {agent.name for agent in problem.agents}

    def members(self) -> list[Member]:
        return [member(agent.name, "agent") for agent in self._problem.agents]

    def _sent(self, to: str, body: Body) -> None:
        if isinstance(body, Heartbeat):
            self.timers.after(ns(0.001), lambda: self._answer(to, body))

    def _answer(self, agent: str, asked: Heartbeat) -> None:
        if agent in self.alive:
            self.net.deliver(agent, HeartbeatAck(sequence=asked.sequence, held_s=0.0))
            if not asked.advert:
                info = next(a for a in self._problem.agents if a.name == agent)
                self.net.deliver(agent, Advert(
                    number=1, board="b", executors=info.executors, profiles=list(info.profiles),
                    streams=[s.spec for s in self._problem.streams if s.agent == agent]))


class SolverAtOnce:
    """The real search, within the call."""

    def solve(self, command: Solve, done: Callable[[Solved], None]) -> None:
        solution = place(command.problem, command.previous, CountedBudget(0.01), limit_churn=command.limit_churn)
        done(Solved(command.basis, solution, 0.01))


class FakeRefiner:
    """Keeps what it is asked for; the test answers."""

    def __init__(self, start_error: OSError | None = None) -> None:
        self._start_error = start_error
        self.connected: Callable[[str, float], None] | None = None
        self.asked: list[tuple[Problem, Callable[[Refined, float], None]]] = []
        self.closed = 0

    def start(self, connected: Callable[[str, float], None]) -> None:
        if self._start_error is not None:
            raise self._start_error
        self.connected = connected

    def refine(self, problem: Problem, previous: list[Any], refined: Callable[[Refined, float], None]) -> None:
        self.asked.append((problem, refined))

    def close(self) -> None:
        self.closed += 1

    def answer(self, refined: Refined) -> None:
        """To the oldest request that is open."""
        self.asked.pop(0)[1](refined, 0.3)
