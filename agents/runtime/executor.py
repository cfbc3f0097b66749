"""Runs models in threads of their own; the loop hears of each end. ONNX Runtime releases the GIL while it runs.

A leg runs stage by stage, so that it can leave its thread between two of them, or be cut short within one: what the
stages before have made is kept. A whole run can only be cut short. Several inputs of one variant may run at once.

On an emulated board each run of a stage, or of the whole, really runs and ends at `start + max(actual, draw)`, `draw`
coming from the board's profile by (seed, request, stage); what took longer than its draw is counted as an overrun.
An injected fault can make all of this last a factor longer: of the draw, or on a board as it is of what it really took.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from agents.runtime.catalogue import Given, Loaded, Made
from agents.scheduling.queue.preemption import CUT_S, cut_now
from models.session import Aborted, RunFailed, RunHandle
from swarm.core.clock import ns, seconds
from swarm.core.policy.draw import from_quantiles, uniform
from swarm.core.policy.plan import Leg
from swarm.core.ports import Clock
from swarm.core.protocol.spans import RequestId

log = logging.getLogger(__name__)

PATIENCE = 1.25                      # a stage that is waited for may take so much longer than its median

Ended = Literal["done", "aside", "aborted", "failed"]
"""How a run left its thread; `aside`: told to, and to go on before `stage` with what that begins with."""


class ExecutorStatistics(msgspec.Struct, frozen=True):
    """Counts since the start."""

    runs: int
    overruns: int
    aborted: int
    failed: int
    busy_s: float


class Run:
    """One run. Its thread moves it on and leaves in it how it ended; the loop's thread tells it to stop."""

    __slots__ = ("began_ns", "cut", "ended", "finished_ns", "given", "handle", "lead", "leave", "leg", "loaded", "made",
                 "others", "overrun", "request", "stage", "started_ns", "stop", "until_ns", "wanted", "work")

    def __init__(
        self, work: int, request: RequestId, loaded: Loaded, leg: Leg, given: Given, handle: RunHandle,
        stop: threading.Event | None,
    ) -> None:
        self.work, self.request, self.loaded, self.leg, self.handle = work, request, loaded, leg, handle
        self.stop = stop                     # ends the rest of a run that only lasts: emulated, or slowed
        self.leave = False                   # it is to leave its thread, at the latest when the stage is done
        self.until_ns = 0                    # and by then, if it is not to take longer over that
        self.stage, self.given = leg.first, given        # the next stage, or the whole, and what it begins with
        self.began_ns = 0                    # that stage, or the whole
        self.started_ns = self.finished_ns = 0           # around the model itself, its pre- and post-processing
        self.ended: Ended | None = None
        self.made: Made | None = None        # None unless it is `done`
        self.cut = False                     # set aside within `stage`
        self.overrun = False
        self.wanted = True
        self.others: Sequence[Run] = ()      # that run at once with it, and end with it
        self.lead: Run | None = None         # of these: the one that they run with

    def at_once(self) -> list[Run]:
        """All that run at once, first what leads them."""
        lead = self.lead or self
        return [lead, *lead.others]

    def end(self) -> None:
        """At once."""
        self.handle.abort()
        if self.stop is not None:
            self.stop.set()


