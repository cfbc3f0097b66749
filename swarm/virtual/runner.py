"""The ports of a robot in virtual time: runs take the time that the emulation draws, and make what perception says.

Calls beside the loop take no time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from agents.ports import Asides, Made, Measured, MemoryEnd, Part, RunEnd, RunnerStatistics, RunOrder
from agents.runtime.emulation import Emulation, Run
from agents.runtime.memory import RESERVE_BYTES
from agents.runtime.offer import Offer
from agents.scheduling.queue.margins import HANDOFF_NS
from swarm.core.policy.plan import Leg
from swarm.core.ports import Clock, Timer, Timers
from swarm.core.units import ns, seconds
from swarm.virtual.costs import LOAD_NS, WAKE_NS

T = TypeVar("T")
Makes = Callable[[str, str, RunOrder, int | None], Made]
"""Makes the output of a run from model, variant, order and the stage that has ended; None: it has run whole."""


class AtOnce:
    """The port `Aside`."""

    def run(self, call: Callable[[], T], done: Callable[[T], None]) -> None:
        done(call())

    def give_up(self) -> None:
        """No call is ever at work."""


AT_ONCE = Asides(AtOnce(), AtOnce())


class TimedRun(Run):
    """A run and the event of its present end."""

    end: Timer | None = None
    model = variant = ""


class VirtualRunner:
    """Executors without threads. The scheduler starts a run only while an executor is free.

    handoff_ns, wake_ns: what a hand-off to an executor, and its waking, take.
    """

    def __init__(
        self, clock: Clock, timers: Timers, offer: Offer, seed: int, makes: Makes, *, handoff_ns: int = HANDOFF_NS,
        wake_ns: int = WAKE_NS,
    ) -> None:
        self._clock, self._timers, self._offer, self._makes = clock, timers, offer, makes
        self._handoff_ns, self._wake_ns = handoff_ns, wake_ns
        self._emulation = Emulation(emulated=True, seed=seed)
        self._current: dict[int, TimedRun] = {}    # by the scheduler's key of the run
        self._ended: Callable[[list[RunEnd]], None] = lambda ends: None
        self._loaded: Callable[[str, str], None] = lambda model, variant: None
        self._moved: Callable[[MemoryEnd], None] = lambda end: None
        self._sizes, self._held = offer.sizes(), set(offer.at_start())
        self._runs = self._aborted = self._failed = self._busy_ns = self._loads = self._unloads = 0

    def attach(
        self, ended: Callable[[list[RunEnd]], None], loaded: Callable[[str, str], None],
        moved: Callable[[MemoryEnd], None] = lambda end: None,
    ) -> None:
        self._ended, self._loaded, self._moved = ended, loaded, moved

    def start(self, model: str, variant: str, leg: Leg, orders: Sequence[RunOrder]) -> None:
        run = TimedRun(orders, leg, self._offer.times(model, variant))
        run.model, run.variant = model, variant
        for order in orders:
            self._current[order.work] = run
        run.end = self._timers.after(self._handoff_ns, partial(self._begin, run))

    def abort(self, work: int) -> None:
        run = self._current.get(work)
        if run is not None and run.abort(work):
            self._cut_short(run)

    def preempt(self, work: int, urgency: float) -> float | None:
        run = self._current.get(work)
        if run is None or run.ended is not None:
            return None
        wait_s = run.preempt(urgency, self._clock.now_ns())
        if wait_s == 0.0:
            self._cut_short(run)
        return wait_s or None

    def hurry(self, work: int) -> None:
        run = self._current.get(work)
        if run is not None and run.is_overdue(self._clock.now_ns()):
            self._cut_short(run)

    def give_up(self, work: int) -> None:
        """Its runs end when they are told to."""

    def load_stages(self, model: str, variant: str) -> None:
        def loaded() -> None:
            self._held.add(Part(model, variant, stages=True))
            self._loaded(model, variant)

        self._timers.after(LOAD_NS, loaded)

    def load(self, part: Part) -> None:
        """It takes as long as the profile says."""
        took_s = self._sizes[part].load_s
        self._timers.after(ns(took_s), lambda: self._move(part, True, took_s))

    def unload(self, part: Part) -> None:
        self._timers.after(self._handoff_ns, lambda: self._move(part, False, 0.0))

    def _move(self, part: Part, present: bool, took_s: float) -> None:
        (self._held.add if present else self._held.discard)(part)
        self._loads, self._unloads = self._loads + present, self._unloads + (not present)
        self._moved(MemoryEnd(part=part, present=present, took_s=took_s, rss_bytes=self.memory().rss_bytes,
                              kept_bytes=self._sizes[part].kept_bytes if present else 0))

    def memory(self) -> Measured:
        """By the cards."""
        kept = {part: size.kept_bytes for part, size in self._sizes.items() if part in self._held}
        return Measured(rss_bytes=RESERVE_BYTES + sum(kept.values()), kept_bytes=kept)

    def slow_down(self, factor: float) -> None:
        """Runs in progress last longer or shorter from now on, too."""
        self._emulation.slow_down(factor)
        for run in dict.fromkeys(self._current.values()):         # in order: a set has none
            if run.ended is None and run.began_ns is not None:
                self._wait(run)

    def statistics(self) -> RunnerStatistics:
        now = self._clock.now_ns()
        busy_ns = self._busy_ns + sum(run.busy_ns(now) for run in set(self._current.values()))
        return RunnerStatistics(
            self._runs, 0, self._aborted, self._failed, seconds(busy_ns), loads=self._loads, unloads=self._unloads)

    def _begin(self, run: TimedRun) -> None:
        now = self._clock.now_ns()
        run.begin(now)
        if not run.leg.whole and run.leave:
            run.leave_unbegun(now)
            self._tell_later(run)
        else:
            self._wait(run)

    def _wait(self, run: TimedRun) -> None:
        """Until the stage, or the whole, has lasted its time."""
        assert run.began_ns is not None
        if run.end is not None:
            run.end.cancel()
        run.end = self._timers.at(
            run.began_ns + self._emulation.lasts_ns(run, took_ns=0) + self._wake_ns, partial(self._stage_over, run))

    def _stage_over(self, run: TimedRun) -> None:
        now = self._clock.now_ns()
        if run.leg.whole:
            run.finish([self._made(run, order, None) for order in run.orders], now)
        elif run.stage_over(self._made(run, run.orders[0], run.stage), now):
            self._wait(run)
            return
        self._tell_later(run)

    def _made(self, run: TimedRun, order: RunOrder, stage: int | None) -> Made:
        given = run.given if len(run.orders) == 1 else order.given
        return self._makes(run.model, run.variant, RunOrder(order.work, order.request, given, order.frame), stage)

    def _cut_short(self, run: TimedRun) -> None:
        if run.ended is not None:
            return
        if run.end is not None:
            run.end.cancel()
        if run.began_ns is None:
            run.begin(self._clock.now_ns())
        run.cut_short(self._clock.now_ns())
        self._tell_later(run)

    def _tell_later(self, run: TimedRun) -> None:
        run.end = self._timers.after(self._handoff_ns, partial(self._tell, run))

    def _tell(self, run: TimedRun) -> None:
        """Report the ends; then count."""
        ends = run.ends()
        self._ended(ends)
        for end in ends:
            if self._current.get(end.work) is run:   # a preempted one may already run again, in another run
                del self._current[end.work]
            self._failed += end.ended == "failed"
        self._runs += 1
        self._aborted += run.ended == "aborted"
        self._busy_ns += run.busy_ns(run.finished_ns)
