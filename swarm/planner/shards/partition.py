"""Splits a team into shards: groups of robots that are near each other by radio. Deterministic.

A group is cut across the middle between two of its robots that are far from each other, and the halves are cut again.
Distances are times of transfers along the quickest path. With n robots of a bounded number of links, all cuts of one
depth take n log n steps, and there are log n depths.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush

from swarm.planner.problem import LONGEST_S, AgentInfo, Problem

WEIGHT = 120                         # measured: with 80 borders cost more, with 200 less is found in the same time
FRAME_BYTES = 20_736                 # of a typical transfer: the input of this project's detector
EQUAL_S = 1e-6                       # distances that differ by less are equal

Near = Mapping[str, Sequence[tuple[float, str]]]


def partition(problem: Problem, turn: int = 0, weight: int = WEIGHT) -> list[list[str]]:
    """The names of the agents of each shard.

    weight: robots and streams of a shard together, about. turn: 0 or 1; most links that cross a border of one turn lie
    within a shard of the other.
    """
    agents = {agent.name: agent for agent in problem.agents if agent.alive}
    near: dict[str, list[tuple[float, str]]] = {name: [] for name in agents}
    for (a, b), link in problem.links.items():
        if a in near and b in near:
            far_s = min(link.transfer_s(FRAME_BYTES), LONGEST_S)
            near[a].append((far_s, b))
            if (b, a) not in problem.links:
                near[b].append((far_s, a))
    weights = dict.fromkeys(agents, 1)
    for stream in problem.streams:
        if stream.agent in weights:
            weights[stream.agent] += 1
    pieces = max(1, round(sum(weights.values()) / weight))
    first = pieces // 2
    if turn and pieces > 1:                          # borders at thirds lie between those at halves
        pieces += 1
        first = max(1, pieces // 3)
    return sorted(_cut(_dealt(agents.values()), near, weights, pieces, first))


def _dealt(agents: Iterable[AgentInfo]) -> list[str]:
    """The agents such that the first half has about the same boards as the second: where all are equally near each
    other, each shard is to get its share of the strong ones.
    """
    ranked = sorted(agents, key=lambda agent: (sum(p.p50_s for p in agent.profiles) / max(len(agent.profiles), 1),
                                               agent.name))
    return _halves([agent.name for agent in ranked])


def _halves(names: list[str]) -> list[str]:
    return [*_halves(names[::2]), *_halves(names[1::2])] if len(names) > 2 else names


def _cut(agents: Sequence[str], near: Near, weights: Mapping[str, int], pieces: int, first: int) -> list[list[str]]:
    """So many shards of these agents, of about equal weight. first: how many are on one side of the first cut."""
    if pieces <= 1 or len(agents) <= 1:
        return [sorted(agents)] if agents else []
    ordered = _across(agents, near)
    most, weight, count = sum(weights[name] for name in agents) * first / pieces, 0.0, 0
    while count < len(ordered) - 1 and weight + weights[ordered[count]] / 2 < most:
        weight += weights[ordered[count]]
        count += 1
    one = set(ordered[:max(count, 1)])
    rest = pieces - first
    return [*_cut([name for name in agents if name in one], near, weights, first, first // 2),
            *_cut([name for name in agents if name not in one], near, weights, rest, rest // 2)]


def _across(agents: Sequence[str], near: Near) -> list[str]:
    """The agents in the order of their distances to two poles, less one from the other; those that have no path to each
    other one part after the other.
    """
    ordered: list[str] = []
    rank = {name: n for n, name in enumerate(agents)}
    left = dict.fromkeys(agents)
    for name in agents:
        if name in left:
            one = _farthest(_distances(name, left, near))
            from_one = _distances(one, left, near)
            from_other = _distances(_farthest(from_one), left, near)
            ordered += sorted(from_one, key=lambda name: (
                round((from_one[name] - from_other[name]) / EQUAL_S), rank[name]))
            for reached in from_one:
                del left[reached]
    return ordered


def _farthest(distances: Mapping[str, float]) -> str:
    return max(distances, key=lambda name: (distances[name], name))


def _distances(start: str, inside: Mapping[str, None], near: Near) -> dict[str, float]:
    """Seconds from one agent to all others of the group that can be reached within it (Dijkstra)."""
    found: dict[str, float] = {}
    waiting = [(0.0, start)]
    while waiting:
        far_s, name = heappop(waiting)
        if name not in found:
            found[name] = far_s
            for step_s, other in near[name]:
                if other in inside and other not in found:
                    heappush(waiting, (far_s + step_s, other))
    return found