class Executor:
    """`threads` runs at once. `finished` and, for a bug, `crashed` are called in an executor's thread.

    All methods are for the loop's thread, which hands back each run that it was told of as finished: `collect`.
    """

    def __init__(
        self, clock: Clock, *, threads: int, emulated: bool, seed: int, finished: Callable[[Run], None],
        crashed: Callable[[BaseException], None],
    ) -> None:
        self._clock, self._emulated, self._seed = clock, emulated, seed
        self._finished, self._crashed = finished, crashed
        self._slow = 1.0
        self._waiting: queue.SimpleQueue[Run | None] = queue.SimpleQueue()
        self._current: dict[int, Run] = {}
        self._handles = [RunHandle() for _ in range(threads + 1)]    # not in use; making one takes 45 us, cold
        self._runs = self._overruns = self._aborted = self._failed = self._busy_ns = 0
        self._threads = [
            threading.Thread(target=self._serve, name=f"executor-{i}", daemon=True) for i in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def start(self, work: int, request: RequestId, loaded: Loaded, leg: Leg, given: Given) -> None:
        """Run a leg now; the scheduler has seen to it that a thread is free."""
        self._waiting.put(self._lead(work, request, loaded, leg, given))

    def start_batch(self, members: Sequence[tuple[int, RequestId, Given]], loaded: Loaded, leg: Leg) -> None:
        """Run several inputs at once, whole; a work, its request and its input each."""
        (work, request, given), *rest = members
        lead = self._lead(work, request, loaded, leg, given)
        lead.others = [Run(work, request, loaded, leg, given, lead.handle, lead.stop) for work, request, given in rest]
        for other in lead.others:
            other.lead = lead
            self._current[other.work] = other
        self._waiting.put(lead)

    def _lead(self, work: int, request: RequestId, loaded: Loaded, leg: Leg, given: Given) -> Run:
        """A run with a handle of its own."""
        handle = self._handles.pop() if self._handles else RunHandle()
        stop = threading.Event() if self._emulated or self._slow > 1.0 else None
        run = self._current[work] = Run(work, request, loaded, leg, given, handle, stop)
        return run

    def slow_down(self, factor: float) -> None:
        """From now on, have what begins take so many times as long; 1: no longer."""
        self._slow = factor

    def collect(self, run: Run) -> None:
        """A run has ended and was told of, with all that ran at once: count it."""
        for each in run.at_once():
            if self._current.get(each.work) is each:         # what was set aside may be on again
                del self._current[each.work]
            self._failed += each.ended == "failed"
        if not run.handle.aborted:
            self._handles.append(run.handle)
        self._runs += 1
        self._overruns += run.overrun
        self._aborted += run.ended == "aborted"
        self._busy_ns += run.finished_ns - run.started_ns

    def abort(self, work: int) -> None:
        """A work is not wanted any more: end its run early, unless others run at once with it that are wanted."""
        run = self._current.get(work)
        if run is not None:
            run.wanted = False
            if not any(each.wanted for each in run.at_once()):
                run.end()

    def preempt(self, work: int, impatience: float) -> float | None:
        """Have a run leave its thread, after its stage or within it (`cut_now`); `finished` follows.

        Returns after how many seconds a stage that is waited for takes too long, and is to be cut short after all.
        """
        run = self._current.get(work)
        if run is None:
            return None
        run = run.lead or run
        run.leave = not run.leg.whole or impatience > 0.0
        spent_s = seconds(self._clock.now_ns() - run.began_ns) if run.began_ns else 0.0
        left_s = max(0.0, _middle(_quantiles_s(run)) - spent_s)
        if run.leave and (impatience == math.inf or cut_now(spent_s, left_s, impatience)):
            run.end()
            return None
        if run.leg.whole or not impatience:
            return None
        wait_s = PATIENCE * left_s + CUT_S
        run.until_ns = self._clock.now_ns() + ns(wait_s)
        return wait_s

    def hurry(self, work: int) -> None:
        """A run that was to have left its thread by now leaves it at once."""
        run = self._current.get(work)
        if run is not None and run.until_ns and self._clock.now_ns() >= run.until_ns:
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
            self._run(run)
            self._finished(run)

    def _run(self, run: Run) -> None:
        run.started_ns = run.began_ns = self._clock.now_ns()
        try:
            if run.others:
                self._batch(run)
            elif run.leg.whole:
                run.made = run.loaded.run(run.given, run.handle)
                self._last(run)
                run.ended = "done"
            else:
                run.made = self._by_stages(run)
                run.ended = "aside" if run.made is None else "done"
        except Aborted:
            run.ended, run.made = ("aside" if run.leave else "aborted"), None
            run.cut = run.leave
        except (ValueError, RunFailed) as error:     # a frame that does not fit the model, or no memory
            run.ended = "failed"
            log.warning("run of %s failed: %s", run.request, error)
        run.finished_ns = self._clock.now_ns()
        for other in run.others:
            other.started_ns, other.finished_ns = run.started_ns, run.finished_ns
            other.cut, other.overrun = run.cut, run.overrun
            other.ended = other.ended or run.ended

    def _batch(self, run: Run) -> None:
        """Run all inputs at once; one that does not fit fails by itself. Raises: Aborted, RunFailed."""
        together = run.at_once()
        made = run.loaded.run_batch([each.given for each in together], run.handle)
        self._last(run)
        for each, outcome in zip(together, made, strict=True):
            each.made, each.ended = outcome, "failed" if outcome is None else "done"

    def _by_stages(self, run: Run) -> Made | None:
        """Run what is left of a leg; None: it was told to leave between two stages. Raises: Aborted within one."""
        while not run.leave:
            run.began_ns = self._clock.now_ns()
            made = run.loaded.run_stage(run.given, run.stage, run.handle)
            self._last(run)
            if run.stage + 1 == run.leg.last:
                return made
            assert isinstance(made, list)            # only a leg's last stage may end in an outcome
            run.given, run.stage = made, run.stage + 1
        return None

    def _last(self, run: Run) -> None:
        """Let a run that is over last as long as on an emulated board, or on a slowed one. Raises: Aborted."""
        if run.stop is None:
            return
        now = self._clock.now_ns()
        lasts_ns = round(self._slow * (self._draw_ns(run) if self._emulated else now - run.began_ns))
        left_ns = run.began_ns + lasts_ns - now
        if left_ns <= 0:
            run.overrun = self._emulated
        elif run.stop.wait(seconds(left_ns)):
            raise Aborted

    def _draw_ns(self, run: Run) -> int:
        """How long the board would take over the stage that is next, or over the whole."""
        names = ("run", run.request) if run.leg.whole else ("run", run.request, run.stage)
        return ns(from_quantiles(_quantiles_s(run), uniform(self._seed, *names)))


def _quantiles_s(run: Run) -> Sequence[float]:
    """Run times of the stage that is next, of the whole, or of so many inputs at once."""
    if run.others:
        return run.loaded.batch_quantiles_s[len(run.others)]
    return run.loaded.quantiles_s if run.leg.whole else run.loaded.stage_quantiles_s[run.stage]


def _middle(quantiles_s: Sequence[float]) -> float:
    """Median, seconds."""
    return quantiles_s[len(quantiles_s) // 2]
