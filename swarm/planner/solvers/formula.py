"""Searches and forecasts by formula: turns an instance into the arrays of `search/`, and its results back."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from swarm.planner.options.instance import Assignment, Instance
from swarm.planner.options.option import BACKGROUND_RUN_S, OVERHEAD_S, Option, mean_s
from swarm.planner.problem import StreamOf
from swarm.planner.solvers.search.queue import LATENCY_PRICE, MOST_LATE
from swarm.planner.solvers.search.records import AGENT, FORECAST, NONE, OPTION, SOURCE, STREAM, WORKED, Tables, new_work
from swarm.planner.solvers.search.search import evaluate, improve, rank

LOSS_RISK = 0.01                 # share of results that are lost for each leg on a peer: peers fail, and links fade
MOVE_PRICE = 0.002               # of leaving the previous placement, in misses per result: breaks ties
STRAIN_PRICE = 0.02              # of a leg on a strained agent: twice the risk of a peer, so that sound ones relieve it
CLASS_BASE = 10.0                # a miss costs as much as this many misses of the next lower priority class ...
CLASS_SPAN = 1e12                # ... but less with very many classes, so that float64 can still resolve the costs
MOST_SEED = 2**60 - 1            # of compiled code, which has 64 bits
SOURCE_S = 0.04e-6               # of one evaluation of a source, measured on this project's reference host


class StreamForecast(msgspec.Struct, frozen=True):
    """The forecast of one stream."""

    on_time: float                   # share of its results within the deadline
    latency_s: float                 # mean, capture to result
    p95_s: float
    wait_s: float                    # mean, in the queues of all its legs


class Forecast(msgspec.Struct, frozen=True):
    """The forecast of a whole assignment. `cost` is the objective: less is better."""

    streams: list[StreamForecast]
    utilisation: list[float]         # per agent, of all its executors
    cost: float


class Formula:
    """Of one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self.weights = class_weights(instance.streams)
        priorities = sorted({0, *(stream.spec.priority for stream in instance.streams)})
        self._levels = {priority: n for n, priority in enumerate(priorities)}
        self._tables = self._made()
        self._offsets = self._tables.streams["first"].tolist()
        members = 1 + max(map(len, _reach(instance).values()), default=0)
        self._work = new_work(len(instance.streams), len(instance.agents), members, len(priorities))
        self.worked_s = 0.0              # the counted work

    def completed(self, partial: Sequence[int | None]) -> tuple[float, Assignment]:
        """Fill the gaps of an assignment, each where it adds least to the cost. Returns the cost, too."""
        return self._run(partial, 0, 0.0, 0)

    def improved(self, start: Sequence[int | None], most_s: float, seed: int) -> tuple[float, Assignment]:
        """The best assignment that is found from this one on, and its cost. most_s: of counted work."""
        return self._run(start, 1, most_s, seed)

    def _run(self, start: Sequence[int | None], descends: int, most_s: float, seed: int) -> tuple[float, Assignment]:
        work = self._work
        work.chosen[:] = [NONE if n is None else first + n for n, first in zip(start, self._offsets, strict=True)]
        cost = improve(self._tables, work, descends, int(most_s / SOURCE_S), seed & MOST_SEED)
        self.worked_s += float(work.counts[WORKED]) * SOURCE_S
        found = work.best if descends and len(self._offsets) else work.chosen
        return cost, tuple(n - first for n, first in zip(found.tolist(), self._offsets, strict=True))

    def ranked(self, assignment: Assignment, stream: int) -> list[int]:
        """The options of a stream, those first that add least to the cost beside the rest of this assignment."""
        self._work.chosen[:] = [first + n for n, first in zip(assignment, self._offsets, strict=True)]
        costs = np.zeros(len(self._instance.options[stream]))
        rank(self._tables, self._work, stream, costs)
        self.worked_s += float(self._work.counts[WORKED]) * SOURCE_S
        return np.argsort(costs, kind="stable").tolist()

    def forecast(self, assignment: Assignment) -> Forecast:
        """The forecast of an assignment."""
        out = np.zeros(len(self._tables.sources), FORECAST)
        self._work.chosen[:] = [first + n for n, first in zip(assignment, self._offsets, strict=True)]
        cost = evaluate(self._tables, self._work, out)
        loads = [0.0] * len(self._instance.agents)
        for number, agent in enumerate(self._instance.agents):
            loads[number] += agent.background
        streams: list[StreamForecast] = []
        for n, (stream, options) in enumerate(zip(self._instance.streams, self._instance.options, strict=True)):
            option = options[assignment[n]]
            row = self._tables.options[self._offsets[n] + assignment[n]]
            of = out[row["first"]:row["end"]]
            for source in option.sources:
                loads[source.agent] += stream.spec.rate_hz * mean_s(source.p50_s, source.p95_s)
            wait_s = float(of["wait_s"].sum())
            streams.append(StreamForecast(
                float(of["on_time"].prod()) * (1.0 - LOSS_RISK) ** _on_peers(stream, option), option.idle_s + wait_s,
                OVERHEAD_S + option.transfer_s + sum(s.p95_s for s in option.sources) + float(of["tail_s"].max()),
                wait_s))
        return Forecast(streams, [load / agent.executors for load, agent in zip(
            loads, self._instance.agents, strict=True)], cost)

    def _made(self) -> Tables:
        instance = self._instance
        streams, options, agents = [], [], []
        sources: list[tuple[float, ...]] = []
        for number, (stream, ways) in enumerate(zip(instance.streams, instance.options, strict=True)):
            spec, previous = stream.spec, instance.previous[number]
            weight, level = spec.rate_hz * self.weights[spec.priority], self._levels[spec.priority]
            first = len(options)
            for n, option in enumerate(ways):
                idle_s = option.idle_s
                price = option.accuracy_cost + LOSS_RISK * _on_peers(stream, option)
                price += STRAIN_PRICE * instance.strain(option)
                if previous is not None and n != previous:
                    price += MOVE_PRICE
                late = (OVERHEAD_S + option.transfer_s + sum(s.p95_s for s in option.sources)) / spec.deadline_s
                options.append((len(sources), len(sources) + len(option.sources),
                                weight * price + spec.rate_hz * LATENCY_PRICE * min(late, MOST_LATE)))
                for source in option.sources:
                    run_s = mean_s(source.p50_s, source.p95_s)
                    sources.append(_row(source.agent, level, spec.rate_hz, source.p50_s, source.p95_s, source.step_s,
                                        spec.deadline_s - idle_s + run_s, spec.deadline_s, weight))
            least = ways[0]
            streams.append((first, len(options), spec.priority, spec.deadline_s - least.idle_s))
        for agent_number, agent in enumerate(instance.agents):
            agents.append((agent.executors, len(sources) if agent.background > 0.0 else NONE))
            if agent.background > 0.0:
                sources.append(_row(agent_number, self._levels[0], agent.background / BACKGROUND_RUN_S,
                                    BACKGROUND_RUN_S, BACKGROUND_RUN_S, BACKGROUND_RUN_S, 1.0, 1.0, 0.0))
        order = sorted(range(len(streams)), key=lambda n: (-streams[n][2], streams[n][3], n))
        return Tables(_records([s[:2] for s in streams], STREAM), _records(options, OPTION), _records(sources, SOURCE),
                      _records(agents, AGENT), np.array(order, np.int64))


