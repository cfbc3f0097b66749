"""Tells what the changes between two judged assignments gain, each where it was made.

A large team changes in many places at once, and each change acts on the streams of a few agents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from swarm.planner.options.instance import Assignment, Instance
from swarm.planner.solvers.judge import Verdict


class Change(msgspec.Struct, frozen=True):
    """Moves of streams that share agents, directly or by others that move."""

    moves: Mapping[int, int]         # the new option, by stream
    agents: frozenset[int]
    gain: float                      # of the weighted sum of the score


def changes(instance: Instance, before: Verdict, after: Verdict) -> list[Change]:
    """The changes from one verdict to another one, over the same sets of phases.

    A stream that stays counts for the changes on its agents, or else on its owner; in equal parts for several.
    """
    moved = [n for n, option in enumerate(before.assignment) if after.assignment[n] != option]
    group_of = _groups([{*_agents(instance, before, n), *_agents(instance, after, n)} for n in moved])
    gains: dict[int, float] = {}
    for n, (old, new) in enumerate(zip(before.costs, after.costs, strict=True)):
        near = {group_of[agent] for agent in _agents(instance, before, n) if agent in group_of}
        if not near and (owner := instance.agent_of(instance.streams[n].agent)) in group_of:
            near = {group_of[owner]}
        for group in near:
            gains[group] = gains.get(group, 0.0) + float(old - new) / len(near)
    moves: dict[int, dict[int, int]] = {}
    for n in moved:
        moves.setdefault(group_of[_agents(instance, before, n)[0]], {})[n] = after.assignment[n]
    return [Change(moves[group], frozenset(agent for agent, one in group_of.items() if one == group), gains[group])
            for group in sorted(moves)]


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


def _groups(joined: Iterable[Iterable[int]]) -> dict[int, int]:
    """By agent, the one that stands for all that are joined with it, directly or by others."""
    parent: dict[int, int] = {}

    def of(agent: int) -> int:
        while parent[agent] != agent:
            parent[agent] = agent = parent[parent[agent]]
        return agent

    for agents in joined:
        first, *others = sorted(agents)
        parent.setdefault(first, first)
        for agent in others:
            parent.setdefault(agent, agent)
            parent[of(agent)] = of(first)
    return {agent: of(agent) for agent in parent}
