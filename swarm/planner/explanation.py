"""Explains a plan: what each stream gets, what else it could have and at which cost, and what holds it back.

Made when asked for: it takes many simulations.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from math import prod

import msgspec

from swarm.core.policy.link import LinkQuality
from swarm.planner.forecast.simulation.outcome import Outcome
from swarm.planner.options.instance import Assignment, Instance
from swarm.planner.options.option import OVERHEAD_S, planned_transfer_s
from swarm.planner.problem import Problem, StreamOf, in_order
from swarm.planner.solvers.budget import CountedBudget
from swarm.planner.solvers.formula import Formula, class_weights
from swarm.planner.solvers.judge import Judge
from swarm.planner.solvers.place import place

ALTERNATIVES = 3
TRIED = 8                            # the best by formula are judged
FEW = 2_000                          # assignments: so many are all judged, for the gap to the optimum
LONGER_S = 3.0                       # of a search to which more problems are compared
IN_TIME = 0.99                       # a stream with this share on time is held back by nothing
BUSY = 0.7                           # of an agent that holds streams back


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """Another way to run a stream, with all others as planned."""

    variant: str
    where: tuple[str, ...]
    on_time: float                   # of the stream itself
    p95_s: float
    gained: dict[int, float]         # results on time per second, by priority, of all streams; negative: lost


class StreamExplained(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one stream."""

    agent: str
    stream: str
    variant: str
    where: tuple[str, ...]
    on_time: float
    low: float                       # the 95 % interval of the share on time
    high: float
    p50_s: float
    p95_s: float
    limit: str                       # what holds it back; empty: nothing does
    alternatives: list[Alternative]


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """A plan with its reasons."""

    on_time: float                   # of all results
    streams: list[StreamExplained]
    busy: dict[str, float]           # by agent, of all its executors, by what is planned
    unplaced: dict[str, str]         # "agent stream", whose model is nowhere in reach, and whose memory is the reason
    gap: float                       # points on time, weighted by priority, that the best known plan is ahead
    gap_to: str                      # which that is


def explained(problem: Problem, seed: int = 0, *, alternatives: bool = True) -> Explained:
    """The plan of a problem, and why. alternatives: with the other ways of each stream, which takes longer."""
    problem = in_order(problem)
    placements = place(problem, seed=seed, limit_churn=False).placements
    instance = Instance(problem, placements)
    judge, formula = Judge(instance), Formula(instance)
    chosen = tuple(number or 0 for number in instance.previous)
    verdict = judge.forecast(chosen)
    busy = dict(zip((agent.name for agent in instance.agents), formula.forecast(chosen).utilisation, strict=True))
    streams: list[StreamExplained] = []
    for n, stream in enumerate(instance.streams):
        option, result = instance.options[n][chosen[n]], verdict.outcome.streams[judge.number(n)]
        streams.append(StreamExplained(
            agent=stream.agent, stream=stream.spec.name, variant=option.variant, where=option.stops,
            on_time=result.on_time, low=result.low, high=result.high, p50_s=result.p50_s, p95_s=result.p95_s,
            limit=_limit(instance, n, chosen[n], result.on_time, busy),
            alternatives=_alternatives(instance, judge, formula, chosen, n) if alternatives else []))
    best, name = _best_known(instance, judge, problem, seed)
    rates = [stream.spec.rate_hz for stream in problem.streams]
    on_time = sum(rate * share for rate, share in zip(rates, verdict.outcome.on_time.tolist(), strict=True))
    return Explained(
        on_time=on_time / sum(rates) if rates else 1.0, streams=streams, busy=busy,
        unplaced={f"{one.agent} {one.spec.name}": _full_memory(instance, one, one.spec.deadline_s, busy)
                  for one in instance.unplaced},
        gap=max(0.0, points(problem, best) - points(problem, verdict.outcome)), gap_to=name)


def points(problem: Problem, outcome: Outcome) -> float:
    """The share on time of all results, in points, a result weighing ten times one of the next lower priority."""
    weights = class_weights(problem.streams)
    each = [weights[stream.spec.priority] * stream.spec.rate_hz for stream in problem.streams]
    on_time = sum(w * share for w, share in zip(each, outcome.on_time.tolist(), strict=True))
    return 100.0 * on_time / max(sum(each), 1e-9)


def without(problem: Problem, agents: Sequence[str]) -> Problem:
    """The same problem after these agents have left, with their streams."""
    return msgspec.structs.replace(
        problem, agents=tuple(agent for agent in problem.agents if agent.name not in agents),
        streams=tuple(stream for stream in problem.streams if stream.agent not in agents),
        links={pair: link for pair, link in problem.links.items() if not set(pair) & set(agents)})


def with_rate(problem: Problem, pairs: Sequence[tuple[str, str]], bytes_per_s: float) -> Problem:
    """The same problem with this rate of the links between these agents, both ways."""
    links = dict(problem.links)
    for one, other in pairs:
        for pair in ((one, other), (other, one)):
            if pair in links:
                links[pair] = LinkQuality(rtt_s=links[pair].rtt_s, bytes_per_s=bytes_per_s,
                                          samples=links[pair].samples)
    return msgspec.structs.replace(problem, links=links)


