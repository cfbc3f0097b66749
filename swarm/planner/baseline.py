"""What placing policies stand on: run times and transfers of a problem, and the forecast of their placements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf

from swarm.core.policy.cost import by_speed, faithful, in_time, named
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
        """The fastest variant of a stream's model on an agent, of whatever accuracy."""
        return next(iter(self._forms(agent, stream)), None)

    def usual(self, agent: str, stream: StreamOf) -> Profile | None:
        """What an agent runs of a stream's model whole: the most accurate network that is in time, as agents choose."""
        forms = self._forms(agent, stream)
        return in_time(forms, lambda p: self.transfer_s(stream.agent, agent, p.input_bytes) + p.p95_s,
                       stream.spec.deadline_s) if forms else None

    def best(self, stream: StreamOf, way_of: Callable[[Profile], tuple[float, Placement] | None]) -> Placement | None:
        """Of the most accurate network that is in time; where none is, the soonest. None: there is no way.

        way_of: the median latency and the placement of a variant, of the owner's or, if it has none, of a peer's.
        """
        late: list[tuple[float, Placement]] = []
        for profile in self._candidates(stream):
            way = way_of(profile)
            if way is not None and way[0] + profile.p95_s - profile.p50_s <= stream.spec.deadline_s:
                return way[1]
            late += [way] if way is not None else []
        return min(late, key=lambda one: one[0])[1] if late else None

    def _candidates(self, stream: StreamOf) -> list[Profile]:
        """The fastest form of each network, the most accurate first: of the owner, or, if it has none, of its peers."""
        own = faithful(self._forms(stream.agent, stream))
        return own or sorted((p for peer in self.peers(stream.agent) for p in faithful(self._forms(peer, stream))),
                             key=lambda p: -p.network_accuracy)

    def _forms(self, agent: str, stream: StreamOf) -> list[Profile]:
        return by_speed(p for p in self._profiles[agent] if p.model == stream.spec.model)

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
