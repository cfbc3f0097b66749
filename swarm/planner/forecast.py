"""Forecasts the effect of an assignment: waiting, latency, utilisation and the share of results on time.

Each agent is a queue with priorities. More urgent work can preempt a run after a step: the longest stage of a run that
goes stage by stage, or else the whole run. Without steps the mean wait is Cobham's (Priority assignment in waiting line
problems, Operations Research 2(1), 1954): W_k = W_0 / ((1 - s_above)(1 - s_above - s_same)), with the utilisations s
and W_0 = sum(rate E[S^2]) / 2. Approximations, compared with a simulation in tests/planner:

- Streams are periodic with independent phases. A stream never waits for its own previous frame, so its own load is left
  out of the sums (exact for one stream, a D/G/1-like correction for few, M/G/1 again for many).
- The tail of the wait is the larger of two: the run in progress (length-biased, its residual uniform, so
  P(residual > s) = rate E[(S - s)+] per stream), with the slack shortened by the work of higher priority that arrives
  meanwhile; and an exponential with Cobham's mean (Kingman's heavy-traffic limit) over the work that goes first.
- A less urgent run that goes in steps blocks others only until its next step: its residual is that of a step. Such a
  run itself takes longer by the work of higher priority that arrives before its end.
- With c executors a request waits only if all are busy: sums are per executor, times utilisation^(c - 1).
- Beyond saturation work of higher priority is carried first; the rest is lost.
- One result in a hundred is lost on the way to or from a peer, on any link: peers fail and links fade. So where home
  and a peer would both do, streams with a high weight stay at home and streams with a low weight are offloaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from typing import Any

import msgspec

from swarm.planner.instance import Assignment, Instance
from swarm.planner.options import OVERHEAD_S, Option

MIN_IDLE = 0.02                  # least idle share in a denominator: costs stay finite and still grow with load
MAX_OFFLOAD_UTILISATION = 0.8    # above it an agent should get no work of others: it would refuse some, which would
                                 # then be late at home; saturating a peer costs as much as the most expensive stream
LOSS_RISK = 0.01                 # share of offloaded results that are lost
LATENCY_PRICE = 0.01             # of a p95 latency of one deadline, in misses per result
LOAD_PRICE = 0.3                 # of utilisation squared: prefers the better balanced of nearly equal placements


class StreamForecast(msgspec.Struct, frozen=True):
    """The forecast of one stream."""

    on_time: float                   # share of its results within the deadline
    latency_s: float                 # mean, capture to result
    p95_s: float
    wait_s: float                    # mean, in the queue of the agent that runs it
    behind: int | None               # the stream whose runs cause most of its misses, if any do
    behind_share: float              # share of its results that miss because of that stream


class Forecast(msgspec.Struct, frozen=True):
    """The forecast of a whole assignment. `cost` is the objective: less is better."""

    streams: list[StreamForecast]
    utilisation: list[float]         # per agent, of all its executors
    costs: list[float]               # per agent
    queues: list[list[Option]]       # per agent, the options that run there, by stream

    @property
    def cost(self) -> float:
        return sum(self.costs)


def evaluate(instance: Instance, assignment: Assignment) -> Forecast:
    """The forecast of an assignment."""
    queues: list[list[Option]] = [[] for _ in instance.agents]
    for options, n in zip(instance.options, assignment, strict=True):
        queues[options[n].agent].append(options[n])
    streams: dict[int, StreamForecast] = {}
    utilisation: list[float] = []
    for number, here in enumerate(queues):
        utilisation.append(_forecast_agent(instance, number, here, streams))
    return Forecast([streams[n] for n in range(len(assignment))], utilisation,
                    [agent_cost(instance, number, here) for number, here in enumerate(queues)], queues)


class Change(msgspec.Struct, frozen=True):
    """What is different if one stream moves: by stream, the forecasts on both agents; and by agent."""

    streams: dict[int, StreamForecast]
    utilisation: dict[int, float]
    costs: dict[int, float]
    queues: dict[int, list[Option]]
    cost: float                      # added to the whole


def moved(instance: Instance, forecast: Forecast, old: Option, new: Option) -> Change:
    """The change of a forecast if the stream of `old` takes the option `new`. Only the agents of both are computed."""
    queues = {agent: [o for o in forecast.queues[agent] if o is not old] for agent in (old.agent, new.agent)}
    queues[new.agent] = sorted([*queues[new.agent], new], key=lambda o: o.stream)
    streams: dict[int, StreamForecast] = {}
    utilisation = {agent: _forecast_agent(instance, agent, here, streams) for agent, here in queues.items()}
    costs = {agent: agent_cost(instance, agent, here) for agent, here in queues.items()}
    return Change(streams, utilisation, costs, queues, sum(costs[agent] - forecast.costs[agent] for agent in costs))


def changed(forecast: Forecast, change: Change) -> Forecast:
    """The forecast after a change."""
    def merged(known: list[Any], new: dict[int, Any]) -> list[Any]:
        out = list(known)
        for n, value in new.items():
            out[n] = value
        return out

    return Forecast(merged(forecast.streams, change.streams), merged(forecast.utilisation, change.utilisation),
                    merged(forecast.costs, change.costs), merged(forecast.queues, change.queues))


def _forecast_agent(
    instance: Instance, agent: int, here: Sequence[Option], streams: dict[int, StreamForecast]
) -> float:
    """Forecast the streams of one agent. Returns its utilisation."""
    sources, executors = _sources(instance, agent, here), instance.agents[agent].executors
    for option, (on_time, wait_s, tail_s) in zip(here, _queue(sources, executors), strict=False):
        fixed_s = OVERHEAD_S + option.transfer_s
        behind, share = _blame(sources, option, executors)
        streams[option.stream] = StreamForecast(
            on_time, fixed_s + wait_s + option.mean_s, fixed_s + tail_s + option.p95_s, wait_s, behind, share
        )
    return sum(s.load for s in sources) / executors


def agent_cost(instance: Instance, agent: int, options: Sequence[Option]) -> float:
    """One agent's part of the objective: weighted misses, then p95 latency, then accuracy, churn and balance.

    Energy is not part of it, because it is not measured yet.
    """
    if not options:
        return 0.0
    executors = instance.agents[agent].executors
    sources = _sources(instance, agent, options)
    load = sum([s.load for s in sources]) / executors
    foreign = sum([o.load for o in options if not o.home]) / executors
    cost = LOAD_PRICE * load**2
    if load > MAX_OFFLOAD_UTILISATION and foreign > 0.0:
        cost += instance.top_weight * min(load - MAX_OFFLOAD_UTILISATION, foreign) / (1.0 - MAX_OFFLOAD_UTILISATION)
    for option, (on_time, _, tail_s) in zip(options, _queue(sources, executors), strict=False):
        late = (OVERHEAD_S + option.transfer_s + tail_s + option.p95_s) / option.deadline_s
        cost += option.weight * (1.0 - on_time) + option.rate_hz * LATENCY_PRICE * min(late, 4.0) + option.fixed_cost
    return cost


def _sources(instance: Instance, agent: int, options: Sequence[Option]) -> list[Option]:
    """The sources of runs on one agent: its options, and the unexplained load last."""
    background = instance.background[agent]
    return [*options, background] if background is not None else list(options)


def _queue(sources: Sequence[Option], executors: int) -> list[tuple[float, float, float]]:
    """For every source of runs: share on time, mean wait (s), 95th percentile of the wait (s)."""
    classes: dict[int, float] = {}
    for source in sources:
        classes[source.priority] = classes.get(source.priority, 0.0) + source.load
    carried, above = _carried(classes, executors)
    total = longest_s = 0.0
    for source in sources:
        total += source.load * carried[source.priority]
        longest_s = max(longest_s, source.p95_s)
    below = {p: sum([s.half_step * carried[s.priority] for s in sources if s.priority < p]) for p in classes}
    residual_upto = {p: sum([s.half_square * carried[s.priority] for s in sources if s.priority >= p]) for p in classes}
    all_busy = min(1.0, total / executors) ** (executors - 1) / executors
    forecasts: list[tuple[float, float, float]] = []
    for source in sources:
        carried_share = carried[source.priority]
        higher = above[source.priority]
        busy = min(1.0, max(total - source.load * carried_share, 0.0) / executors)
        arrives = 1.0 if source.home else 1.0 - LOSS_RISK
        if busy < 1e-9:
            run_misses = _run_misses(source, 0.0)
            forecasts.append(((1.0 - run_misses) * carried_share * arrives, 0.0, 0.0))
            continue
        dilation = max(MIN_IDLE, 1.0 - higher / executors)
        upto = higher + classes[source.priority] - source.load
        stretch = all_busy / (dilation * max(MIN_IDLE, 1.0 - upto / executors))
        rival = min(1.0, upto / executors)
        queue_s = (residual_upto[source.priority] - source.half_square * carried_share) * stretch
        slowdown = 1.0 / dilation if source.step_s < source.p50_s else 1.0       # by preemption
        wait_s = queue_s + below[source.priority] * stretch + source.mean_s * (slowdown - 1.0)
        miss = 0.0
        for share, run_s in ((0.9, source.p50_s), (0.1, source.p95_s)):
            slack_s = source.deadline_s - OVERHEAD_S - source.transfer_s - run_s * slowdown
            if slack_s < 0.0:
                miss += share
                continue
            late = rival * exp(-rival * slack_s / queue_s) if queue_s > 0.0 else 0.0
            if longest_s > slack_s * dilation:
                late = max(late, all_busy * _blocked(sources, carried, source, slack_s * dilation))
            miss += share * min(1.0, late)
        tail_s = wait_s / busy * log(busy / 0.05) if busy > 0.05 else 0.0
        forecasts.append(((1.0 - miss) * carried_share * arrives, wait_s, tail_s))
    return forecasts


def _carried(classes: dict[int, float], executors: int) -> tuple[dict[int, float], dict[int, float]]:
    """Per priority: the share of its work that is carried, and the total load of higher priorities."""
    carried: dict[int, float] = {}
    above: dict[int, float] = {}
    total = 0.0
    for priority in sorted(classes, reverse=True):
        above[priority] = total
        load = classes[priority]
        carried[priority] = min(1.0, max(executors - total, 0.0) / load) if load > 0.0 else 1.0
        total += load
    return carried, above


def _run_misses(source: Option, wait_s: float) -> float:
    """Share of runs that are too long for the deadline after this wait."""
    spare_s = source.deadline_s - OVERHEAD_S - source.transfer_s - wait_s
    return (0.9 if source.p50_s > spare_s else 0.0) + (0.1 if source.p95_s > spare_s else 0.0)


def _blocked(sources: Sequence[Option], carried: dict[int, float], source: Option, slack_s: float) -> float:
    """Probability that the run in progress outlasts the slack, summed over the other streams."""
    blocked = 0.0
    for other in sources:
        if other is source or other.p95_s <= slack_s:
            continue
        if other.priority < source.priority and other.step_s < other.p50_s:
            blocked += carried[other.priority] * other.load * max(1.0 - slack_s / other.step_s, 0.0)
        else:
            beyond_s = 0.1 * (other.p95_s - slack_s) + 0.9 * max(other.p50_s - slack_s, 0.0)
            blocked += carried[other.priority] * other.rate_hz * beyond_s
    return blocked


def _blame(sources: Sequence[Option], source: Option, executors: int) -> tuple[int | None, float]:
    """The stream that blocks this one most often, and the share of results that miss because of it."""
    slack_s = max(0.0, source.deadline_s - OVERHEAD_S - source.transfer_s - source.p50_s)
    worst, most = None, 0.0
    for other in sources:
        if other is not source and other.stream >= 0:
            share = min(1.0, _blocked([other], {other.priority: 1.0}, source, slack_s) / executors)
            if share > most:
                worst, most = other.stream, share
    return worst, most
