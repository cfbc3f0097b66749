"""What becomes of each stream under a plan, from simulations at several phases of the streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil

import msgspec
import numpy as np
from numpy.typing import NDArray

from swarm.core.policy.plan import Placement
from swarm.planner.forecast.simulation.records import State, Team
from swarm.planner.forecast.simulation.simulate import simulate
from swarm.planner.forecast.simulation.tally import (
    AWAY,
    DUE,
    ENDED,
    GOOD,
    LEFT,
    LEFT_OUT,
    MEAN,
    P50,
    P95,
    SIMULATED,
    new_tally,
)
from swarm.planner.forecast.simulation.team import TeamArrays, Way
from swarm.planner.forecast.workers import ONE_WORKER, Workers
from swarm.planner.problem import Problem

HORIZON_S = 20.0                     # of one simulation
SETTLED_S, SETTLED = 4.0, 1 / 3       # what is captured earlier, or in this share of it, does not count: queues fill
REQUESTS = 12_000                    # of one set of phases: large teams get shorter simulations
SHORTEST_S = 8.0
LOCAL_S = 8.0                        # of a simulation of a few streams
INTERVAL = (0.025, 0.975)

Values = NDArray[np.float64]


class StreamOutcome(msgspec.Struct, frozen=True):
    """What becomes of one stream. Streams keep their phases for long, so that its share depends on them."""

    on_time: float                   # share of its due frames with a result by the deadline; 1: none was due
    low: float                       # a 95 % interval of that share, of one set of phases
    high: float
    mean_s: float                    # of its results, late ones too, from capture; 0: there are none
    p50_s: float
    p95_s: float
    away: float                      # share of its results from a peer
    left: float = 0.0                # share of its requests that do not go as planned, since they would not be in time


@dataclass(frozen=True)
class Outcome:
    """Of streams, in the order of the problem, or as they were asked for: the same figures, by stream."""

    on_time: Values
    mean_s: Values
    p50_s: Values
    p95_s: Values
    away: Values
    left: Values
    shares: Values                   # [set of phases, stream]: on time

    @cached_property
    def streams(self) -> list[StreamOutcome]:
        """One by one."""
        low, high = self.on_time, self.on_time
        if len(self.shares) > 1:
            low, high = np.quantile(self.shares, INTERVAL, axis=0)
        columns = self.on_time, low, high, self.mean_s, self.p50_s, self.p95_s, self.away, self.left
        return [StreamOutcome(*row) for row in np.stack(columns, axis=1).tolist()]

    def shifted(self, by: Values) -> Outcome:
        """With other shares on time."""
        return Outcome(np.clip(self.on_time + by, 0.0, 1.0), self.mean_s, self.p50_s, self.p95_s, self.away, self.left,
                       np.clip(self.shares + by, 0.0, 1.0))


class Simulator:
    """Simulates plans for one problem. All plans meet the same phases and draws, so that differences are the plans'."""

    def __init__(self, problem: Problem, requests: int = REQUESTS, longest_s: float = HORIZON_S,
                 workers: Workers = ONE_WORKER) -> None:
        """requests: of one set of phases, as far as simulations are long enough. longest_s: of one simulation."""
        self._streams, self._arrays = len(problem.streams), TeamArrays(problem)
        rate = sum(stream.spec.rate_hz for stream in problem.streams)
        self.horizon_s = min(longest_s, max(SHORTEST_S, requests / max(rate, 1e-9)))
        self._workers = workers
        self._states: dict[int, State] = {}          # by worker
        self._all = np.arange(self._streams)
        self.requests_per_phase = ceil(rate * self.horizon_s)
        self.requests = 0                            # that were simulated
        self.overflows = 0                           # runs, promises and events that found no place, and were left out

    def way(self, stream: int, placement: Placement) -> Way:
        """How a plan has this placement of a stream."""
        return self._arrays.way(stream, placement)

    def outcome(self, placements: Sequence[Placement], phases: int, first: int = 0) -> Outcome:
        """The outcome of a plan over so many sets of phases. first: the number of the first one."""
        return self.outcomes([self._arrays.ways(placements)], phases, first)[0]

    def outcomes(self, plans: Sequence[NDArray[np.int64]], phases: int, first: int = 0,
                 longest_s: float = HORIZON_S) -> list[Outcome]:
        """The outcomes of plans, side by side: of the way of each stream. longest_s: of one simulation."""
        horizon_s = min(self.horizon_s, longest_s)
        return self._of([(self._arrays.team(ways), self._all) for ways in plans], horizon_s, phases, first)

    def local(self, ways: NDArray[np.int64]) -> LocalOutcomes:
        """Outcomes of some streams of this plan, and of plans that differ from it by few placements."""
        return LocalOutcomes(self, self._arrays, self._arrays.team(ways))

    def _of(self, teams: Sequence[tuple[Team, NDArray[np.int64]]], horizon_s: float, phases: int, first: int
            ) -> list[Outcome]:
        """The outcomes of the active streams of each team, as if the others had no frames, side by side."""
        results = self._workers.map(
            lambda worker, one: self._simulated(*one, horizon_s, phases, first, worker), teams)
        outcomes: list[Outcome] = []
        for outcome, requests, overflows in results:
            self.requests += requests
            self.overflows += overflows
            outcomes.append(outcome)
        return outcomes

    def _simulated(self, team: Team, active: NDArray[np.int64], horizon_s: float, phases: int, first: int,
                   worker: int) -> tuple[Outcome, int, int]:
        """The outcome; requests and overflows."""
        if worker not in self._states:
            self._states[worker] = self._arrays.state(max(self.horizon_s, LOCAL_S))
        state = self._states[worker]
        tally = new_tally(phases, self._streams, len(state.requests))
        simulate(team, state, self._arrays.chains.with_sources(active), horizon_s, first,
                 min(SETTLED_S, SETTLED * horizon_s), tally)
        counts, figures = tally.counts[:, active], tally.figures[active]
        of_all = counts.sum(axis=0)
        due, ended = np.maximum(of_all[:, DUE], 1), np.maximum(of_all[:, ENDED], 1)
        shares = np.where(counts[:, :, DUE] > 0, counts[:, :, GOOD] / np.maximum(counts[:, :, DUE], 1), 1.0)
        on_time = np.where(of_all[:, DUE] > 0, of_all[:, GOOD] / due, 1.0)
        outcome = Outcome(on_time, figures[:, MEAN], figures[:, P50], figures[:, P95], of_all[:, AWAY] / ended,
                          of_all[:, LEFT] / due, shares)
        return outcome, int(tally.totals[SIMULATED]), int(tally.totals[LEFT_OUT])


class LocalOutcomes:
    """Of a plan that changes by single placements. What is far from a change is left out of its simulation."""

    def __init__(self, simulator: Simulator, arrays: TeamArrays, team: Team) -> None:
        self._simulator, self._arrays, self._team = simulator, arrays, team

    def outcomes(self, active: NDArray[np.int64], changes: Sequence[Mapping[int, Way]], phases: int, first: int
                 ) -> list[Outcome]:
        """Of these streams, if they alone had frames, with each of these changes: other ways, by stream."""
        teams = [self._arrays.changed(self._team, one) if one else self._team for one in changes]
        return self._simulator._of([(team, active) for team in teams], LOCAL_S, phases, first)

    def adopt(self, changes: Mapping[int, Way]) -> None:
        """The plan has changed."""
        self._team = self._arrays.changed(self._team, changes)
