"""Runs models in threads of their own; the loop hears of each end. ONNX Runtime releases the GIL while it runs.

On an emulated board a run really runs and ends at `start + max(actual, draw)`, `draw` coming from the board's
profile by (seed, request, first stage); a run that took longer than its draw is counted as an overrun.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

import msgspec

from agents.catalogue import Given, Loaded, Made
from models.session import Aborted, RunFailed, RunHandle
from swarm.core.clock import Clock, ns, seconds
from swarm.core.draw import from_quantiles, uniform
from swarm.core.plan import Leg
from swarm.core.spans import RequestId

log = logging.getLogger(__name__)


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a run; `made` is None if it was aborted or failed."""

    work: int
    started_ns: int
    finished_ns: int
    made: Made | None
    overrun: bool = False


class ExecutorStatistics(msgspec.Struct, frozen=True):
    """Counts since the start."""

    runs: int
    overruns: int
    aborted: int
    failed: int
    busy_s: float


class _Run:
    __slots__ = ("aborted", "given", "handle", "leg", "loaded", "request", "work")

    def __init__(self, work: int, request: RequestId, loaded: Loaded, leg: Leg, given: Given) -> None:
        self.work, self.request, self.loaded, self.leg, self.given = work, request, loaded, leg, given
        self.handle = RunHandle()
        self.aborted = threading.Event()


class Executor:
    """`threads` runs at once. `finished` and, for a bug, `crashed` are called in an executor's thread."""

    def __init__(
        self, clock: Clock, *, threads: int, emulated: bool, seed: int, finished: Callable[[Finished], None],
        crashed: Callable[[BaseException], None],
    ) -> None:
        self._clock, self._emulated, self._seed = clock, emulated, seed
        self._finished, self._crashed = finished, crashed
        self._waiting: queue.SimpleQueue[_Run | None] = queue.SimpleQueue()
        self._current: dict[int, _Run] = {}
        self._runs = self._overruns = self._aborted = self._failed = self._busy_ns = 0
        self._threads = [
            threading.Thread(target=self._serve, name=f"executor-{i}", daemon=True) for i in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def start(self, work: int, request: RequestId, loaded: Loaded, leg: Leg, given: Given) -> None:
        """Run a leg now; the scheduler has seen to it that a thread is free."""
        run = self._current[work] = _Run(work, request, loaded, leg, given)
        self._waiting.put(run)

    def abort(self, work: int) -> None:
        """End a run early; its `finished` follows with nothing made."""
        run = self._current.get(work)
        if run is not None:
            run.handle.abort()
            run.aborted.set()

    def close(self) -> None:
        """End the threads; runs in progress are aborted."""
        for run in list(self._current.values()):
            run.handle.abort()
            run.aborted.set()
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join(timeout=2.0)

    def statistics(self) -> ExecutorStatistics:
        return ExecutorStatistics(
            self._runs, self._overruns, self._aborted, self._failed, seconds(self._busy_ns)
        )

    def _serve(self) -> None:
        try:
            self._run_all()
        except BaseException as error:       # noqa: BLE001 - handed on, so that it ends the loop and not a thread
            self._crashed(error)

    def _run_all(self) -> None:
        while (run := self._waiting.get()) is not None:
            started_ns = self._clock.now_ns()
            made, overrun = self._run(run, started_ns)
            finished_ns = self._clock.now_ns()
            self._busy_ns += finished_ns - started_ns
            self._runs += 1
            del self._current[run.work]
            self._finished(Finished(
                work=run.work, started_ns=started_ns, finished_ns=finished_ns, made=made, overrun=overrun
            ))

    def _run(self, run: _Run, started_ns: int) -> tuple[Made | None, bool]:
        try:
            made = run.loaded.run(run.given, run.leg, run.handle)
        except Aborted:
            self._aborted += 1
            return None, False
        except (ValueError, RunFailed) as error:     # a frame that does not fit the model, or no memory
            self._failed += 1
            log.warning("run of %s failed: %s", run.request, error)
            return None, False
        if not self._emulated:
            return made, False
        names = ("run", run.request) if run.leg.whole else ("run", run.request, run.leg.first)
        draw_ns = ns(from_quantiles(run.loaded.quantiles(run.leg), uniform(self._seed, *names)))
        left_ns = started_ns + draw_ns - self._clock.now_ns()
        if left_ns <= 0:
            self._overruns += 1
            return made, True
        if run.aborted.wait(seconds(left_ns)):
            self._aborted += 1
            return None, False
        return made, False
