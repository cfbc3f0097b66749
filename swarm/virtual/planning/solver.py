"""The solver port in virtual time: the search of the real planner, bounded by counted work, in a measured time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from swarm.core.policy.draw import uniform
from swarm.core.settings.process_files import PlannerFile
from swarm.core.units import ns, seconds
from swarm.planner.events import Solve, Solved
from swarm.planner.shards.sharded import budget_s
from swarm.planner.solvers.budget import CountedBudget
from swarm.planner.solvers.solve import solved
from swarm.virtual.costs import SEARCH_FACTOR
from swarm.virtual.process import VirtualProcess


class VirtualSolver:
    """Searches at once; the result comes after the time that a search takes.

    slow_ns: every second search, by the draw, takes up to so much longer, as on a host that has other work.
    """

    def __init__(self, process: VirtualProcess, settings: PlannerFile, *, slow_ns: int = 0) -> None:
        self._process, self._seed, self._places, self._slow_ns = process, settings.seed, settings.places, slow_ns
        self._searches = 0

    def solve(self, command: Solve, done: Callable[[Solved], None]) -> None:
        solution = solved(command, CountedBudget(budget_s(command.problem)), self._seed, self._places)
        took_ns = ns(SEARCH_FACTOR * solution.worked_s)
        if self._slow_ns:
            self._searches += 1
            took_ns += max(0, round((2.0 * uniform(self._seed, "search", self._searches) - 1.0) * self._slow_ns))
        self._process.after(took_ns, partial(done, Solved(command.basis, solution, seconds(took_ns))))
