"""A shard as a problem of its own.

The border: only the shard of an agent may give it more to do, so that no two shards count on the same spare time, and
all can be solved at once. A stream that runs in another shard may stay there, or come home; a stream of another shard
that runs here, a *guest*, stays. So each shard knows all load on its agents. (A load without streams would not do: the
simulation ignores `AgentInfo.background`.)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import Placement
from swarm.planner.problem import Problem, StreamOf
from swarm.planner.solvers.budget import CountedBudget
from swarm.planner.solvers.place import Solution, choices, place

Key = tuple[str, str]                # agent and name of a stream

BUDGET_S = 0.02                      # of counted work, for one search: all starts are judged, and some moves tried


class Shard(msgspec.Struct, frozen=True):
    """A shard to be solved."""

    problem: Problem                 # with the guests, and with the agents elsewhere that these and its own streams use
    previous: list[Placement]
    agents: frozenset[str]           # its own
    own: frozenset[Key]              # the streams of these
    held: frozenset[Key]             # streams that stay where they are: all guests, and some own ones
    limit_churn: bool
    seed: int

    def accepted(self, placements: Sequence[Placement]) -> dict[Key, Placement]:
        """Of a solution, by stream, those of its own streams that give no other shard more to do."""
        before = choices(self.previous)
        return {key: p for p in placements if (key := (p.agent, p.stream)) in self.own
                and (self.agents.issuperset(p.where) or before.get(key) == (p.variant, *p.where))}


def solve(shard: Shard) -> Solution:
    """Place its streams. A parallel map calls this."""
    return place(shard.problem, shard.previous, CountedBudget(BUDGET_S), shard.seed, limit_churn=shard.limit_churn,
                 held=shard.held)


class Team:
    """Cuts shards out of a problem."""

    def __init__(self, problem: Problem, held: Collection[Key] = ()) -> None:
        """held: streams that stay where they are."""
        self._problem, self._held = problem, held
        self._agents = {agent.name: agent for agent in problem.agents if agent.alive}
        self._streams = {stream.key: stream for stream in problem.streams}
        self._of: dict[str, list[StreamOf]] = {name: [] for name in self._agents}
        self._links: dict[str, list[tuple[Key, LinkQuality]]] = {name: [] for name in self._agents}
        for stream in problem.streams:
            if stream.agent in self._of:
                self._of[stream.agent].append(stream)
        for pair, link in problem.links.items():
            if pair[0] in self._links:
                self._links[pair[0]].append((pair, link))

    def possible(self, placements: Sequence[Placement]) -> dict[Key, Placement]:
        """By stream, those of streams and agents that are there."""
        return {(p.agent, p.stream): p for p in placements
                if (p.agent, p.stream) in self._streams and self._agents.keys() >= {p.agent, *p.where}}

    def shards(self, groups: Sequence[Sequence[str]], now: Mapping[Key, Placement], limit_churn: bool,
               seed: int) -> list[Shard]:
        """The shards of these groups of agents. now: where streams run, as far as they are placed."""
        at: dict[str, list[Key]] = {}
        for key, placement in now.items():
            for stop in dict.fromkeys(placement.where):
                at.setdefault(stop, []).append(key)
        return [self._shard(group, now, at, limit_churn, seed) for group in groups]

    def _shard(self, group: Sequence[str], now: Mapping[Key, Placement], at: Mapping[str, Sequence[Key]],
               limit_churn: bool, seed: int) -> Shard:
        inside = dict.fromkeys(group)
        own = {stream.key: stream for name in group for stream in self._of[name]}
        hosts = dict.fromkeys(stop for key in own if key in now for stop in now[key].where if stop not in inside)
        guests = {key: self._streams[key] for name in (*group, *hosts) for key in at.get(name, ()) if key not in own}
        agents = {**inside, **hosts}
        links = {pair: link for name in group for pair, link in self._links[name] if pair[1] in inside}
        placed = [now[key] for key in (*own, *guests) if key in now]
        for placement in placed:
            stops = dict.fromkeys([placement.agent, *placement.where])
            if not inside.keys() >= stops.keys():
                agents |= stops
                links |= {(a, b): link for a in stops for b in stops if (link := self._problem.links.get((a, b)))}
        streams = {**own, **guests}
        problem = Problem(
            agents=tuple(self._agents[name] for name in agents), streams=tuple(streams.values()), links=links,
            airtimes={pair: self._problem.airtimes[pair] for pair in links if pair in self._problem.airtimes},
            corrections=tuple(c for c in self._problem.corrections if (c.agent, c.stream) in streams))
        held = [*guests, *(key for key in own if key in self._held)]
        return Shard(problem, placed, frozenset(group), frozenset(own), frozenset(held), limit_churn, seed)
