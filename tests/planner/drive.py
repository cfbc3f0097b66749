"""Drives a planner's state: a team that talks to it, and time that passes."""

from __future__ import annotations

import random

from swarm.core.policy.plan import Plan
from swarm.core.protocol.messages import Advert, Feedback, Heartbeat, PlannerNews
from swarm.core.protocol.messages.presence import StreamSeen
from swarm.core.units import ns
from swarm.membership.events import Joined
from swarm.planner.events import Command, Event, Heard, Publish, Report, Solve, Solved, SolveEnded, Tick
from swarm.planner.problem import Problem
from swarm.planner.solvers.budget import CountedBudget
from swarm.planner.solvers.place import place
from swarm.planner.state import PlannerState


class Drive:
    """A team that talks to a planner; solves are done at once, or held back."""

    def __init__(self, problem: Problem, hold: bool = False) -> None:
        self.state = PlannerState(lease_s=3.0, every_s=1.0)
        self.problem, self.hold = problem, hold
        self.alive = {a.name: 1 for a in problem.agents}
        self.now = ns(10)
        self.published: list[Plan] = []
        self.reports: list[str] = []
        self.ends: list[PlannerNews] = []
        self.held: list[Solve] = []
        self.beats = 0

    def do(self, event: Event) -> None:
        self.perform(self.state.handle(event, now=self.now))

    def perform(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, Publish):
                self.published.append(command.plan)
            elif isinstance(command, Report):
                self.reports.append(command.what)
            elif isinstance(command, SolveEnded):
                self.ends.append(command.news)
            elif self.hold or command.refine:
                self.held.append(command)
            else:
                self.solve(command)

    def solve(self, command: Solve) -> None:
        solution = place(command.problem, command.previous, CountedBudget(0.05), limit_churn=command.limit_churn)
        self.do(Solved(command.basis, solution, 0.01, refined=command.refine))

    def advertise(self) -> None:
        for a in self.problem.agents:
            if a.name in self.alive:
                self.do(Joined(a.name, self.alive[a.name], back=False))
                streams = [s.spec for s in self.problem.streams if s.agent == a.name]
                advert = Advert(board="b", executors=a.executors, profiles=list(a.profiles), streams=streams)
                self.do(Heard(a.name, self.alive[a.name], advert))

    def pass_time(self, seconds: float, noise: random.Random | None = None) -> None:
        """Heartbeats four times a second, links once a second, ticks ten times a second."""
        for step in range(round(seconds * 20)):
            self.now += ns(0.05)
            self.beats += step % 5 == 0
            for name, boot in self.alive.items():
                if step % 5 == 0:
                    busy_s = 0.0 if noise is None or noise.random() < 0.6 else 0.1
                    self.do(Heard(name, boot, Heartbeat(sequence=self.beats, busy_s=busy_s)))
                if step % 20 == 10:
                    shake = noise.uniform(0.5, 2.0) if noise else 1.0
                    links = {b: (q.rtt_s * shake, q.bytes_per_s / shake) for (a, b), q in self.problem.links.items()
                             if a == name and b in self.alive}
                    self.do(Heard(name, boot, Feedback(links=links)))
            if step % 2 == 0:
                self.do(Tick())


def seen(drive: Drive, agent: str, name: str, ended: int, on_time: int) -> None:
    """An agent reports a stream under its placement in force."""
    placed = next(p for p in drive.published[-1].placements if (p.agent, p.stream) == (agent, name))
    drive.do(Heard(agent, 1, Feedback(streams=[StreamSeen(
        stream=name, variant=placed.variant, where=placed.where, ended=ended, on_time=on_time)])))
