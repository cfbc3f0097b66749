"""Judges assignments by simulation: lexicographic by priority, the most important first.

The order of the objective: `score.py`. Beside the misses count latency, accuracy and churn. No price stands for a
refusal or a miss: the simulation has them.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from swarm.core.policy.plan import Placement
from swarm.planner.forecast.simulation.outcome import LocalOutcomes, Outcome, Simulator, StreamOutcome
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
STREAM_S = 8e-6                      # of one stream in a judgement

MOST_REQUESTS = 20_000               # of one set of phases: a larger team is forecast by formula
NEVER = StreamOutcome(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)

class Verdict(msgspec.Struct, frozen=True):
    """An assignment that was judged."""

    assignment: Assignment
    score: Score
    outcome: Outcome                 # of the problem's streams; those without options are in it
    expected: list[float]            # their shares on time, before what was observed has corrected them


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
        self._numbers = [numbers[stream.key] for stream in instance.streams]
        self._corrections = _Corrections(instance.problem.corrections)
        self._priorities = sorted({stream.spec.priority for stream in self.problem.streams}, reverse=True)
        self._weights = class_weights(self.problem.streams)
        self._rates = [sum(s.spec.rate_hz for s in self.problem.streams if s.spec.priority == priority)
                       for priority in self._priorities]

    @property
    def phases(self) -> int:
        """Over how many sets of phases plans are compared."""
        return min(max(REQUESTS // max(self._simulator.requests_per_phase, 1), 1), MOST_PHASES)

    @property
    def worked_s(self) -> float:
        """The counted work."""
        return self._simulator.requests * REQUEST_S + (1 + self._judgements) * len(self._numbers) * STREAM_S

    def forecast(self, assignment: Assignment) -> Verdict:
        """Judge an assignment over more phases, as far as the team is small enough."""
        return self.judge(assignment, min(max(FORECAST_REQUESTS // max(self._simulator.requests_per_phase, 1),
                                              self.phases), FORECAST_PHASES))

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
        plans = [self._instance.placements(one) for one in assignments]
        if self._simulator.requests_per_phase <= MOST_REQUESTS:
            outcomes = self._simulator.outcomes(plans, phases, first, longest_s)
        else:
            outcomes = [self._by_formula(one) for one in assignments]
        verdicts: list[Verdict] = []
        for one, placements, simulated in zip(assignments, plans, outcomes, strict=True):
            outcome = self._corrected(placements, simulated)
            verdicts.append(Verdict(
                one, self._score(one, outcome), outcome, [stream.on_time for stream in simulated.streams]))
        return verdicts

    def _by_formula(self, assignment: Assignment) -> Outcome:
        streams = [NEVER] * len(self.problem.streams)
        if self._by_queues is None:
            self._by_queues = Formula(self._instance)
        forecast = self._by_queues.forecast(assignment)
        for n, stream in enumerate(forecast.streams):
            away = not self._instance.options[n][assignment[n]].home
            streams[self._numbers[n]] = StreamOutcome(
                stream.on_time, stream.on_time, stream.on_time, stream.latency_s, stream.latency_s, stream.p95_s,
                float(away))
        return Outcome(streams)

    def _corrected(self, placements: Sequence[Placement], outcome: Outcome) -> Outcome:
        streams = list(outcome.streams)
        for number, stream, placement in zip(self._numbers, self._instance.streams, placements, strict=True):
            by = self._corrections.of(stream.spec.model, placement)
            if by:
                streams[number] = shifted(streams[number], by)
        return Outcome(streams)

    def number(self, stream: int) -> int:
        """The number in the problem of a stream of the instance."""
        return self._numbers[stream]

    def unseen(self, assignment: Assignment, phases: int, first: int) -> Outcome:
        """The outcome of an assignment over so many sets of phases from `first` on, without corrections."""
        return self._simulator.outcome(self._instance.placements(assignment), phases, first)

    def local(self, assignment: Assignment) -> LocalOutcomes:
        """Outcomes of some streams of an assignment, and of others that differ from it by few placements."""
        return self._simulator.local(self._instance.placements(assignment))

    def local_outcomes(
        self, local: LocalOutcomes, streams: Sequence[int], assignment: Sequence[int], change: tuple[int, int] | None,
        phases: int, first: int,
    ) -> Outcome:
        """Of these streams of the instance, if they alone had frames, over so many sets of phases from `first` on.

        assignment: that of `local`. change: a stream, and its other option.
        """
        stream, option = change or (-1, -1)
        changes = {self._numbers[stream]: self._instance.placement(stream, option)} if change else {}
        outcome = local.outcome([self._numbers[n] for n in streams], changes, phases, first)
        if not self._instance.problem.corrections or outcome.shares is None:
            return outcome
        by = [self._corrections.of(self._instance.streams[n].spec.model, self._instance.placement(
            n, option if n == stream else assignment[n])) for n in streams]
        return Outcome([shifted(one, more) for one, more in zip(outcome.streams, by, strict=True)],
                       np.clip(outcome.shares + np.array(by), 0.0, 1.0))

    def rest(self, stream: int, result: StreamOutcome) -> float:
        """What counts less than misses, of a stream's results."""
        spec = self._instance.streams[stream].spec
        late = min(result.p95_s / spec.deadline_s, MOST_LATE) if result.p95_s else MOST_LATE     # 0: it has no results
        return spec.rate_hz * (LATENCY_PRICE * late + LEFT_PRICE * result.left)

    def price(self, stream: int, option: int) -> float:
        """What counts less than misses, of an option itself."""
        taken, previous = self._instance.options[stream][option], self._instance.previous[stream]
        moved = MOVE_PRICE if previous is not None and option != previous else 0.0
        return self._instance.streams[stream].spec.rate_hz * (
            taken.accuracy_cost + moved + (0.0 if taken.home else RISK_PRICE)
            + STRAIN_PRICE * self._instance.strain(taken))

    def cost(self, verdict: Verdict, stream: int) -> float:
        """What a stream adds to the weighted sum of the score."""
        spec, result = self._instance.streams[stream].spec, verdict.outcome.streams[self._numbers[stream]]
        return (self._weights[spec.priority] * spec.rate_hz * (1.0 - result.on_time) + self.rest(stream, result)
                + self.price(stream, verdict.assignment[stream]))

    def _score(self, assignment: Assignment, outcome: Outcome) -> Score:
        misses = dict.fromkeys(self._priorities, 0.0)
        for stream, result in zip(self.problem.streams, outcome.streams, strict=True):
            misses[stream.spec.priority] += stream.spec.rate_hz * (1.0 - result.on_time)
        weighted = sum(self._weights[priority] * missed for priority, missed in misses.items())
        rest = sum(self.rest(n, outcome.streams[self._numbers[n]]) + self.price(n, option)
                   for n, option in enumerate(assignment))
        return (*(misses[priority] / rate for priority, rate in zip(self._priorities, self._rates, strict=True)),
                weighted + rest)


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

    def of(self, model: str, placement: Placement) -> float:
        """What is to be added to the share on time of this placement."""
        known = self._known.get((placement.agent, placement.stream, placement.variant, tuple(placement.where)))
        if known is not None or not self._by_agent:
            return known or 0.0
        return min(self._by_agent.get((agent, model), 0.0) for agent in dict.fromkeys(placement.where))


def shifted(outcome: StreamOutcome, by: float) -> StreamOutcome:
    """An outcome with another share on time."""
    on_time, low, high = (min(max(share + by, 0.0), 1.0) for share in (outcome.on_time, outcome.low, outcome.high))
    return msgspec.structs.replace(outcome, on_time=on_time, low=low, high=high)


def best(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict with the best score; of equal ones the first."""
    return verdicts[best_of([verdict.score for verdict in verdicts])]