def _alternatives(
    instance: Instance, judge: Judge, formula: Formula, chosen: Assignment, stream: int
) -> list[Alternative]:
    """The best other ways of a stream: those that lose least of the most important results."""
    local, everywhere = judge.local(chosen), range(len(chosen))
    others = [n for n in formula.ranked(chosen, stream) if n != chosen[stream]][:TRIED]
    before, *outcomes = (one.streams for one in judge.local_outcomes(
        local, everywhere, chosen, [None, *((stream, option) for option in others)], judge.phases, 0))
    found: list[tuple[tuple[float, ...], Alternative]] = []
    for option, after in zip(others, outcomes, strict=True):
        gained: dict[int, float] = {}
        for one, old, new in zip(instance.streams, before, after, strict=True):
            gained[one.spec.priority] = gained.get(one.spec.priority, 0.0) + one.spec.rate_hz * (
                new.on_time - old.on_time)
        taken = instance.options[stream][option]
        order = tuple(-round(gained[priority], 2) for priority in sorted(gained, reverse=True))
        found.append((order, Alternative(
            variant=taken.variant, where=taken.stops, on_time=after[stream].on_time,
            p95_s=after[stream].p95_s, gained=gained)))
    return [one for _, one in sorted(found, key=lambda pair: pair[0])[:ALTERNATIVES]]


def _limit(instance: Instance, stream: int, chosen: int, on_time: float, busy: dict[str, float]) -> str:
    """What holds a stream back."""
    if on_time >= IN_TIME:
        return ""
    spec, option = instance.streams[stream].spec, instance.options[stream][chosen]
    memory = _full_memory(instance, instance.streams[stream], instance.left_s(stream), busy)
    if memory:
        return memory
    least = min(instance.options[stream], key=lambda one: one.idle_s)
    begins_s = instance.begins_s[stream]
    if begins_s + least.idle_s > spec.deadline_s:
        after = f", after {begins_s * 1e3:.0f} ms of {spec.source}" if begins_s else ""
        return (f"the deadline: {spec.deadline_s * 1e3:.0f} ms, and the quickest way takes {least.idle_s * 1e3:.0f} ms "
                f"on {' > '.join(least.stops)}{after}")
    agent = max(option.stops, key=lambda name: busy[name])
    if busy[agent] >= BUSY:
        return f"{agent}, which is busy {busy[agent]:.0%}"
    if option.transfer_s > option.mean_s:
        return f"the link: {option.transfer_s * 1e3:.0f} ms of {option.idle_s * 1e3:.0f} ms"
    return f"runs of other streams on {agent}"


def _full_memory(instance: Instance, stream: StreamOf, left_s: float, busy: dict[str, float]) -> str:
    """The memory without which an agent would serve a stream in time, and have room for it; empty: there is none.

    left_s: of its deadline.
    """
    spec, found = stream.spec, []
    size = max((p.input_bytes for agent in instance.agents for p in agent.profiles if p.model == spec.model), default=0)
    for agent in instance.agents:
        link = instance.problem.links.get((stream.agent, agent.name))
        way_s = 0.0 if agent.name == stream.agent else planned_transfer_s(link, size, spec.rate_hz) if link else None
        if way_s is None or any(profile.model == spec.model for profile in agent.profiles):
            continue
        for one in (each for each in agent.not_loaded if each.model == spec.model):
            whole_s, load = OVERHEAD_S + way_s + one.p50_s, spec.rate_hz * one.p50_s / agent.executors
            if whole_s <= left_s and busy[agent.name] + load <= BUSY:
                why = f"is not loaded (a load takes {one.load_s:.2g} s)" if one.load_s else "does not fit"
                found.append((whole_s * 1e3, f"{agent.name}'s memory: {one.model} {one.variant} {why}"))
    return "{1}, and would take {0:.0f} ms there".format(*min(found)) if found else ""


def _best_known(instance: Instance, judge: Judge, problem: Problem, seed: int) -> tuple[Outcome, str]:
    """The outcome of the best plan that is known, and how it is known."""
    count = prod(len(options) for options in instance.options)
    if count <= FEW:
        every = itertools.product(*(range(len(options)) for options in instance.options))
        best = max((judge.judge(assignment, judge.phases) for assignment in every),
                   key=lambda verdict: points(problem, verdict.outcome))
        return judge.forecast(best.assignment).outcome, f"the best of all {count} plans"
    longer = place(problem, budget=CountedBudget(LONGER_S), seed=seed + 1, limit_churn=False)
    placed = {(p.agent, p.stream): p for p in longer.placements}
    assignment = tuple(instance.option(n, placed[stream.key]) for n, stream in enumerate(instance.streams))
    if any(option is None for option in assignment):
        return judge.forecast(tuple(number or 0 for number in instance.previous)).outcome, "no other plan"
    return (judge.forecast(tuple(option or 0 for option in assignment)).outcome,
            f"the best of a search of {LONGER_S:g} s")
