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
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from swarm.core.policy.plan import Placement
from swarm.core.settings.process_files import PlannerFile
from swarm.core.units import ns, seconds
from swarm.net.loop import Loop
from swarm.net.process import Process, log_to_stderr
from swarm.planner.events import Solve, Solved
from swarm.planner.forecast.workers import Item, Result
from swarm.planner.planner import Planner
from swarm.planner.ports import Refined
from swarm.planner.problem import Held, Problem
from swarm.planner.refiner.process import RefinerProcess
from swarm.planner.shards.sharded import budget_s
from swarm.planner.solvers.budget import ClockBudget
from swarm.planner.solvers.solve import failed, solved

log = logging.getLogger(__name__)

WORKERS = 2                            # of a search: robots have few cores, and need them for other things
NICENESS = 10                        # robots first; Ray's processes inherit it
HUNG_S, MOST_HUNG = 5.0, 3           # a search that takes so long is given up
HUNG = f"it has not returned within {HUNG_S:g} s"


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


class ThreadWorkers:
    """The port of workers: the thread that calls, and others beside it. Compiled code runs without Python's lock."""

    def __init__(self, count: int = WORKERS) -> None:
        self.count = count
        self._others = ThreadPoolExecutor(max(count - 1, 1), "worker")

    def map(self, call: Callable[[int, Item], Result], items: Sequence[Item]) -> list[Result]:
        beside = [self._others.submit(self._worker, call, worker, items)
                  for worker in range(1, min(self.count, len(items)))]
        by_worker = [self._worker(call, 0, items), *(one.result() for one in beside)]
        return [by_worker[n % self.count][n // self.count] for n in range(len(items))]

    def _worker(self, call: Callable[[int, Item], Result], worker: int, items: Sequence[Item]) -> list[Result]:
        return [call(worker, item) for item in items[worker::self.count]]


class ThreadSolver:
    """The solver port: searches in a thread, calls back in the loop's.

    A search that fails, or does not return, has no solution (`solvers/solve.py`, `failed`). One that does not return
    keeps its thread; after `MOST_HUNG` in sequence, or the first of a placing policy, there is no other search.
    """

    def __init__(self, loop: Loop, seed: int, places: str) -> None:
        self._loop, self._seed, self._places = loop, seed, places
        self._thread, self._workers = BackgroundThread("solver", loop), ThreadWorkers()
        self._searches = self._hung = 0
        self._awaited = 0                            # number of the search that is on; 0: none is

    def solve(self, command: Solve, done: Callable[[Solved], None]) -> None:
        if self._hung >= (1 if self._places else MOST_HUNG):
            self._loop.post(partial(done, Solved(command.basis, failed(command, self._places, HUNG), 0.0)))
            return
        self._searches += 1
        self._awaited = number = self._searches
        self._thread.put(partial(self._solve, number, command, done))
        self._loop.after(ns(HUNG_S), partial(self._give_up, number, command, done))

    def _solve(self, number: int, command: Solve, done: Callable[[Solved], None]) -> None:
        begun = self._loop.clock.now_ns()
        try:
            budget = ClockBudget(self._loop.clock, budget_s(command.problem), self._workers)
            solution = solved(command, budget, self._seed, self._places)
        except Exception as error:                   # a bug, which is told, with its place in the log
            log.exception("the search has failed")
            solution = failed(command, self._places, f"{type(error).__name__}: {error}")
        took_s = seconds(self._loop.clock.now_ns() - begun)
        self._loop.post(partial(self._ended, number, done, Solved(command.basis, solution, took_s)))

    def _ended(self, number: int, done: Callable[[Solved], None], event: Solved) -> None:
        if number == self._awaited:                  # otherwise it was given up
            self._awaited = self._hung = 0
            done(event)

    def _give_up(self, number: int, command: Solve, done: Callable[[Solved], None]) -> None:
        if number == self._awaited:
            self._awaited = 0
            self._hung += 1
            self._thread, self._workers = BackgroundThread("solver", self._loop), ThreadWorkers()
            done(Solved(command.basis, failed(command, self._places, HUNG), HUNG_S))


class RayRefiner:
    """The refiner port: waits for the refiner's process in a thread, calls back in the loop's."""

    def __init__(self, loop: Loop, address: str, seed: int) -> None:
        self._loop, self._address, self._seed = loop, address, seed
        self._thread = BackgroundThread("refiner", loop)
        self._child: RefinerProcess | None = None

    def start(self, connected: Callable[[str, float], None]) -> None:
        self._child = RefinerProcess(self._address, self._seed)
        self._thread.put(partial(self._timed, self._child.connect, connected))

    def refine(self, problem: Problem, previous: list[Placement], held: Held,
               refined: Callable[[Refined, float], None]) -> None:
        assert self._child is not None               # it was started
        self._thread.put(partial(self._timed, partial(self._child.refine, problem, previous, held), refined))

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
    os.nice(max(NICENESS - os.getpriority(os.PRIO_PROCESS, 0), 0))    # a board's unit has it from the start
    if os.getsid(0) == os.getpid():                  # the kernel may share the cores by session: niceness is within one
        with contextlib.suppress(OSError), open("/proc/self/autogroup", "w", encoding="ascii") as session:
            session.write(str(NICENESS))
    log_to_stderr(settings.name)
    process = Process(settings, "planner")
    refiner = RayRefiner(process.loop, settings.ray, settings.seed) if settings.ray != "none" else None
    planner = Planner(process.host, settings, ThreadSolver(process.loop, settings.seed, settings.places), refiner)
    process.run(planner.begin)
    if refiner is not None and not refiner.end():
        log.warning("ray did not end by itself; its processes were killed")
    return 0
