"""What becomes of each stream under a plan, from simulations at several phases of the streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

import msgspec
import numpy as np
from numpy.typing import NDArray

from swarm.core.policy.plan import Placement
from swarm.planner.forecast.simulation.records import FULL, State, Team
from swarm.planner.forecast.simulation.simulate import simulate
from swarm.planner.forecast.simulation.team import TeamArrays
from swarm.planner.forecast.workers import ONE_WORKER, Workers
from swarm.planner.problem import Problem

HORIZON_S = 20.0                     # of one simulation
SETTLED_S = 4.0                      # what is captured earlier does not count: queues are still empty
REQUESTS = 12_000                    # of one set of phases: large teams get shorter simulations
SHORTEST_S = 8.0
LOCAL_S = 8.0                        # of a simulation of a few streams
INTERVAL = (0.025, 0.975)


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


class Outcome(msgspec.Struct, frozen=True):
    """Of streams, in the order of the problem, or as they were asked for."""

    streams: list[StreamOutcome]
    shares: NDArray[np.float64] | None = None        # [set of phases, stream]: on time


class Simulator:
    """Simulates plans for one problem. All plans meet the same phases and draws, so that differences are the plans'."""

    def __init__(self, problem: Problem, requests: int = REQUESTS, longest_s: float = HORIZON_S,
                 workers: Workers = ONE_WORKER) -> None:
        """requests: of one set of phases, as far as simulations are long enough. longest_s: of one simulation."""
        self._problem, self._arrays = problem, TeamArrays(problem)
        rate = sum(stream.spec.rate_hz for stream in problem.streams)
        self.horizon_s = min(longest_s, max(SHORTEST_S, requests / max(rate, 1e-9)))
        self._workers = workers
        self._states: dict[int, State] = {}          # by worker
        self._all = np.arange(len(problem.streams))
        self.requests_per_phase = ceil(rate * self.horizon_s)
        self.requests = 0                            # that were simulated
        self.overflows = 0                           # runs, promises and events that found no place, and were left out

    def outcome(self, placements: Sequence[Placement], phases: int, first: int = 0) -> Outcome:
        """The outcome of a plan over so many sets of phases. first: the number of the first one."""
        return self.outcomes([placements], phases, first)[0]

    def outcomes(self, plans: Sequence[Sequence[Placement]], phases: int, first: int = 0,
                 longest_s: float = HORIZON_S) -> list[Outcome]:
        """The outcomes of plans, side by side. longest_s: of one simulation."""
        horizon_s = min(self.horizon_s, longest_s)
        results = self._workers.map(
            lambda worker, team: self._of(team, self._all, horizon_s, phases, first, worker),
            [self._arrays.placed(placements) for placements in plans])
        return [self._counted(result) for result in results]

    def _counted(self, result: tuple[Outcome, int, int]) -> Outcome:
        outcome, requests, overflows = result
        self.requests += requests
        self.overflows += overflows
        return outcome

    def local(self, placements: Sequence[Placement]) -> LocalOutcomes:
        """Outcomes of some streams of this plan, and of plans that differ from it by few placements."""
        return LocalOutcomes(self, self._arrays, self._arrays.placed(placements))

    def _of(self, team: Team, active: NDArray[np.int64], horizon_s: float, phases: int, first: int,
            worker: int = 0) -> tuple[Outcome, int, int]:
        """The outcome of the active streams, as if the others had no frames; requests and overflows."""
        if worker not in self._states:
            self._states[worker] = self._arrays.state(max(self.horizon_s, LOCAL_S))
        state, simulated, overflows = self._states[worker], 0, 0
        count, of_team = len(active), len(self._problem.streams)
        shares = np.zeros((phases, count))
        latencies: list[NDArray[np.float64]] = []
        streams: list[NDArray[np.int64]] = []
        due, good, away, left = np.zeros(count), np.zeros(count), np.zeros(count), np.zeros(count)
        for phase in range(phases):
            requests = state.requests[:simulate(team, state, active, horizon_s, first + phase)]
            overflows += int(state.counts[FULL])
            simulated += len(requests)
            counted = requests[requests["captured_s"] >= min(SETTLED_S, horizon_s / 2)]
            stream, ended = counted["stream"], counted["ended_s"] >= 0.0
            in_time = ended & (counted["ended_s"] <= counted["deadline_s"])
            due_now = np.bincount(stream, minlength=of_team)[active]
            good_now = np.bincount(stream, in_time, minlength=of_team)[active]
            shares[phase] = np.where(due_now > 0, good_now / np.maximum(due_now, 1), 1.0)
            due, good = due + due_now, good + good_now
            left += np.bincount(stream, counted["left"], minlength=of_team)[active]
            away += np.bincount(stream, ended & (counted["away"] > 0), minlength=of_team)[active]
            latencies.append((counted["ended_s"] - counted["captured_s"])[ended])
            streams.append(stream[ended])
        low, high = np.quantile(shares, INTERVAL, axis=0) if phases > 1 else (shares[0], shares[0])
        mean_s, p50_s, p95_s, ended = (column[active] for column in _latencies(
            np.concatenate(latencies), np.concatenate(streams), of_team))
        on_time = np.where(due > 0, good / np.maximum(due, 1), 1.0)
        columns = (on_time, low, high, mean_s, p50_s, p95_s, away / np.maximum(ended, 1), left / np.maximum(due, 1))
        outcome = Outcome([StreamOutcome(*row) for row in np.stack(columns, axis=1).tolist()], shares)
        return outcome, simulated, overflows


class LocalOutcomes:
    """Of a plan that changes by single placements. What is far from a change is left out of its simulation."""

    def __init__(self, simulator: Simulator, arrays: TeamArrays, team: Team) -> None:
        self._simulator, self._arrays, self._team = simulator, arrays, team

    def outcome(self, active: Sequence[int], changes: Mapping[int, Placement], phases: int, first: int) -> Outcome:
        """Of these streams, if they alone had frames. changes: other placements, by stream."""
        team = self._arrays.changed(self._team, changes) if changes else self._team
        return self._simulator._counted(
            self._simulator._of(team, np.array(active, np.int64), LOCAL_S, phases, first))

    def adopt(self, changes: Mapping[int, Placement]) -> None:
        """The plan has changed."""
        self._team = self._arrays.changed(self._team, changes)


def _latencies(
    latency_s: NDArray[np.float64], of: NDArray[np.int64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """By stream: mean, median and 95th percentile of its results, 0 if it has none, and their number."""
    number = np.bincount(of, minlength=count)
    ordered = latency_s[np.lexsort((latency_s, of))]
    first = np.cumsum(number) - number
    mean_s = np.bincount(of, latency_s, count) / np.maximum(number, 1)
    p50_s, p95_s = (_quantile(ordered, first, number, share) for share in (0.5, 0.95))
    return mean_s, p50_s, p95_s, number


def _quantile(
    ordered: NDArray[np.float64], first: NDArray[np.int64], number: NDArray[np.int64], share: float
) -> NDArray[np.float64]:
    """Of consecutive groups that are sorted, with linear interpolation, as `np.quantile` does; 0 of an empty group."""
    if not len(ordered):
        return np.zeros(len(number))
    at = first + share * np.maximum(number - 1, 0)
    below = np.minimum(at.astype(np.int64), len(ordered) - 1)
    above = np.minimum(below + 1, first + np.maximum(number - 1, 0))
    above = np.minimum(above, len(ordered) - 1)
    value = ordered[below] + (at - below) * (ordered[above] - ordered[below])
    return np.where(number > 0, value, 0.0)
