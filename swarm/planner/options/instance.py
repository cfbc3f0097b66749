"""Prepares a problem for search: the streams that can be placed, and for each stream its options."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from heapq import nsmallest

from swarm.core.policy.cost import leg_p50_s, leg_p95_s, step_p95_s
from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import Leg, Placement, Profile
from swarm.planner.options.cuts import cuts
from swarm.planner.options.option import (
    OVERHEAD_S,
    Option,
    Source,
    mean_s,
    planned_transfer_s,
    useful_variants,
)
from swarm.planner.options.ways import Way, Whole, best_known, may_need_cuts, option_of, way_of
from swarm.planner.problem import NO_SOURCE, Problem, StreamOf, left_s, sources, sources_first

NEAREST = 10                     # peers considered for one stream at most
MOST_CUTS = 24                   # of one stream: those with the least latency, and those with the shortest longest leg
FEW_STREAMS = 8                  # of a team: all get cuts
Assignment = tuple[int, ...]
"""For every stream with options, in order, the index of the option taken."""


class Instance:
    """Streams by name with their options, sorted by latency on idle agents. `chained`: the streams that look at the
    outcomes of another one, and that one; sources come first.
    """

    def __init__(self, problem: Problem, previous: Sequence[Placement] = (), *, every_cut: bool = False,
                 held: Collection[tuple[str, str]] = ()) -> None:
        """every_cut: consider all cuts of all streams, and not only the best ones of those that may need them.
        held: streams (agent, name) that keep their previous placement, as long as it can be.
        """
        self.problem, self.before, self.every_cut = problem, previous, every_cut
        self.agents = [a for a in sorted(problem.agents, key=lambda a: a.name) if a.alive]
        self._index = {a.name: n for n, a in enumerate(self.agents)}
        self.strained = frozenset(n for n, a in enumerate(self.agents) if a.strain)
        self._reached: dict[str, list[tuple[str, LinkQuality]]] = {a.name: [] for a in self.agents}
        for (a, b), link in problem.links.items():
            if a in self._index and b in self._index and a != b:
                self._reached[a].append((b, link))
        before = {(p.agent, p.stream): p for p in previous}
        self.streams: list[StreamOf] = []
        self.options: list[list[Option]] = []
        self.unplaced: list[StreamOf] = []
        self.previous: list[int | None] = []         # per stream, its previous option, if that still exists
        self.begins_s: list[float] = []              # per stream, from capture: the latency of its source when idle
        self._sources: dict[tuple[object, ...], Source] = {}
        self._runs: dict[tuple[str, str], list[Whole]] = {}     # of useful variants, by agent and model
        self._cuts: dict[tuple[object, ...], list[tuple[str, ...]]] = {}
        self._profiles = {(a.name, p.model, p.variant): p for a in self.agents for p in a.profiles}
        ordered = sorted(problem.streams, key=lambda s: s.key)
        source, every = sources(ordered), [list[Option]() for _ in ordered]
        begins_s = [0.0] * len(ordered)
        for n in sources_first(source):
            stream, placement, of = ordered[n], before.get(ordered[n].key), source[n]
            if of != NO_SOURCE and every[of]:
                begins_s[n] = begins_s[of] + every[of][0].idle_s
            options = self._options(stream, placement, left_s(stream, begins_s[n]))
            kept = _index_of(options, placement) if placement is not None and stream.key in held else None
            every[n] = options if kept is None else [options[kept]]
        numbers: dict[int, int] = {}                 # of the streams with options
        for n, (stream, options) in enumerate(zip(ordered, every, strict=True)):
            if options:
                numbers[n] = len(self.streams)
                self.streams.append(stream)
                self.options.append(options)
                self.begins_s.append(begins_s[n])
                self.previous.append(_index_of(options, before[stream.key]) if stream.key in before else None)
            elif stream.agent in self._index:
                self.unplaced.append(stream)
        self.chained = [(numbers[n], numbers[source[n]]) for n in sources_first(source)
                        if n in numbers and source[n] in numbers]

    def left_s(self, stream: int) -> float:
        """What is left of the deadline of a stream when it begins."""
        return left_s(self.streams[stream], self.begins_s[stream])

    @property
    def sources(self) -> list[Source]:
        """All sources, by number."""
        return list(self._sources.values())

    def option(self, stream: int, placement: Placement) -> int | None:
        """Index of the option of a stream that is this placement. None: there is none."""
        return _index_of(self.options[stream], placement)

    def placements(self, assignment: Assignment) -> list[Placement]:
        """The bare placements of an assignment."""
        return [self.placement(stream, option) for stream, option in enumerate(assignment)]

    def placement(self, stream: int, option: int) -> Placement:
        """The bare placement of one stream."""
        owner, taken = self.streams[stream], self.options[stream][option]
        return Placement(agent=owner.agent, stream=owner.spec.name, variant=taken.variant, where=list(taken.where))

    def strain(self, option: Option) -> int:
        """How many legs of an option run on agents that are throttled or low on battery: those in `strained`."""
        return sum(agent in self.strained for agent in option.agents) if self.strained else 0

    def agent_of(self, name: str) -> int:
        """The number of an agent."""
        return self._index[name]

    def _options(self, stream: StreamOf, before: Placement | None, most_s: float) -> list[Option]:
        """All that a search considers: whole runs at home and on the nearest peers, cuts among these, and what is.

        most_s: from its beginning to its deadline.
        """
        if stream.agent not in self._index:
            return []
        ways, near = self._wholes(stream)
        best, network = best_known(ways, stream.agent)
        if self.every_cut or len(self.problem.streams) <= FEW_STREAMS or may_need_cuts(
                stream, ways, network, most_s):
            ways += self._cut(stream, near, network, most_s)
        if before is not None and all((one[4], one[3]) != (tuple(before.where), before.variant) for one in ways):
            kept = self._made(stream, before.variant, tuple(before.where))
            ways += [kept] if kept is not None else []
        return [option_of(one, best, network) for one in sorted(ways)]

    def _wholes(self, stream: StreamOf) -> tuple[list[Way], list[str]]:
        """The useful variants of a stream's model, whole, at home and on the peers where it would end first.

        And the names of these agents.
        """
        home, model, rate_hz = stream.agent, stream.spec.model, stream.spec.rate_hz
        turn, count = self._index[home], len(self.agents)
        found: list[tuple[float, int, str, float, LinkQuality]] = []
        for name, link in self._reached[home]:
            runs = self._runs_of(name, model)
            if runs:
                way_s = planned_transfer_s(link, runs[0].input_bytes, rate_hz)
                if way_s is not None:
                    # each robot sorts equally good peers in a different order, so that their short lists differ
                    rank = (self._index[name] - turn) % count
                    found.append((round(way_s + runs[0].p50_s, 4), rank, name, way_s, link))
        own = self._runs_of(home, model)
        ways = [way_of(one.variant, one.where, one.sources, 0.0, one.mean_s, one.accuracy, away=False) for one in own]
        near = [home] * bool(own)
        for _, _, name, way_s, link in nsmallest(NEAREST, found):
            near.append(name)
            runs = self._runs_of(name, model)
            for one in runs:
                there_s: float | None = way_s
                if one.input_bytes != runs[0].input_bytes:
                    there_s = planned_transfer_s(link, one.input_bytes, rate_hz)
                if there_s is not None:
                    ways.append(way_of(one.variant, one.where, one.sources, there_s, one.mean_s, one.accuracy))
        return ways, near

    def _runs_of(self, agent: str, model: str) -> list[Whole]:
        """The useful variants of a model on an agent, the fastest first."""
        key = agent, model
        if key not in self._runs:
            self._runs[key] = [self._whole(agent, profile) for profile in useful_variants(
                [p for p in self.agents[self._index[agent]].profiles if p.model == model])]
        return self._runs[key]

    def _whole(self, agent: str, profile: Profile) -> Whole:
        return Whole((agent,), (self._source(profile, agent, 0, 0),), profile.variant, profile.p50_s,
                      mean_s(profile.p50_s, profile.p95_s), (profile.accuracy, profile.network_accuracy),
                      profile.input_bytes)

    def _source(self, profile: Profile, agent: str, first: int, last: int) -> Source:
        """The runs of stages [first, last) on an agent; 0, 0: of the whole model."""
        key = profile.model, profile.variant, agent, first, last
        known = self._sources.get(key)
        if known is None:
            leg = Leg(agent, first, last)
            p50_s = leg_p50_s(profile, leg)
            known = self._sources[key] = Source(
                len(self._sources), self._index[agent], p50_s, max(p50_s, leg_p95_s(profile, leg)),
                step_p95_s(profile, leg))
        return known

    def _cut(self, stream: StreamOf, near: Sequence[str], best: float, most_s: float) -> list[Way]:
        """The best cuts among these agents, of networks at least as accurate as the best that is known.

        A student is cut only by a plan before.
        """
        found: list[tuple[float, tuple[str, ...], float, str, Way]] = []
        model, hops = stream.spec.model, dict[tuple[str, str, int], float | None]()
        runs_of = [one for name in near for one in self._runs_of(name, model)]
        for variant in sorted({one.variant for one in runs_of if one.accuracy[1] >= best}):
            runs = {name: [stage.p50_s for stage in profile.stages] for name in near
                    if (profile := self._profiles.get((name, model, variant))) is not None}
            for where in self._cuts_of(runs, stream.agent):
                way = self._chain(stream, variant, where, hops)
                if way is not None and OVERHEAD_S + way[6] + way[7] <= most_s:
                    found.append((way[0], where, round(max(source.p50_s for source in way[5]), 6), variant, way))
        if not self.every_cut:
            by_latency = sorted(found, key=lambda one: one[:2])[:MOST_CUTS // 2]
            by_leg = sorted(found, key=lambda one: (one[2], one[0], one[1]))[:MOST_CUTS // 2]
            found = list({one[1:4:2]: one for one in (*by_latency, *by_leg)}.values())
        return [one[4] for one in found]

    def _cuts_of(self, runs: Mapping[str, Sequence[float]], home: str) -> list[tuple[str, ...]]:
        key = home, *((agent, *stages) for agent, stages in runs.items())
        if key not in self._cuts:
            self._cuts[key] = list(dict.fromkeys(cuts(runs, home)))
        return self._cuts[key]

    def _made(self, stream: StreamOf, variant: str, where: tuple[str, ...]) -> Way | None:
        """This way to run a stream. None: an agent has no such variant, or a link is unknown, or too slow."""
        spec, home = stream.spec, stream.agent
        if len(set(where)) > 1:
            return self._chain(stream, variant, where, {})
        profile = self._profiles.get((where[0], spec.model, variant))
        way_s = 0.0 if where[0] == home or profile is None else self._transfer_s(
            home, home, where[0], profile.input_bytes, spec.rate_hz)
        if profile is None or way_s is None:
            return None
        one = self._whole(where[0], profile)
        return way_of(variant, one.where, one.sources, way_s, one.mean_s, one.accuracy, away=where[0] != home)

    def _chain(self, stream: StreamOf, variant: str, where: tuple[str, ...],
               ways: dict[tuple[str, str, int], float | None]) -> Way | None:
        """A run over several agents. ways: known transfer times of this stream, by pair of agents and bytes."""
        spec, home = stream.spec, stream.agent
        sources: list[Source] = []
        before, accuracy, transfer_s, run_s, first = home, (0.0, 0.0), 0.0, 0.0, 0
        for last in range(1, len(where) + 1):
            agent = where[first]
            if last < len(where) and where[last] == agent:
                continue
            if first and agent == home:
                return None                          # a request that has left its robot does not come back for a leg
            profile = self._profiles.get((agent, spec.model, variant))
            if profile is None or last > len(profile.stages):
                return None
            if agent != before:
                hop = before, agent, profile.stages[first].input_bytes if first else profile.input_bytes
                if hop not in ways:
                    ways[hop] = self._transfer_s(home, *hop, spec.rate_hz)
                way_s = ways[hop]
                if way_s is None:
                    return None
                transfer_s += way_s
            source = self._source(profile, agent, first, last)
            sources.append(source)
            run_s += mean_s(source.p50_s, source.p95_s)
            before, accuracy, first = agent, (profile.accuracy, profile.network_accuracy), last
        return way_of(variant, where, tuple(sources), transfer_s, run_s, accuracy)

    def _transfer_s(self, owner: str, before: str, agent: str, size: int, rate_hz: float) -> float | None:
        """Planned transfer time between two agents. None: the link is unknown, or too slow for the stream.

        The owner must have a link to each peer: it sends the request on its way, and gets the answer.
        """
        own = self.problem.links.get((owner, agent))
        link = self.problem.links.get((before, agent)) or own
        if link is None or (own is None and agent != owner):
            return None
        return planned_transfer_s(link, size, rate_hz)


def _index_of(options: Sequence[Option], placement: Placement) -> int | None:
    where = tuple(placement.where)
    return next((n for n, o in enumerate(options) if o.where == where and o.variant == placement.variant), None)
