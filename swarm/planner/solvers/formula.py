"""Searches and forecasts by formula: turns an instance into the arrays of `search/`, and its results back."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import msgspec
import numpy as np
from numpy.typing import NDArray

from swarm.planner.forecast.workers import ONE_WORKER, Workers
from swarm.planner.options.instance import Assignment, Instance
from swarm.planner.options.option import OVERHEAD_S, mean_s
from swarm.planner.problem import StreamOf
from swarm.planner.solvers.search.records import FORECAST, NONE, WORKED, Work, new_work
from swarm.planner.solvers.search.search import cost_all, evaluate, improve, rank
from swarm.planner.solvers.search.tables import tables

CLASS_BASE = 10.0                # a miss costs as much as this many misses of the next lower priority class ...
CLASS_SPAN = 1e12                # ... but less with very many classes, so that float64 can still resolve the costs
MOST_SEED = 2**60 - 1            # of compiled code, which has 64 bits
LEARNS = 0.6                     # share of the newest error of a stream in what is learnt of its option
WRONG = 0.02                     # share on time: learning less is no news
SOURCE_S = 0.08e-6               # of one evaluation of a source, measured on this project's reference host


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

    def __init__(self, instance: Instance, workers: Workers = ONE_WORKER) -> None:
        self._instance, self._workers = instance, workers
        self.weights = class_weights(instance.streams)
        priorities = sorted({0, *(stream.spec.priority for stream in instance.streams)})
        self._tables = tables(instance, self.weights, {priority: n for n, priority in enumerate(priorities)})
        self._firsts = self._tables.streams["first"]
        self._offsets = self._firsts.tolist()
        self._missed = np.array([s.spec.rate_hz * self.weights[s.spec.priority] for s in instance.streams])
        members = 2 * len(instance.streams) + 1      # a leg and a guard of each stream, and unexplained load
        sizes = len(instance.streams), len(self._tables.options), len(instance.agents), members, len(priorities)
        self._work = new_work(*sizes)
        # each worker has its own assignment; what is learnt is that of all
        self._works = [self._work, *(new_work(*sizes)._replace(
            learnt=self._work.learnt, wrong=self._work.wrong) for _ in range(1, workers.count))]
        self._out = np.zeros(len(self._tables.sources), FORECAST)
        self._every: NDArray[np.float64] | None = None       # the cost of each assignment without what was learnt
        self.worked_s = 0.0              # the counted work

    def completed(self, partial: Sequence[int | None]) -> tuple[float, Assignment]:
        """Fill the gaps of an assignment, each where it adds least to the cost. Returns the cost, too."""
        return self._counted(self._run(self._work, partial, 0, 0.0, 0))

    def improved(
        self, starts: Sequence[Sequence[int | None]], most_s: float, seed: int
    ) -> list[tuple[float, Assignment]]:
        """The best assignments that are found from these on, side by side, and their costs.

        most_s: of counted work, for each.
        """
        found = self._workers.map(
            lambda worker, n: self._run(self._works[worker], starts[n], 1, most_s, seed + n), range(len(starts)))
        return [self._counted(one) for one in found]

    def _run(self, work: Work, start: Sequence[int | None], descends: int, most_s: float,
             seed: int) -> tuple[float, Assignment, int]:
        """The cost, the assignment, and the work."""
        work.chosen[:] = [NONE if n is None else first + n for n, first in zip(start, self._offsets, strict=True)]
        cost = improve(self._tables, work, descends, int(most_s / SOURCE_S), seed & MOST_SEED)
        found = work.best if descends and len(self._offsets) else work.chosen
        return (cost, tuple(n - first for n, first in zip(found.tolist(), self._offsets, strict=True)),
                int(work.counts[WORKED]))

    def _counted(self, result: tuple[float, Assignment, int]) -> tuple[float, Assignment]:
        cost, found, worked = result
        self.worked_s += worked * SOURCE_S
        return cost, found

    def ranked(self, assignment: Assignment, stream: int) -> list[int]:
        """The options of a stream, those first that add least to the cost beside the rest of this assignment."""
        self._work.chosen[:] = [first + n for n, first in zip(assignment, self._offsets, strict=True)]
        costs = np.zeros(len(self._instance.options[stream]))
        rank(self._tables, self._work, stream, costs)
        self.worked_s += float(self._work.counts[WORKED]) * SOURCE_S
        return np.argsort(costs, kind="stable").tolist()

    def costs_of_all(self) -> NDArray[np.float64]:
        """The cost of each assignment; an axis for each stream, of its options. What was learnt counts."""
        sizes = [len(options) for options in self._instance.options]
        learnt = [self._work.learnt[first:first + size] for first, size in zip(self._offsets, sizes, strict=True)]
        if self._every is None:
            costs = np.zeros(prod(sizes))
            cost_all(self._tables, self._work, costs)
            self.worked_s += float(self._work.counts[WORKED]) * SOURCE_S
            self._every = costs.reshape(sizes) - sum(np.ix_(*learnt))
        return self._every + sum(np.ix_(*learnt))

    def learn(self, assignment: Assignment, on_time: NDArray[np.float64]) -> None:
        """Let the options of an assignment cost more or less, since a simulation gives their streams these shares."""
        error = self._evaluated(assignment)[1] - on_time
        learnt, chosen = self._work.learnt, self._firsts + np.array(assignment, np.int64)
        before = learnt[chosen]
        learnt[chosen] += LEARNS * (self._missed * error - before)
        self._work.wrong[:] = np.abs(learnt[chosen] - before) > WRONG * self._missed

    def forecast(self, assignment: Assignment) -> Forecast:
        """The forecast of an assignment."""
        cost, on_time = self._evaluated(assignment)
        loads = [0.0] * len(self._instance.agents)
        for number, agent in enumerate(self._instance.agents):
            loads[number] += agent.background
        streams: list[StreamForecast] = []
        for n, (stream, options) in enumerate(zip(self._instance.streams, self._instance.options, strict=True)):
            option = options[assignment[n]]
            row = self._tables.options[self._offsets[n] + assignment[n]]
            of = self._out[row["first"]:row["legs_end"]]
            for source in option.sources:
                loads[source.agent] += stream.spec.rate_hz * mean_s(source.p50_s, source.p95_s)
            wait_s = float(of["wait_s"].sum())
            streams.append(StreamForecast(
                float(on_time[n]), option.idle_s + wait_s,
                OVERHEAD_S + option.transfer_s + sum(s.p95_s for s in option.sources) + float(of["tail_s"].max()),
                wait_s))
        for n, source in self._instance.chained:     # it begins with the result of its source
            own, of = streams[n], streams[source]
            streams[n] = StreamForecast(own.on_time * of.on_time, of.latency_s + own.latency_s,
                                        of.latency_s + own.p95_s, own.wait_s)
        return Forecast(streams, [load / agent.executors for load, agent in zip(
            loads, self._instance.agents, strict=True)], cost)

    def _evaluated(self, assignment: Assignment) -> tuple[float, NDArray[np.float64]]:
        """The cost of an assignment, and the share on time of each stream. `_out` has the forecast of each source."""
        on_time = np.zeros(len(assignment))
        self._work.chosen[:] = self._firsts + np.array(assignment, np.int64)
        cost = evaluate(self._tables, self._work, self._out, on_time)
        self.worked_s += float(self._work.counts[WORKED]) * SOURCE_S
        return cost, on_time


def class_weights(streams: Sequence[StreamOf]) -> dict[int, float]:
    """The cost of a miss of each priority."""
    classes = sorted({stream.spec.priority for stream in streams})
    base = min(CLASS_BASE, CLASS_SPAN ** (1.0 / max(1, len(classes) - 1)))
    return {priority: base**rank for rank, priority in enumerate(classes)}
