"""The solver in virtual time: the real search, in a time that is counted, and longer where the explorer asks for it."""

from __future__ import annotations

from typing import Any

from swarm.core.settings.process_files import PlannerFile
from swarm.core.units import ns, seconds
from swarm.planner.events import Solve, Solved
from swarm.virtual.costs import SEARCH_FACTOR
from swarm.virtual.planning.solver import VirtualSolver
from tests.planner.builders import team

SLOW_NS = ns(0.1)


class Waits:
    """A process that only notes how long it is to wait."""

    def __init__(self) -> None:
        self.waits: list[int] = []

    def after(self, wait_ns: int, call: Any) -> None:
        self.waits.append(wait_ns)
        call()


def searched(seed: int, *, slow_ns: int = 0, times: int = 20) -> tuple[list[int], list[Solved]]:
    process: Any = Waits()
    settings, ended = PlannerFile(version=1, swarm="s", seed=seed), list[Solved]()
    solver = VirtualSolver(process, settings, slow_ns=slow_ns)
    for _ in range(times):
        solver.solve(Solve(team(1, 0), [], (1, 0), limit_churn=False), ended.append)
    return process.waits, ended


def test_a_search_takes_the_time_of_its_counted_work() -> None:
    waits, ended = searched(1, times=2)
    assert waits == [ns(SEARCH_FACTOR * ended[0].solution.worked_s)] * 2
    assert ended[0].solve_s == seconds(waits[0])


def test_about_every_second_search_takes_longer_by_the_draw_of_its_seed() -> None:
    plain, _ = searched(1, times=1)
    waits, ended = searched(1, slow_ns=SLOW_NS)
    more = [wait - plain[0] for wait in waits]
    assert 5 <= sum(one > 0 for one in more) <= 15
    assert all(0 <= one < SLOW_NS for one in more)
    assert [one.solve_s for one in ended] == [seconds(wait) for wait in waits]
    assert searched(1, slow_ns=SLOW_NS)[0] == waits
    assert searched(2, slow_ns=SLOW_NS)[0] != waits
