"""Judges assignments by simulation: lexicographic by priority, the most important first.

The order of the objective: `score.py`. Beside the misses count latency, accuracy and churn. No price stands for a
refusal or a miss: the simulation has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm.core.policy.plan import Placement
from swarm.planner.forecast.simulation.outcome import LocalOutcomes, Outcome, Simulator
from swarm.planner.forecast.simulation.team import NOWHERE, Way
from swarm.planner.forecast.workers import ONE_WORKER, Workers
from swarm.planner.options.instance import Assignment, Instance
from swarm.planner.problem import Correction, in_order
from swarm.planner.solvers.formula import Formula, class_weights
from swarm.planner.solvers.score import Score, best_of
from swarm.planner.solvers.search.tables import MOVE_PRICE, STRAIN_PRICE

OTHERS = 0.5                         # of an error on an agent, for other streams that would run there
LATENCY_PRICE = 0.01                 # of a p95 latency of one deadline, in misses per result
MOST_LATE = 4.0                      # deadlines: later is as bad
RISK_PRICE = 0.01                    # of a result from a peer, in misses: peers fail, and links fade
LEFT_PRICE = 0.05                    # of a request that leaves the plan, in misses: its robot decides alone
REQUESTS, MOST_PHASES = 4_000, 32   # of a judgement: at least one set of phases
MANY_PHASES = 8                      # of a judgement: with so many, looks are judgements
LOOK_REQUESTS, LOOK_S = 1_000, 3.0   # of a look at a larger team
LONGEST_S = 12.0                     # of a simulation: more sets of phases tell more than longer ones
FORECAST_REQUESTS = 6_000            # of the forecast of a plan that is returned
FORECAST_PHASES = 64
REQUEST_S = 1e-6                     # counted work: of one request in a simulation, on this project's reference host
STREAM_S = 3e-6                      # of one stream in a judgement

MOST_REQUESTS = 20_000               # of one set of phases: a larger team is forecast by formula
UNKNOWN = -2                          # of a way that was not asked for yet

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Verdict:
    """An assignment that was judged."""

    assignment: Assignment
    score: Score
    outcome: Outcome                 # of the problem's streams; those without options are in it
    expected: Values                 # their shares on time, before what was observed has corrected them
    costs: Values                    # by stream of the instance: what it adds to the weighted sum of the score


class Judge:
    """Judges the assignments of one instance. problem: its problem, in the order of outcomes."""

    def __init__(self, instance: Instance, workers: Workers = ONE_WORKER) -> None:
        self._instance = instance
        self.problem = in_order(instance.problem)
        self._simulator = Simulator(self.problem, REQUESTS, LONGEST_S, workers)
        self._judgements = 0
        self._by_queues: Formula | None = None       # of very large teams
        self._known: dict[tuple[Assignment, int], Verdict] = {}
        numbers = {stream.key: n for n, stream in enumerate(self.problem.streams)}
        self._numbers = np.array([numbers[stream.key] for stream in instance.streams], np.int64)
        self._corrections = _Corrections(instance.problem.corrections)
        specs = [stream.spec for stream in self.problem.streams]
        priorities = sorted({spec.priority for spec in specs}, reverse=True)
        self._ranks = np.array([priorities.index(spec.priority) for spec in specs], np.int64)
        weights = class_weights(self.problem.streams)
        self._weights = np.array([weights[priority] for priority in priorities])     # by rank
        self._rates = np.array([spec.rate_hz for spec in specs])
        self._due = np.bincount(self._ranks, self._rates, len(priorities))
        own = [stream.spec for stream in instance.streams]
        self._rate, self._deadline = np.array([spec.rate_hz for spec in own]), np.array([s.deadline_s for s in own])
        self._weight = self._weights[self._ranks[self._numbers]]
        sizes = np.array([len(options) for options in instance.options], np.int64)
        self._firsts = np.cumsum(sizes) - sizes
        self._ways = np.full((sizes.sum(), 4), UNKNOWN)           # by option, as far as it was asked for
        self._prices = np.zeros(sizes.sum())

    @property
    def phases(self) -> int:
        """Over how many sets of phases plans are compared."""
        return min(max(REQUESTS // max(self._simulator.requests_per_phase, 1), 1), MOST_PHASES)

    @property
    def due(self) -> float:
        """What can be missed per second, each priority with its weight."""
        return float(self._weights @ self._due)

    @property
    def worked_s(self) -> float:
        """The counted work."""
        return self._simulator.requests * REQUEST_S + (1 + self._judgements) * len(self._numbers) * STREAM_S

    def forecast(self, assignment: Assignment) -> Verdict:
        """Judge an assignment over more phases, as far as the team is small enough."""
        return self.judge(assignment, min(max(FORECAST_REQUESTS // max(self._simulator.requests_per_phase, 1),
                                              self.phases), FORECAST_PHASES))

    def staying(self, verdict: Verdict, stays: Sequence[bool]) -> Verdict:
        """The same where these streams of the instance leave the plan for home only, if that makes a difference.

        A larger team, whose plans are compared by one set of phases, stays as it was judged.
        """
        leave = self.own(verdict.outcome.left) > 0.0
        if self.phases == 1 or not np.any(leave & np.array(stays, bool)):
            return verdict
        plan = self._plan(verdict.assignment)
        plan[self._numbers, -1] = stays
        return self._verdict(verdict.assignment, self._simulator.outcomes(
            [plan], len(verdict.outcome.shares), 0, LONGEST_S)[0])

    def judge(self, assignment: Assignment, phases: int) -> Verdict:
        """Judge an assignment over so many sets of phases."""
        return self.judge_all([assignment], phases)[0]

    def judge_all(self, assignments: Sequence[Assignment], phases: int) -> list[Verdict]:
        """Judge assignments side by side."""
        new = [one for one in dict.fromkeys(assignments) if (one, phases) not in self._known]
        for verdict in self._judged(new, phases, 0, LONGEST_S):
            self._known[verdict.assignment, phases] = verdict
        return [self._known[one, phases] for one in assignments]

    def looks(self, assignments: Sequence[Assignment], number: int) -> list[Verdict]:
        """Look at assignments side by side: at those of large teams shortly, and at other phases for each number."""
        if self.phases >= MANY_PHASES:
            return self.judge_all(assignments, self.phases)
        new = list(dict.fromkeys(assignments))
        of_one = self._simulator.requests_per_phase * min(1.0, LOOK_S / self._simulator.horizon_s)
        phases = max(round(LOOK_REQUESTS / max(of_one, 1.0)), 1)
        found = dict(zip(new, self._judged(new, phases, number * phases, LOOK_S), strict=True))
        return [found[one] for one in assignments]

    def _judged(self, assignments: Sequence[Assignment], phases: int, first: int, longest_s: float) -> list[Verdict]:
        self._judgements += len(assignments)
        plans = [self._plan(one) for one in assignments]
        if self._simulator.requests_per_phase <= MOST_REQUESTS:
            outcomes = self._simulator.outcomes(plans, phases, first, longest_s)
        else:
            outcomes = [self._by_formula(one) for one in assignments]
        return [self._verdict(one, outcome) for one, outcome in zip(assignments, outcomes, strict=True)]

    def _verdict(self, assignment: Assignment, simulated: Outcome) -> Verdict:
        outcome = simulated
        if self._corrections.any:
            by = np.zeros(len(self.problem.streams))
            by[self._numbers] = [self._corrections.of(stream.spec.model, placement) for stream, placement in zip(
                self._instance.streams, self._instance.placements(assignment), strict=True)]
            outcome = simulated.shifted(by)
        missed = self._rates * (1.0 - outcome.on_time)
        by_priority = np.bincount(self._ranks, missed, len(self._due))
        rest = self.rest(range(len(assignment)), outcome, self._numbers) + self._prices[self._rows(assignment)]
        score = (*(by_priority / self._due).tolist(), float(self._weights @ by_priority + rest.sum()))
        return Verdict(assignment, score, outcome, simulated.on_time, self._weight * missed[self._numbers] + rest)

    def _by_formula(self, assignment: Assignment) -> Outcome:
        if self._by_queues is None:
            self._by_queues = Formula(self._instance)
        streams = self._by_queues.forecast(assignment).streams
        columns = np.zeros((6, len(self.problem.streams)))
        columns[:, self._numbers] = np.array([
            (one.on_time, one.latency_s, one.latency_s, one.p95_s, not self._instance.options[n][option].home, 0.0)
            for n, (one, option) in enumerate(zip(streams, assignment, strict=True))]).reshape(-1, 6).T
        return Outcome(*columns, shares=columns[:1])

    def _rows(self, assignment: Sequence[int]) -> NDArray[np.int64]:
        """The rows of its options in `_ways` and `_prices`, which are filled."""
        rows = self._firsts + np.array(assignment, np.int64)
        for n in np.flatnonzero(self._ways[rows, 0] == UNKNOWN).tolist():
            self._ways[rows[n]] = self._simulator.way(
                int(self._numbers[n]), self._instance.placement(n, assignment[n]))
            self._prices[rows[n]] = self.price(n, assignment[n])
        return rows

    def _plan(self, assignment: Sequence[int]) -> NDArray[np.int64]:
        """The way of each stream of the problem."""
        ways = np.full((len(self.problem.streams), len(NOWHERE)), NOWHERE)
        ways[self._numbers] = self._ways[self._rows(assignment)]
        return ways

    def number(self, stream: int) -> int:
        """The number in the problem of a stream of the instance."""
        return int(self._numbers[stream])

    def own(self, values: Values) -> Values:
        """Those of the streams of the instance, of values by stream of the problem."""
        return values[self._numbers]

    def unseen(self, assignment: Assignment, phases: int, first: int) -> Outcome:
        """The outcome of an assignment over so many sets of phases from `first` on, without corrections."""
        return self._simulator.outcomes([self._plan(assignment)], phases, first)[0]

    def local(self, assignment: Assignment) -> LocalOutcomes:
        """Outcomes of some streams of an assignment, and of others that differ from it by few placements."""
        return self._simulator.local(self._plan(assignment))

    def adopt(self, local: LocalOutcomes, stream: int, option: int) -> None:
        """The assignment of `local` has another option of a stream."""
        local.adopt({self.number(stream): self._way(stream, option)})

    def local_outcomes(
        self, local: LocalOutcomes, streams: Sequence[int], assignment: Sequence[int],
        changes: Sequence[tuple[int, int] | None], phases: int, first: int,
    ) -> list[Outcome]:
        """Of these streams of the instance, if they alone had frames, over so many sets of phases from `first` on.

        assignment: that of `local`. changes: a stream and its other option, for each outcome; None: there is no change.
        """
        outcomes = local.outcomes(self._numbers[list(streams)], [
            {self.number(one[0]): self._way(*one)} if one else {} for one in changes], phases, first)
        if not self._corrections.any:
            return outcomes
        return [outcome.shifted(np.array([self._corrections.of(
            self._instance.streams[n].spec.model,
            self._instance.placement(n, one[1] if one and n == one[0] else assignment[n])) for n in streams]))
            for one, outcome in zip(changes, outcomes, strict=True)]

    def _way(self, stream: int, option: int) -> Way:
        return self._simulator.way(self.number(stream), self._instance.placement(stream, option))

    def rest(self, streams: Sequence[int], outcome: Outcome, places: Sequence[int] | NDArray[np.int64]) -> Values:
        """What counts less than misses, of the results of streams of the instance. places: theirs in the outcome."""
        of, p95_s = list(streams), outcome.p95_s[places]
        late = np.where(p95_s > 0.0, np.minimum(p95_s / self._deadline[of], MOST_LATE), MOST_LATE)   # 0: it has none
        return self._rate[of] * (LATENCY_PRICE * late + LEFT_PRICE * outcome.left[places])

    def price(self, stream: int, option: int) -> float:
        """What counts less than misses, of an option itself."""
        taken, previous = self._instance.options[stream][option], self._instance.previous[stream]
        moved = MOVE_PRICE if previous is not None and option != previous else 0.0
        return self._instance.streams[stream].spec.rate_hz * (
            taken.accuracy_cost + moved + (0.0 if taken.home else RISK_PRICE)
            + STRAIN_PRICE * self._instance.strain(taken))


class _Corrections:
    """What was observed of placements, and on average of each model on each agent.

    A chain needs all its agents: it is as good as the worst of them. Otherwise a stream that misses on an agent would
    seem to do better with a short last leg elsewhere.
    """

    def __init__(self, corrections: Sequence[Correction]) -> None:
        self._known = {(c.agent, c.stream, c.variant, c.where): c.by for c in corrections}
        by_agent: dict[tuple[str, str], list[float]] = {}
        for c in corrections:
            for agent in dict.fromkeys(c.where):
                by_agent.setdefault((agent, c.model), []).append(c.by)
        self._by_agent = {key: OTHERS * sum(errors) / len(errors) for key, errors in by_agent.items()}
        self.any = bool(self._by_agent)

    def of(self, model: str, placement: Placement) -> float:
        """What is to be added to the share on time of this placement."""
        known = self._known.get((placement.agent, placement.stream, placement.variant, tuple(placement.where)))
        if known is not None or not self._by_agent:
            return known or 0.0
        return min(self._by_agent.get((agent, model), 0.0) for agent in dict.fromkeys(placement.where))


def best(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict with the best score; of equal ones the first."""
    return verdicts[best_of([verdict.score for verdict in verdicts])]