def _reach(instance: Instance) -> dict[int, set[int]]:
    """The streams that could run on each agent."""
    reach: dict[int, set[int]] = {}
    for stream, options in enumerate(instance.options):
        for option in options:
            for agent in option.agents:
                reach.setdefault(agent, set()).add(stream)
    return reach


def class_weights(streams: Sequence[StreamOf]) -> dict[int, float]:
    """The cost of a miss of each priority."""
    classes = sorted({stream.spec.priority for stream in streams})
    base = min(CLASS_BASE, CLASS_SPAN ** (1.0 / max(1, len(classes) - 1)))
    return {priority: base**rank for rank, priority in enumerate(classes)}


def _on_peers(stream: StreamOf, option: Option) -> int:
    """How many legs of an option run on peers."""
    return 0 if option.home else len(option.sources) - (option.where[0] == stream.agent)


def _row(agent: int, level: int, rate_hz: float, p50_s: float, p95_s: float, step_s: float, slack_s: float,
         deadline_s: float, weight: float) -> tuple[float, ...]:
    """A source, in the order of SOURCE."""
    load = rate_hz * mean_s(p50_s, p95_s)
    half_square = rate_hz * (0.9 * p50_s * p50_s + 0.1 * p95_s * p95_s) / 2
    return (agent, level, rate_hz, p50_s, p95_s, step_s, load, half_square, min(half_square, load * step_s / 2),
            slack_s, deadline_s, weight)


def _records(rows: Sequence[tuple[float, ...]], kind: np.dtype[np.void]) -> NDArray[np.void]:
    """The rows as a structured array. Column by column, which is quicker."""
    out = np.zeros(len(rows), kind)
    if rows:
        columns = np.array(rows, np.float64)
        for n, name in enumerate((kind.names or ())[:columns.shape[1]]):
            out[name] = columns[:, n]
    return out
