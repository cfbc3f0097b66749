"""Runs many searches in parallel on a cluster, from different starts: more effort than the planner's process can make.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import msgspec

from swarm.core.policy.plan import Placement
from swarm.planner.ports import ParallelMap
from swarm.planner.problem import Held, Problem
from swarm.planner.solvers.budget import CountedBudget
from swarm.planner.solvers.place import BUDGET_S as OWN_BUDGET_S
from swarm.planner.solvers.place import Solution, place
from swarm.planner.solvers.score import best_of

STARTS = ("best", "greedy", "previous", "best_single_peer")
SEARCHES = 8
BUDGET_S = 0.25                      # of one search
TIMEOUT_S = 5.0


class Attempt(msgspec.Struct, frozen=True):
    """One search of a portfolio."""

    problem: Problem
    previous: list[Placement]
    budget_s: float                  # of counted work
    seed: int
    start: str
    held: Held = frozenset()   # streams (agent, name) that stay where they are


class PortfolioStatistics(msgspec.Struct, frozen=True):
    """Counts since the start."""

    runs: int
    failed: int                      # runs without a result
    reason: str                      # of the last failure


def attempt(search: Attempt) -> Solution:
    """Run one search. The cluster calls this."""
    return place(search.problem, search.previous, CountedBudget(search.budget_s), search.seed, search.start,
                 held=search.held)


def attempts(problem: Problem, previous: Sequence[Placement], seed: int, count: int = SEARCHES,
             held: Held = frozenset()) -> list[Attempt]:
    """The planner's own search, and different starts and seeds with more effort; the same ones every time."""
    starts = itertools.islice(itertools.cycle(STARTS), count - 1)
    return [Attempt(problem, list(previous), OWN_BUDGET_S, seed, "best", held), *(
        Attempt(problem, list(previous), BUDGET_S, seed + 1 + n, start, held) for n, start in enumerate(starts))]


class Portfolio:
    """Runs attempts by a parallel map, and counts the runs that failed."""

    def __init__(self, parallel_map: ParallelMap, seed: int = 0, timeout_s: float = TIMEOUT_S) -> None:
        self._map, self._seed, self._timeout_s = parallel_map, seed, timeout_s
        self._runs = self._failed = 0
        self._reason = ""

    def solve(self, problem: Problem, previous: Sequence[Placement], held: Held = frozenset()) -> Solution | None:
        """The best of all attempts that ended in time. None: no attempt did, so the present plan stays."""
        self._runs += 1
        mapped = self._map(attempt, attempts(problem, previous, self._seed, held=held), self._timeout_s)
        self._reason = mapped.reason or self._reason
        if not mapped.values:
            self._failed += 1
            return None
        solutions = [mapped.values[n] for n in sorted(mapped.values)]
        best = solutions[best_of([solution.score for solution in solutions])]
        return msgspec.structs.replace(best, solver=f"portfolio/{best.solver}")

    def statistics(self) -> PortfolioStatistics:
        return PortfolioStatistics(self._runs, self._failed, self._reason)
