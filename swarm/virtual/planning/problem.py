"""The planning problem of a launch: what the planner knows after a few seconds of its run in virtual time."""

from __future__ import annotations

import logging
from collections.abc import Callable

from msgspec.structs import replace

from swarm.core.settings.process_files import PlannerFile
from swarm.planner.events import Solve, Solved
from swarm.planner.problem import Problem, in_order
from swarm.run.settings.resolve import Resolved
from swarm.virtual.explore.explorer import NoRecord
from swarm.virtual.planning.solver import VirtualSolver
from swarm.virtual.process import VirtualProcess
from swarm.virtual.run import VirtualRun

LEARNS_S = 5.0                       # links are measured by then


class _Learns(VirtualSolver):
    """The usual solver, which keeps the newest problem."""

    problem: Problem | None = None

    def solve(self, command: Solve, done: Callable[[Solved], None]) -> None:
        self.problem = command.problem
        super().solve(command, done)


def problem_of(resolved: Resolved) -> Problem:
    """The problem, in order, without faults and corrections."""
    launch = replace(resolved.launch, duration_s=LEARNS_S, warmup_s=0.0, faults=[], accept={}, clock="virtual",
                     policy="planner", record=False, planner=replace(resolved.launch.planner, standby=False))
    solvers: list[_Learns] = []

    def solver(process: VirtualProcess, settings: PlannerFile) -> _Learns:
        solvers.append(_Learns(process, settings))
        return solvers[-1]

    run = VirtualRun(replace(resolved, launch=launch, ray="none"), NoRecord(), solver=solver)
    logging.disable(logging.CRITICAL)                # of a run that nobody asked for
    try:
        run.begin()
        while run.step():
            pass
    finally:
        logging.disable(logging.NOTSET)
        run.close()
    problem = solvers[-1].problem
    assert problem is not None                       # every agent joins in its first second
    return in_order(replace(problem, corrections=()))
