"""Many searches at once, with more effort than the planner's own process can give: over the cluster, or not at all."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import msgspec

from swarm import cluster
from swarm.core.policy.plan import Placement
from swarm.planner.problem import Problem
from swarm.planner.solvers.place import Solution, place

STARTS = ("best", "greedy", "previous", "best_single_peer")
SEARCHES = 8
BUDGET_S = 0.25                      # of one search
TIMEOUT_S = 5.0


class Attempt(msgspec.Struct, frozen=True):
    """One member of a portfolio."""

    problem: Problem
    previous: list[Placement]
    budget_s: float
    seed: int
    start: str


class PortfolioStatistics(msgspec.Struct, frozen=True):
    """Counts since the start."""

    runs: int
    failed: int                      # runs from which nothing came back
    reason: str                      # of the last loss


def attempt(given: Attempt) -> Solution:
    """Run one search: this is what travels to the cluster."""
    return place(given.problem, given.previous, given.budget_s, given.seed, given.start)


def attempts(problem: Problem, previous: Sequence[Placement], seed: int, count: int = SEARCHES) -> list[Attempt]:
    """Different starts and seeds, the same ones every time."""
    starts = itertools.islice(itertools.cycle(STARTS), count)
    return [Attempt(problem, list(previous), BUDGET_S, seed + 1 + n, start) for n, start in enumerate(starts)]


class Portfolio:
    """Runs attempts over the cluster and keeps count of what was lost."""

    def __init__(self, seed: int = 0, timeout_s: float = TIMEOUT_S) -> None:
        self._seed, self._timeout_s = seed, timeout_s
        self._runs = self._failed = 0
        self._reason = ""

    def solve(self, problem: Problem, previous: Sequence[Placement]) -> Solution | None:
        """The best of all attempts that came back in time; None where none did, and the plan at hand stands."""
        self._runs += 1
        mapped = cluster.map(attempt, attempts(problem, previous, self._seed), self._timeout_s)
        self._reason = mapped.reason or self._reason
        if not mapped.values:
            self._failed += 1
            return None
        number = min(mapped.values, key=lambda n: (mapped.values[n].cost, n))
        best = mapped.values[number]
        return msgspec.structs.replace(best, solver=f"portfolio/{best.solver}")

    def statistics(self) -> PortfolioStatistics:
        return PortfolioStatistics(self._runs, self._failed, self._reason)
