"""The planner's process: solves in a thread beside the loop, refines in a process of its own.

This process makes plans from its first second. Ray joins later (`refinement.py` decides when), in a process beside
this one (`refiner/process.py`); if that one fails, plans are no longer refined, and everything else goes on.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
from collections.abc import Callable
from functools import partial

from swarm.core.policy.plan import Placement
from swarm.core.settings.process_files import PlannerFile
from swarm.core.units import seconds
from swarm.net.loop import Loop
from swarm.net.process import Process, log_to_stderr
from swarm.planner.events import Solve, Solved
from swarm.planner.planner import Planner
from swarm.planner.ports import Refined
from swarm.planner.problem import Problem
from swarm.planner.refiner.process import RefinerProcess
from swarm.planner.solvers.budget import CountedBudget
from swarm.planner.solvers.place import BUDGET_S, place

log = logging.getLogger(__name__)

NICENESS = 10                        # robots first; Ray's processes inherit it


class BackgroundThread:
    """One thread that makes calls in the order of `put`; a daemon, so that it does not delay the end of the process.

    An error in a call is raised in the loop: a bug crashes loudly.
    """

    def __init__(self, name: str, loop: Loop) -> None:
        self._loop = loop
        self._calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def put(self, call: Callable[[], object]) -> None:
        self._calls.put(call)

    def _run(self) -> None:
        while True:
            call = self._calls.get()
            try:
                call()
            except BaseException as error:           # noqa: BLE001 - handed over, not swallowed
                self._loop.fail(error)
                return


class ThreadSolver:
    """The solver port: searches in a thread, calls back in the loop's."""

    def __init__(self, loop: Loop, seed: int) -> None:
        self._loop, self._seed = loop, seed
        self._thread = BackgroundThread("solver", loop)

    def solve(self, command: Solve, done: Callable[[Solved], None]) -> None:
        self._thread.put(partial(self._solve, command, done))

    def _solve(self, command: Solve, done: Callable[[Solved], None]) -> None:
        begun = self._loop.clock.now_ns()
        solution = place(
            command.problem, command.previous, CountedBudget(BUDGET_S), self._seed, limit_churn=command.limit_churn
        )
        took_s = seconds(self._loop.clock.now_ns() - begun)
        self._loop.post(partial(done, Solved(command.basis, solution, took_s)))


class RayRefiner:
    """The refiner port: waits for the refiner's process in a thread, calls back in the loop's."""

    def __init__(self, loop: Loop, address: str, seed: int) -> None:
        self._loop, self._address, self._seed = loop, address, seed
        self._thread = BackgroundThread("refiner", loop)
        self._child: RefinerProcess | None = None

    def start(self, connected: Callable[[str, float], None]) -> None:
        self._child = RefinerProcess(self._address, self._seed)
        self._thread.put(partial(self._timed, self._child.connect, connected))

    def refine(self, problem: Problem, previous: list[Placement], refined: Callable[[Refined, float], None]) -> None:
        assert self._child is not None               # it was started
        self._thread.put(partial(self._timed, partial(self._child.refine, problem, previous), refined))

    def close(self) -> None:
        if self._child is not None:
            self._thread.put(self._child.close)
            self._child = None

    def end(self) -> bool:
        """To be called at the end of this process: end the child and wait. False: it had to be killed."""
        return self._child is None or self._child.close()

    def _timed(self, call: Callable[[], object], done: Callable[..., None]) -> None:
        begun = self._loop.clock.now_ns()
        result = call()
        self._loop.post(partial(done, result, seconds(self._loop.clock.now_ns() - begun)))


def main(settings: PlannerFile) -> int:
    """Run the planner until it stops. Returns the exit code."""
    os.nice(NICENESS)
    if os.getsid(0) == os.getpid():                  # the kernel may share the cores by session: niceness is within one
        with contextlib.suppress(OSError), open("/proc/self/autogroup", "w", encoding="ascii") as session:
            session.write(str(NICENESS))
    log_to_stderr(settings.name)
    process = Process(settings, "planner")
    refiner = RayRefiner(process.loop, settings.ray, settings.seed) if settings.ray != "none" else None
    planner = Planner(process.host, settings, ThreadSolver(process.loop, settings.seed), refiner)
    process.run(planner.begin)
    if refiner is not None and not refiner.end():
        log.warning("ray did not end by itself; its processes were killed")
    return 0
