"""Flies a team in virtual time under one plan that stays as it is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from swarm.core.policy.plan import Placement
from swarm.core.settings.launch_file import LaunchFile
from swarm.core.settings.process_files import PlannerFile
from swarm.core.units import ns
from swarm.planner.events import Solve, Solved
from swarm.planner.problem import Problem
from swarm.planner.solvers.place import Solution
from swarm.telemetry.ledger import Row
from swarm.virtual.explore.drawing import resolved
from swarm.virtual.explore.explorer import NoRecord
from swarm.virtual.process import VirtualProcess
from swarm.virtual.run import VirtualRun

SOLVE_S = 0.02
Chooses = Callable[[Problem], list[Placement]]


class Flight(msgspec.Struct, frozen=True):
    """What was flown: the team as its planner knew it in the end, the plan, and all requests."""

    problem: Problem
    placements: list[Placement]
    rows: list[Row]


class _Record(NoRecord):
    """Keeps the requests."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Row] = []

    def requests(self, rows: Sequence[Row]) -> None:
        self.rows += rows


class _Stays:
    """The solver port: one choice for each team, whatever is learned later."""

    def __init__(self, process: VirtualProcess, *, chooses: Chooses) -> None:
        self._process, self._chooses = process, chooses
        self._team: list[str] = []
        self.problem: Problem | None = None
        self.placements: list[Placement] = []

    def solve(self, command: Solve, done: Callable[[Solved], None]) -> None:
        self.problem = command.problem
        team = [agent.name for agent in command.problem.agents]
        if team != self._team:
            self._team, self.placements = team, self._chooses(command.problem)
        solution = Solution(placements=self.placements, score=(), on_time=1.0, solver="stays", worked_s=SOLVE_S,
                            changed=False)
        self._process.after(ns(SOLVE_S), partial(done, Solved(command.basis, solution, SOLVE_S)))


def fly(launch: LaunchFile, chooses: Chooses) -> Flight:
    """Fly a launch to its end."""
    solvers: list[_Stays] = []

    def solver(process: VirtualProcess, settings: PlannerFile) -> _Stays:
        solvers.append(_Stays(process, chooses=chooses))
        return solvers[-1]

    record = _Record()
    run = VirtualRun(resolved(launch), record, solver=solver)
    logging.disable(logging.CRITICAL)                # of robots that shed load
    try:
        run.begin()
        while run.step():
            pass
        run.collector.finish(launch.duration_s, encrypted=False, interrupted=False, overlapped=[], state_hash=None)
    finally:
        logging.disable(logging.NOTSET)
        run.close()
    problem = solvers[-1].problem
    assert problem is not None                       # every agent joins in its first second
    return Flight(problem, solvers[-1].placements, record.rows)
