"""What placing policies stand on: run times and transfers of a problem, and the forecast of their placements."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from swarm.core.policy.cost import by_speed, faithful, named
from swarm.core.policy.plan import Placement, Profile
from swarm.planner.problem import Problem, StreamOf


class Team:
    """A problem, asked by names."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.agents = sorted(agent.name for agent in problem.agents if agent.alive)
        self._profiles = {agent.name: agent.profiles for agent in problem.agents if agent.alive}

    def streams(self) -> list[StreamOf]:
        """The streams whose owner is there, by name."""
        return sorted((s for s in self.problem.streams if s.agent in self._profiles), key=lambda s: s.key)

    def fastest(self, agent: str, stream: StreamOf) -> Profile | None:
        """The fastest form of the most accurate network of a stream's model on an agent."""
        return next(iter(faithful(by_speed(p for p in self._profiles[agent] if p.model == stream.spec.model))), None)

    def same(self, agent: str, profile: Profile) -> Profile | None:
        """The same variant on another agent, if it has the same stages."""
        other = named((p for p in self._profiles[agent] if p.model == profile.model), profile.variant)
        return other if other is not None and len(other.stages) == len(profile.stages) else None

    def peers(self, agent: str) -> list[str]:
        """The agents to which a link is known."""
        return [other for other in self.agents if (agent, other) in self.problem.links]

    def transfer_s(self, sender: str, to: str, size_bytes: int) -> float:
        """Of a message of this size, and its answer; infinite: there is no link."""
        if sender == to:
            return 0.0
        link = self.problem.links.get((sender, to))
        return link.transfer_s(size_bytes) if link is not None else inf

    def way_s(self, sender: str, to: str, size_bytes: int) -> float:
        """Of a message of this size alone."""
        if sender == to:
            return 0.0
        link = self.problem.links.get((sender, to))
        return link.rtt_s / 2 + size_bytes / link.bytes_per_s if link is not None else inf


def whole(stream: StreamOf, profile: Profile, agent: str) -> Placement:
    """A stream that runs whole on one agent."""
    return Placement(agent=stream.agent, stream=stream.spec.name, variant=profile.variant, where=[agent])


def cut(stream: StreamOf, profile: Profile, where: Sequence[str]) -> Placement:
    """A stream whose stages run on these agents; whole, if that is one."""
    agents = list(where) if len(set(where)) > 1 else [where[0]]
    return Placement(agent=stream.agent, stream=stream.spec.name, variant=profile.variant, where=agents)
