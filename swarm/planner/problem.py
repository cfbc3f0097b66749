"""What the planner knows, and the finite choice it has: for every stream, an agent and a variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from swarm.core.policy.cost import step_p95_s
from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import Leg, Placement, Profile, StreamSpec

OVERHEAD_S = 0.005               # sensor to scheduler, pre- and post-processing: not in any profile
JITTER = 1.25                    # a transfer is planned to take this many times its mean
ACCURACY_MATTERS = 0.02          # variants closer than this count as equally accurate
NEAREST = 10                     # at most so many peers are considered for one stream
MOVE_PRICE = 0.002               # of leaving the previous placement, in misses per result: breaks ties
BACKGROUND_RUN_S = 0.05          # unexplained load is taken to come in runs of this length
CLASS_BASE = 10.0                # a miss costs so many misses of the priority class below ...
CLASS_SPAN = 1e12                # ... but with very many classes fewer, so that costs can still be told apart


class AgentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An agent as the planner sees it."""

    name: str
    profiles: tuple[Profile, ...]
    executors: int = 1
    alive: bool = True
    background: float = 0.0          # utilisation that no stream of the plan explains, in executors


class StreamOf(msgspec.Struct, frozen=True, kw_only=True):
    """A stream and the agent whose stream it is."""

    agent: str
    spec: StreamSpec

    @property
    def key(self) -> tuple[str, str]:
        return self.agent, self.spec.name


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One planning problem. A pair that is absent from `links` cannot be used."""

    agents: tuple[AgentInfo, ...]
    streams: tuple[StreamOf, ...]
    links: Mapping[tuple[str, str], LinkQuality]


class Option(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One way to run one stream: an agent and a variant, with what the prediction needs of them.

    A run is taken to last its median nine times in ten and its 95th percentile once in ten: the moments and the
    tail that the queueing formulas ask for, from the two figures that a profile has.
    """

    number: int                      # unique in the instance
    stream: int                      # -1: load that no stream explains
    agent: int
    variant: str
    home: bool
    priority: int
    rate_hz: float
    deadline_s: float
    weight: float                    # of one missed deadline per second
    p50_s: float
    p95_s: float
    mean_s: float
    load: float                      # of one executor
    step_s: float                    # of a run, after which it leaves the executor to what is more urgent
    half_square: float               # rate x E[run^2] / 2: what Cobham's formula sums
    half_step: float                 # the same of its steps: what more urgent streams see of it
    transfer_s: float                # 0 at home
    fixed_cost: float                # accuracy given up, and leaving the previous placement

    @property
    def idle_s(self) -> float:
        """Latency when nothing else runs."""
        return OVERHEAD_S + self.transfer_s + self.mean_s


Choice = tuple[int, ...]
"""For every stream with options, in order, the index of the option taken."""


