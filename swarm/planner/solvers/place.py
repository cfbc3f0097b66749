"""Places all streams: the best of the baselines, a greedy start and the previous plan, improved by a search.

The search goes by formula, which is quick. What it finds is judged by simulation, from which the formula learns where
it errs; then it searches again. The best of all rounds and starts is improved further by simulation where streams miss
deadlines. What is found is never predicted to be worse than the best of the baselines. Then each change of a placement
that is not worth its churn is undone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from swarm.core.policy.plan import Placement
from swarm.planner.options.instance import FEW_STREAMS, Assignment, Instance
from swarm.planner.problem import Problem, StreamOf
from swarm.planner.solvers.baselines import best_single_peer, local
from swarm.planner.solvers.budget import Budget, CountedBudget
from swarm.planner.solvers.by_simulation.exhaustive import is_small, try_all
from swarm.planner.solvers.by_simulation.pairs import try_pairs
from swarm.planner.solvers.by_simulation.polish import polish
from swarm.planner.solvers.by_simulation.rounds import search
from swarm.planner.solvers.churn import undo_small_gains
from swarm.planner.solvers.formula import Formula
from swarm.planner.solvers.judge import Judge, Verdict, best
from swarm.planner.solvers.reasons import that_stay, with_reasons
from swarm.planner.solvers.score import Score

BUDGET_S = 0.1                   # of one search: short enough to be repeated every second
BY_FORMULA, BY_SIMULATION = 0.6, 0.95        # shares of the budget that are spent when each search ends ...
UNDO = 0.1                       # ... without what is kept for small gains that are undone, where there is a plan
FAR = 0.1                        # of all that is due, weighted: a plan that misses so much more is not looked at again
OPTION_S = 8e-6                  # counted work: of building an option, measured on this project's reference host


class Solution(msgspec.Struct, frozen=True, kw_only=True):
    """Placements with their predicted performance."""

    placements: list[Placement]
    score: Score                     # of the objective: see `score.py`
    on_time: float                   # expected share of all results
    expected: dict[tuple[str, str], float] = {}      # the same by agent and stream, before corrections by observation
    solver: str
    worked_s: float                  # the counted work
    changed: bool                    # whether placements differ from the previous ones
    unplaced: list[StreamOf] = []    # streams whose model no reachable, living agent has
    failed: str = ""                 # why there is no solution: see `solve.py`


def place(problem: Problem, previous: Sequence[Placement] = (), budget: Budget | None = None, seed: int = 0,
          start: str = "best", limit_churn: bool = True, held: Collection[tuple[str, str]] = ()) -> Solution:
    """The best placements found for a problem, close to the previous ones where that costs little.

    The same problem, seed and counted budget give the same placements.
    budget: ends the search; by default `BUDGET_S` of counted work. The judgement of all starts, and the forecast of the
    plan that is returned, take place in any case.
    start: start of the search: greedy, previous, local, best_single_peer, or `best`: the best of these.
    limit_churn: undo changes that gain too little; otherwise the previous placements only break ties.
    held: streams (agent, name) that stay where they are.
    """
    instance = prepared(problem, previous, held)
    return Placing(instance, budget or CountedBudget(BUDGET_S), seed).place(start, limit_churn)


def prepared(problem: Problem, previous: Sequence[Placement] = (), held: Collection[tuple[str, str]] = ()) -> Instance:
    """The instance of a problem: with all cuts, if all plans can then still be costed."""
    if len(problem.streams) <= FEW_STREAMS:
        instance = Instance(problem, previous, every_cut=True, held=held)
        if is_small(instance):
            return instance
    return Instance(problem, previous, held=held)


class Placing:
    """One search."""

    def __init__(self, instance: Instance, budget: Budget, seed: int) -> None:
        self._instance, self._budget, self._seed = instance, budget, seed
        self._formula, self._judge = Formula(instance, budget.workers), Judge(instance, budget.workers)
        self._built_s = OPTION_S * sum(map(len, instance.options))

    def place(self, start: str, limit_churn: bool) -> Solution:
        """See `place`."""
        instance, judge, phases = self._instance, self._judge, self._judge.phases
        greedy = self._formula.completed([None] * len(instance.streams))[1]
        placed = any(n is not None for n in instance.previous)
        unchanged = self._formula.completed(instance.previous)[1] if placed else greedy
        starts = {"greedy": greedy, "previous": unchanged,
                  "local": local(instance), "best_single_peer": best_single_peer(instance)}
        first = start
        if start == "best":
            first = min(starts, key=lambda name: (self._formula.completed(starts[name])[0], name))
        kept = [unchanged] if placed else []
        baselines = [starts["local"], starts["best_single_peer"]]
        verdict = self._of_all([*kept, *baselines], starts[first]) if is_small(instance) else self._in_rounds(
            kept, baselines, starts[first])
        if limit_churn and placed:
            verdict = undo_small_gains(
                instance, judge, unchanged, verdict, phases, lambda: self._budget.left_s(self._worked_s()) <= 0.0)
        verdict = judge.forecast(verdict.assignment)
        stays = that_stay(instance, judge, verdict)
        verdict = judge.staying(verdict, stays)
        placements, problem = with_reasons(instance, judge, verdict, stays), instance.problem
        expected = sum(s.spec.rate_hz * share
                       for s, share in zip(judge.problem.streams, verdict.outcome.on_time.tolist(), strict=True))
        due = sum(stream.spec.rate_hz for stream in problem.streams)
        return Solution(
            placements=placements, score=verdict.score, on_time=expected / due if due else 1.0,
            solver=f"{first}+search", worked_s=self._worked_s(),
            changed=choices(placements) != choices(instance.before),
            unplaced=instance.unplaced,
            expected=dict(zip((s.key for s in instance.streams), judge.own(verdict.expected).tolist(), strict=True)),
        )

    def _of_all(self, baselines: Sequence[Assignment], first: Assignment) -> Verdict:
        """The best verdict of a small problem."""
        verdict = best(self._judge.judge_all([*baselines, first], self._judge.phases))
        return try_all(self._instance, self._judge, self._formula, verdict, self._is_spent)

    def _in_rounds(self, kept: Sequence[Assignment], baselines: Sequence[Assignment], first: Assignment) -> Verdict:
        """The best verdict that is found from the first assignment on."""
        instance, judge, formula, phases = self._instance, self._judge, self._formula, self._judge.phases
        found = search(instance, judge, formula, first, self._seed, self._budget.workers.count,
                       lambda: self._left_s(BY_FORMULA))
        verdict = best(judge.judge_all([*kept, *self._rivals(baselines, found[0]), *found], phases))
        polished = polish(instance, judge, formula, verdict, lambda: self._is_spent(BY_SIMULATION))
        verdict = best([verdict, judge.judge(polished, phases)])
        if len(instance.streams) <= FEW_STREAMS:
            verdict = try_pairs(instance, judge, formula, verdict, phases, lambda: self._is_spent(BY_SIMULATION))
        return verdict

    def _rivals(self, baselines: Sequence[Assignment], found: Assignment) -> list[Assignment]:
        """The baselines that a look does not show to be far behind what was found."""
        look, *looks = self._judge.looks([found, *baselines], 0)
        most = look.score[-1] + FAR * self._judge.due
        return [one.assignment for one in looks if one.score[-1] <= most]

    def _left_s(self, share: float) -> float:
        """What is left of a share of the budget of the search."""
        kept = UNDO if any(n is not None for n in self._instance.previous) else 0.0
        return self._budget.left_s(self._worked_s(), share * (1.0 - kept))

    def _is_spent(self, share: float) -> bool:
        return self._left_s(share) <= 0.0

    def _worked_s(self) -> float:
        return self._built_s + self._formula.worked_s + self._judge.worked_s


def choices(placements: Sequence[Placement]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Variant and agents of every stream (agent, name). Plans with equal choices count as equal."""
    return {(p.agent, p.stream): (p.variant, *p.where) for p in placements}
