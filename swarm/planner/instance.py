"""Prepares a problem for search: the streams that can be placed, and for each stream its options."""

from __future__ import annotations

from collections.abc import Sequence

from swarm.core.policy.cost import step_p95_s
from swarm.core.policy.plan import Leg, Placement, Profile
from swarm.planner.options import (
    ACCURACY_MATTERS,
    Option,
    background_option,
    make_option,
    planned_transfer_s,
    useful_variants,
)
from swarm.planner.problem import AgentInfo, Problem, StreamOf

NEAREST = 10                     # peers considered for one stream at most
ACCURACY_PRICE = 0.1             # of losing all accuracy, in misses per result
MOVE_PRICE = 0.002               # of leaving the previous placement, in misses per result: breaks ties
CLASS_BASE = 10.0                # a miss costs as much as this many misses of the next lower priority class ...
CLASS_SPAN = 1e12                # ... but less with very many classes, so that float64 can still resolve the costs

Assignment = tuple[int, ...]
"""For every stream with options, in order, the index of the option taken."""


class Instance:
    """Streams by name with their options, sorted by latency on idle agents."""

    def __init__(self, problem: Problem, previous: Sequence[Placement] = ()) -> None:
        self.problem = problem
        self.agents = [a for a in sorted(problem.agents, key=lambda a: a.name) if a.alive]
        self._index = {a.name: n for n, a in enumerate(self.agents)}
        self._reached: dict[str, list[AgentInfo]] = {a.name: [a] for a in self.agents}   # home first
        for a, b in problem.links:
            if a in self._index and b in self._index:
                self._reached[a].append(self.agents[self._index[b]])
        classes = sorted({s.spec.priority for s in problem.streams})
        base = min(CLASS_BASE, CLASS_SPAN ** (1.0 / max(1, len(classes) - 1)))
        self._weight = {p: base**rank for rank, p in enumerate(classes)}
        self.top_weight = max((s.spec.rate_hz * self._weight[s.spec.priority] for s in problem.streams), default=0.0)
        before = {(p.agent, p.stream): p for p in previous}
        self.streams: list[StreamOf] = []
        self.options: list[list[Option]] = []
        self.unplaced: list[StreamOf] = []
        self._count = 0
        self._variants: dict[tuple[str, str], list[Profile]] = {}        # that are useful, by agent and model
        self.background = [background_option(n, a) for n, a in enumerate(self.agents)]
        for stream in sorted(problem.streams, key=lambda s: s.key):
            options = self._options(stream, before.get(stream.key))
            if options:
                self.streams.append(stream)
                self.options.append(options)
            elif stream.agent in self._index:
                self.unplaced.append(stream)
        self.previous: list[int | None] = []         # per stream, its previous option, if that still exists
        for number, stream in enumerate(self.streams):
            placement = before.get(stream.key)
            self.previous.append(
                None if placement is None else self.option(number, placement.where[-1], placement.variant))

    def option(self, stream: int, agent: str, variant: str) -> int | None:
        """Index of the option of a stream that runs this variant on this agent. None: there is none."""
        return next((n for n, o in enumerate(self.options[stream])
                     if self.agents[o.agent].name == agent and o.variant == variant), None)

    def _options(self, stream: StreamOf, before: Placement | None) -> list[Option]:
        if stream.agent not in self._index:
            return []
        found: list[tuple[float, AgentInfo, Profile, float]] = []
        for agent in self._reached[stream.agent]:
            for profile in self._useful(agent, stream.spec.model):
                transfer_s = self._transfer_s(stream, agent, profile)
                if transfer_s is not None:
                    found.append((transfer_s + profile.p50_s, agent, profile, transfer_s))
        best = max((profile.accuracy for _, _, profile, _ in found), default=0.0)
        turn = self._index[stream.agent]
        count = len(self.agents)
        # Each robot sorts equally good peers in a different order, so that their short lists differ.
        found.sort(key=lambda f: (f[1].name != stream.agent, round(f[0], 4), (self._index[f[1].name] - turn) % count,
                                  f[2].variant))
        names = {stream.agent} | set(list(dict.fromkeys(f[1].name for f in found))[:NEAREST + 1])
        if before is not None:
            names.add(before.where[-1])
        options = [self._option(stream, agent, profile, transfer_s, best, before)
                   for _, agent, profile, transfer_s in found if agent.name in names]
        return sorted(options, key=lambda o: (round(o.idle_s, 6), not o.home, o.number))

    def _useful(self, agent: AgentInfo, model: str) -> list[Profile]:
        key = agent.name, model
        if key not in self._variants:
            self._variants[key] = useful_variants([p for p in agent.profiles if p.model == model])
        return self._variants[key]

    def _option(self, stream: StreamOf, agent: AgentInfo, profile: Profile, transfer_s: float, best: float,
                before: Placement | None) -> Option:
        self._count += 1
        spec = stream.spec
        weight = spec.rate_hz * self._weight[spec.priority]
        lost = best - profile.accuracy
        moved = before is not None and (before.where[-1], before.variant) != (agent.name, profile.variant)
        accuracy_cost = ACCURACY_PRICE * lost if lost > ACCURACY_MATTERS else 0.0
        return make_option(
            self._count, self._index[agent.name], spec, profile.p50_s, profile.p95_s,
            step_s=step_p95_s(profile, Leg(agent.name)), stream=len(self.streams),
            variant=profile.variant, home=agent.name == stream.agent, weight=weight, transfer_s=transfer_s,
            fixed_cost=weight * (accuracy_cost + (MOVE_PRICE if moved else 0.0)),
        )

    def _transfer_s(self, stream: StreamOf, agent: AgentInfo, profile: Profile) -> float | None:
        """Planned transfer time, 0 at home. None: the link is unknown, or too slow for the stream."""
        if agent.name == stream.agent:
            return 0.0
        link = self.problem.links.get((stream.agent, agent.name))
        return planned_transfer_s(link, profile.input_bytes, stream.spec.rate_hz) if link is not None else None
