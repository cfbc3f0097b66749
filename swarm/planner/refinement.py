"""Decides when plans are refined on Ray: it joins after the streams have begun, refines the newest plan, and may fail.

Rules, in order:
1. Ray starts `RAY_AFTER_S` after the streams, so that it does not slow down the first results. It is optional.
2. While Ray is up and idle it refines the newest plan that was not refined yet; older plans are skipped.
3. After `MAX_LOST_RUNS` portfolios in a row without a result, or after the end of its process, Ray is stopped for good.
   The planner's own process goes on with its plans.
"""

from __future__ import annotations

from collections.abc import Callable

from swarm.core.ports import Timers
from swarm.core.units import ns
from swarm.planner.events import Solve, Solved
from swarm.planner.ports import Refined, Refiner

RAY_AFTER_S = 2.0
MAX_LOST_RUNS = 3


class Refinement:
    """Drives a refiner port.

    refiner: None if Ray is not used.
    solved: called with each refined solution. record: called with the name and the details of each event.
    """

    def __init__(
        self, timers: Timers, refiner: Refiner | None, solved: Callable[[Solved], None],
        record: Callable[[str, dict[str, str | float | int]], None],
    ) -> None:
        self._timers, self._refiner, self._solved, self._record = timers, refiner, solved, record
        self._up = False                             # it has connected and was not stopped
        self._busy = False
        self._next: Solve | None = None              # the newest plan that was not refined
        self._lost_runs = 0                          # in a row

    def begin(self) -> None:
        """The streams have begun."""
        if self._refiner is None:
            self._record("ray_absent", {"reason": "not wanted"})
        else:
            self._timers.after(ns(RAY_AFTER_S), self._start)

    def on_plan(self, command: Solve) -> None:
        """A new plan may be refined."""
        self._next = command
        self._refine_next()

    def _start(self) -> None:
        assert self._refiner is not None             # or no timer was set
        try:
            self._refiner.start(self._connected)
        except OSError as error:                     # no memory, or too many processes
            self._refiner = None
            self._record("ray_absent", {"reason": f"its process cannot be started: {error}"})

    def _connected(self, reason: str, took_s: float) -> None:
        if reason:
            self._stop(reason)
        else:
            self._up = True
            self._record("ray_up", {"took_s": round(took_s, 3)})
            self._refine_next()

    def _refine_next(self) -> None:
        if self._refiner is not None and self._up and not self._busy and self._next is not None:
            command, self._next, self._busy = self._next, None, True
            self._refiner.refine(
                command.problem, command.previous, command.held,
                lambda refined, took_s: self._refined(command.basis, refined, took_s),
            )

    def _refined(self, basis: tuple[int, int], refined: Refined, took_s: float) -> None:
        self._busy = False
        if refined.solution is not None:
            self._lost_runs = 0
            if refined.lost:
                self._record("shards_lost", {"lost": refined.lost, "of": refined.shards, "reason": refined.reason})
            self._solved(Solved(basis, refined.solution, took_s, refined=True))
        else:
            self._lost_runs += 1
            self._record("portfolio_lost", {"reason": refined.reason, "in_a_row": self._lost_runs})
            if self._lost_runs >= MAX_LOST_RUNS or refined.ended:
                self._stop(refined.reason)
        self._refine_next()

    def _stop(self, reason: str) -> None:
        """Stop Ray for good."""
        refiner, self._refiner, self._up = self._refiner, None, False
        if refiner is not None:
            refiner.close()
        self._record("ray_absent", {"reason": reason})
