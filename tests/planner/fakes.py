"""What a planner stands on beside its host: the agents of a problem, a solver, a refiner."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from swarm.core.ports import Received
from swarm.core.protocol.messages import Advert, Heartbeat, HeartbeatAck
from swarm.core.units import ns
from swarm.planner.events import Solve, Solved
from swarm.planner.ports import Refined
from swarm.planner.problem import Held, Problem
from swarm.planner.solvers.budget import CountedBudget
from swarm.planner.solvers.place import place
from tests.one_thread.hosts import FakeHost, Stage


class PlannersStage(Stage):
    """A planner's host, a launcher, and the agents of a problem, which answer heartbeats and advertise themselves."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.launcher = self.host("launcher", "launcher")
        self.planner = self.host("planner", "planner", zero_ns=ns(10.0))
        self.agents = {agent.name: self.host(agent.name) for agent in problem.agents}
        self._problem = problem
        for host in (self.launcher, *self.agents.values()):
            host.transport.join([self.planner.transport.member])
        for name, host in self.agents.items():
            host.transport.attach(partial(self._answer, name, host))

    def _answer(self, name: str, host: FakeHost, message: Received) -> None:
        if isinstance(message.body, Heartbeat):
            host.transport.send("planner", HeartbeatAck(sequence=message.body.sequence, held_s=0.0))
            if not message.body.advert:
                info = next(agent for agent in self._problem.agents if agent.name == name)
                host.transport.send("planner", Advert(
                    number=1, board="b", executors=info.executors, profiles=list(info.profiles),
                    streams=[s.spec for s in self._problem.streams if s.agent == name]))


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

    def refine(self, problem: Problem, previous: list[Any], held: Held,
               refined: Callable[[Refined, float], None]) -> None:
        self.asked.append((problem, refined))

    def close(self) -> None:
        self.closed += 1

    def answer(self, refined: Refined) -> None:
        """To the oldest request that is open."""
        self.asked.pop(0)[1](refined, 0.3)
