"""Runs models in threads of their own; the loop hears of each end. ONNX Runtime releases the GIL while it runs.

A leg runs stage by stage, so that it can leave its thread between two of them, or be cut short within one: what the
stages before have made is kept. A whole run can only be cut short.

On an emulated board each run of a stage, or of the whole, really runs and ends at `start + max(actual, draw)`, `draw`
coming from the board's profile by (seed, request, stage); what took longer than its draw is counted as an overrun.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
from collections.abc import Callable, Sequence

import msgspec

from agents.catalogue import Given, Loaded, Made
from agents.preemption import CUT_S, cut_now
from models.session import Aborted, RunFailed, RunHandle
from swarm.core.clock import Clock, ns, seconds
from swarm.core.draw import from_quantiles, uniform
from swarm.core.plan import Leg
from swarm.core.spans import RequestId

log = logging.getLogger(__name__)

PATIENCE = 1.25                      # a stage that is waited for may take so much longer than its median


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a run, or that it has left its thread before."""

    work: int
    request: RequestId
    started_ns: int
    finished_ns: int
    made: Made | None = None         # None if it was aborted, failed or set aside
    aside: bool = False              # set aside before `stage`
    stage: int = 0
    kept: Given | None = None        # with what that stage begins
    cut: bool = False                # that stage was begun
    overrun: bool = False


class ExecutorStatistics(msgspec.Struct, frozen=True):
    """Counts since the start."""

    runs: int
    overruns: int
    aborted: int
    failed: int
    busy_s: float


class _Run:
    """One run; its thread moves it on, and the loop's thread tells it to stop."""

    def __init__(self, work: int, request: RequestId, loaded: Loaded, leg: Leg, given: Given) -> None:
        self.work, self.request, self.loaded, self.leg, self.given = work, request, loaded, leg, given
        self.handle = RunHandle()
        self.stop = threading.Event()        # end at once
        self.aside = False                   # leave, at the latest when the stage is done
        self.stage = leg.first
        self.began_ns = 0                    # the stage, or the whole
        self.overrun = False

    def end(self) -> None:
        self.stop.set()
        self.handle.abort()


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
            run.end()

    def preempt(self, work: int, impatience: float) -> float | None:
        """Have a run leave its thread, after its stage or within it (`agents.preemption.cut_now`); `finished` follows.

        Returns after how many seconds a stage that is waited for takes too long, and is to be cut short after all.
        """
        run = self._current.get(work)
        if run is None:
            return None
        run.aside = not run.leg.whole or impatience > 0.0
        spent_s = seconds(self._clock.now_ns() - run.began_ns) if run.began_ns else 0.0
        left_s = max(0.0, _middle(run.loaded, run.leg, run.stage) - spent_s)
        if run.aside and (impatience == math.inf or cut_now(spent_s, left_s, impatience)):
            run.end()
            return None
        return PATIENCE * left_s + CUT_S if impatience > 0.0 and not run.leg.whole else None

    def hurry(self, work: int) -> None:
        """A run that was to leave its thread, and has not, leaves it at once."""
        run = self._current.get(work)
        if run is not None and run.aside:
            run.end()

    def close(self) -> None:
        """End the threads; runs in progress are aborted."""
        for run in list(self._current.values()):
            run.end()
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
            end = self._run(run, started_ns)
            self._busy_ns += end.finished_ns - started_ns
            self._runs += 1
            del self._current[run.work]
            self._finished(end)

    def _run(self, run: _Run, started_ns: int) -> Finished:
        made: Made | None = None
        aside = cut = False
        try:
            if run.leg.whole:
                made = self._whole(run)
            else:
                made = self._by_stages(run)
                aside = made is None
        except Aborted:
            aside = cut = run.aside
            self._aborted += not run.aside
        except (ValueError, RunFailed) as error:     # a frame that does not fit the model, or no memory
            self._failed += 1
            log.warning("run of %s failed: %s", run.request, error)
        return Finished(
            work=run.work, request=run.request, started_ns=started_ns, finished_ns=self._clock.now_ns(), made=made,
            aside=aside, stage=run.stage, kept=run.given if aside else None, cut=cut, overrun=run.overrun,
        )

    def _whole(self, run: _Run) -> Made:
        run.began_ns = self._clock.now_ns()
        made = run.loaded.run(run.given, run.handle)
        self._last(run, run.loaded.quantiles_s)
        return made

    def _by_stages(self, run: _Run) -> Made | None:
        """Run what is left of a leg; None: it was told to leave between two stages. Raises: Aborted within one."""
        while not run.aside:
            run.began_ns = self._clock.now_ns()
            made = run.loaded.run_stage(run.given, run.stage, run.handle)
            self._last(run, run.loaded.stage_quantiles_s[run.stage])
            if run.stage + 1 == run.leg.last:
                return made
            assert isinstance(made, list)            # only a leg's last stage may end in an outcome
            run.given, run.stage = made, run.stage + 1
        return None

    def _last(self, run: _Run, quantiles_s: Sequence[float]) -> None:
        """On an emulated board, let a run that is over last as long as it takes there. Raises: Aborted."""
        if not self._emulated:
            return
        names = ("run", run.request) if run.leg.whole else ("run", run.request, run.stage)
        draw_ns = ns(from_quantiles(list(quantiles_s), uniform(self._seed, *names)))
        left_ns = run.began_ns + draw_ns - self._clock.now_ns()
        if left_ns <= 0:
            self._overruns += 1
            run.overrun = True
        elif run.stop.wait(seconds(left_ns)):
            raise Aborted


def _middle(loaded: Loaded, leg: Leg, stage: int) -> float:
    """Median run time of a stage, or of the whole, seconds."""
    quantiles_s = loaded.quantiles_s if leg.whole else loaded.stage_quantiles_s[stage]
    return quantiles_s[len(quantiles_s) // 2]