class Instance:
    """A problem made ready for search: streams that can be placed, and the options of each, the best idle one first."""

    def __init__(self, problem: Problem, previous: Sequence[Placement] = ()) -> None:
        self.problem = problem
        self.agents = [a for a in sorted(problem.agents, key=lambda a: a.name) if a.alive]
        self._index = {a.name: n for n, a in enumerate(self.agents)}
        classes = sorted({s.spec.priority for s in problem.streams})
        base = min(CLASS_BASE, CLASS_SPAN ** (1.0 / max(1, len(classes) - 1)))
        self._weight = {p: base**rank for rank, p in enumerate(classes)}
        self.top_weight = max((s.spec.rate_hz * self._weight[s.spec.priority] for s in problem.streams), default=0.0)
        before = {(p.agent, p.stream): p for p in previous}
        self.streams: list[StreamOf] = []
        self.options: list[list[Option]] = []
        self.unplaced: list[StreamOf] = []
        self._count = 0
        self.background = [_background(n, a) for n, a in enumerate(self.agents)]
        for stream in sorted(problem.streams, key=lambda s: s.key):
            options = self._options(stream, before.get(stream.key))
            if options:
                self.streams.append(stream)
                self.options.append(options)
            elif stream.agent in self._index:
                self.unplaced.append(stream)
        self.previous = [_same(options, self.agents, before.get(s.key))
                         for s, options in zip(self.streams, self.options, strict=True)]

    def option(self, stream: int, agent: str, variant: str) -> int | None:
        """Index of the option of a stream that runs this variant there."""
        return next((n for n, o in enumerate(self.options[stream])
                     if self.agents[o.agent].name == agent and o.variant == variant), None)

    def _options(self, stream: StreamOf, before: Placement | None) -> list[Option]:
        if stream.agent not in self._index:
            return []
        ways: list[tuple[float, AgentInfo, Profile, float]] = []
        for agent in self.agents:
            profiles = _worth_it([p for p in agent.profiles if p.model == stream.spec.model])
            for profile in profiles:
                transfer_s = self._transfer_s(stream, agent, profile)
                if transfer_s is not None:
                    ways.append((transfer_s + profile.p50_s, agent, profile, transfer_s))
        best = max((profile.accuracy for _, _, profile, _ in ways), default=0.0)
        turn = self._index[stream.agent]
        count = len(self.agents)
        # Equally good peers are met in a different order by every robot, so that limited lists do not all agree.
        ways.sort(key=lambda w: (w[1].name != stream.agent, round(w[0], 4), (self._index[w[1].name] - turn) % count,
                                 w[2].variant))
        kept = {stream.agent} | set(list(dict.fromkeys(w[1].name for w in ways))[:NEAREST + 1])
        if before is not None:
            kept.add(before.where[-1])
        made = [self._option(stream, agent, profile, transfer_s, best, before)
                for _, agent, profile, transfer_s in ways if agent.name in kept]
        return sorted(made, key=lambda o: (round(o.idle_s, 6), not o.home, o.number))

    def _option(self, stream: StreamOf, agent: AgentInfo, profile: Profile, transfer_s: float, best: float,
                before: Placement | None) -> Option:
        self._count += 1
        spec = stream.spec
        weight = spec.rate_hz * self._weight[spec.priority]
        lost = best - profile.accuracy
        moved = before is not None and (before.where[-1], before.variant) != (agent.name, profile.variant)
        fixed_cost = weight * ((0.1 * lost if lost > ACCURACY_MATTERS else 0.0) + (MOVE_PRICE if moved else 0.0))
        return _make(
            self._count, self._index[agent.name], spec, profile.p50_s, profile.p95_s,
            step_s=step_p95_s(profile, Leg(agent.name)), stream=len(self.streams),
            variant=profile.variant, home=agent.name == stream.agent, weight=weight, transfer_s=transfer_s,
            fixed_cost=fixed_cost,
        )

    def _transfer_s(self, stream: StreamOf, agent: AgentInfo, profile: Profile) -> float | None:
        """Planned transfer time, 0 at home, None where the link is unknown or too thin for the stream."""
        if agent.name == stream.agent:
            return 0.0
        link = self.problem.links.get((stream.agent, agent.name))
        if link is None:
            return None
        send_s = profile.input_bytes / link.bytes_per_s
        busy = stream.spec.rate_hz * send_s
        if busy >= 0.9:
            return None
        return JITTER * (link.rtt_s + send_s / (1.0 - busy))


def _make(number: int, agent: int, spec: StreamSpec, p50_s: float, p95_s: float, *, step_s: float, stream: int = -1,
          variant: str = "", home: bool = True, weight: float = 0.0, transfer_s: float = 0.0,
          fixed_cost: float = 0.0) -> Option:
    p95_s = max(p50_s, p95_s)
    mean_s = 0.9 * p50_s + 0.1 * p95_s
    half_square = spec.rate_hz * (0.9 * p50_s**2 + 0.1 * p95_s**2) / 2
    return Option(
        number=number, stream=stream, agent=agent, variant=variant, home=home, priority=spec.priority,
        rate_hz=spec.rate_hz, deadline_s=spec.deadline_s, weight=weight, p50_s=p50_s, p95_s=p95_s, mean_s=mean_s,
        load=spec.rate_hz * mean_s, step_s=step_s, half_square=half_square,
        half_step=min(half_square, spec.rate_hz * mean_s * step_s / 2), transfer_s=transfer_s,
        fixed_cost=fixed_cost,
    )


def _background(number: int, agent: AgentInfo) -> Option | None:
    """Unexplained load as one more source of runs, of no priority."""
    if agent.background <= 0.0:
        return None
    spec = StreamSpec(name="", model="", rate_hz=agent.background / BACKGROUND_RUN_S, deadline_s=1.0)
    return _make(-1 - number, number, spec, BACKGROUND_RUN_S, BACKGROUND_RUN_S, step_s=BACKGROUND_RUN_S)


def _worth_it(profiles: list[Profile]) -> list[Profile]:
    """Variants for which no other is both faster and about as accurate; fastest first."""
    kept: list[Profile] = []
    for profile in sorted(profiles, key=lambda p: (p.p50_s, p.variant)):
        if all(profile.accuracy > k.accuracy + ACCURACY_MATTERS for k in kept):
            kept.append(profile)
    return kept


def _same(options: list[Option], agents: list[AgentInfo], before: Placement | None) -> int | None:
    """The option that a previous placement was, if it can still be had."""
    if before is None:
        return None
    return next((n for n, o in enumerate(options)
                 if agents[o.agent].name == before.where[-1] and o.variant == before.variant), None)
