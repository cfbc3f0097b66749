"""Tells what the changes between two judged assignments gain, each where it was made.

A large team changes in many places at once, and each change acts on the streams of a few agents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from swarm.planner.options.instance import Assignment, Instance
from swarm.planner.solvers.judge import Judge, Verdict


class Change(msgspec.Struct, frozen=True):
    """Moves of streams that share agents, directly or by others that move."""

    moves: Mapping[int, int]         # the new option, by stream
    agents: frozenset[int]
    gain: float                      # of the weighted sum of the score


def changes(instance: Instance, judge: Judge, before: Verdict, after: Verdict) -> list[Change]:
    """The changes from one verdict to another one, over the same sets of phases.

    A stream that stays counts for the changes on its agents, or else on its owner; in equal parts for several.
    """
    moved = [n for n, option in enumerate(before.assignment) if after.assignment[n] != option]
    groups = _Groups()
    for n in moved:
        groups.join((*_agents(instance, before, n), *_agents(instance, after, n)))
    gains: dict[int, float] = {}
    for n, stream in enumerate(instance.streams):
        near = {groups.of(agent) for agent in _agents(instance, before, n) if agent in groups}
        owner = instance.agent_of(stream.agent)
        if not near and owner in groups:
            near = {groups.of(owner)}
        for group in near:
            gain = judge.cost(before, n) - judge.cost(after, n)
            gains[group] = gains.get(group, 0.0) + gain / len(near)
    moves: dict[int, dict[int, int]] = {}
    for n in moved:
        moves.setdefault(groups.of(_agents(instance, before, n)[0]), {})[n] = after.assignment[n]
    return [Change(moves[group], groups.members(group), gains[group]) for group in sorted(moves)]


def combined(assignment: Assignment, found: Sequence[Change]) -> Assignment:
    """An assignment with the changes that gain, the best first; of those that share an agent only the first."""
    made, taken = list(assignment), set[int]()
    for change in sorted(found, key=lambda one: -one.gain):
        if change.gain > 0.0 and taken.isdisjoint(change.agents):
            taken |= change.agents
            for stream, option in change.moves.items():
                made[stream] = option
    return tuple(made)


def _agents(instance: Instance, verdict: Verdict, stream: int) -> tuple[int, ...]:
    return instance.options[stream][verdict.assignment[stream]].agents


class _Groups:
    """Agents that are joined, directly or by others."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}

    def __contains__(self, agent: int) -> bool:
        return agent in self._parent

    def of(self, agent: int) -> int:
        """The agent that stands for the group."""
        while self._parent[agent] != agent:
            self._parent[agent] = agent = self._parent[self._parent[agent]]
        return agent

    def join(self, agents: Iterable[int]) -> None:
        agents = list(agents)
        for agent in agents:
            self._parent.setdefault(agent, agent)
            self._parent[self.of(agent)] = self.of(agents[0])

    def members(self, group: int) -> frozenset[int]:
        return frozenset(agent for agent in self._parent if self.of(agent) == group)
