"""A runner of models without models or threads: it takes the time that a run lasts, and makes what the test says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agents.ports import Made, RunEnd, RunnerStatistics, RunOrder
from agents.runtime.emulation import Emulation, Run, VariantTimes
from agents.runtime.offer import Offer
from swarm.core.policy.plan import Leg
from swarm.core.ports import Clock, Timers
from swarm.core.protocol.world import Detections
from swarm.core.units import seconds


class FakeRunner:
    """Every stage takes the median of its profile. `made` gives the result of an order, whole or by the last stage."""

    def __init__(
        self, clock: Clock, timers: Timers, offer: Offer,
        made: Callable[[RunOrder], Made] = lambda order: Detections(boxes=[]),
    ) -> None:
        self._clock, self._timers, self._offer, self._made = clock, timers, offer, made
        self._emulation = Emulation(emulated=True, seed=0)
        self._current: dict[int, Run] = {}
        self._ended: Callable[[list[RunEnd]], None] = lambda ends: None
        self._loaded: Callable[[str, str], None] = lambda model, variant: None
        self._runs = self._busy_ns = self.stuck = 0

    def attach(self, ended: Callable[[list[RunEnd]], None], loaded: Callable[[str, str], None]) -> None:
        self._ended, self._loaded = ended, loaded

    def start(self, model: str, variant: str, leg: Leg, orders: Sequence[RunOrder]) -> None:
        run = Run(orders, leg, _medians(self._offer.times(model, variant)))
        self._current |= {order.work: run for order in orders}
        run.begin(self._clock.now_ns())
        self._wait(run)

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
        pass                                                 # its runs end when they are told to

    def load_stages(self, model: str, variant: str) -> None:
        self._timers.after(0, lambda: self._loaded(model, variant))

    def slow_down(self, factor: float) -> None:
        self._emulation.slow_down(factor)

    def statistics(self) -> RunnerStatistics:
        now = self._clock.now_ns()
        busy_ns = self._busy_ns + sum(run.busy_ns(now) for run in set(self._current.values()))
        return RunnerStatistics(
            runs=self._runs, overruns=0, aborted=0, failed=0, busy_s=seconds(busy_ns), stuck=self.stuck)

    def _wait(self, run: Run) -> None:
        self._timers.after(self._emulation.lasts_ns(run, took_ns=0), lambda: self._over(run))

    def _over(self, run: Run) -> None:
        """The stage, or the whole, is over, unless the run was cut short."""
        if run.ended is not None:
            return
        now = self._clock.now_ns()
        if run.leg.whole:
            run.finish([self._made(order) for order in run.orders], now)
        elif run.stage_over(self._made(run.orders[0]) if run.stage + 1 == run.leg.last else [], now):
            self._wait(run)
            return
        self._tell(run)

    def _cut_short(self, run: Run) -> None:
        if run.ended is None:
            run.cut_short(self._clock.now_ns())
            self._timers.after(0, lambda: self._tell(run))

    def _tell(self, run: Run) -> None:
        self._runs += 1
        self._busy_ns += run.busy_ns(run.finished_ns)
        for order in run.orders:
            del self._current[order.work]
        self._ended(run.ends())


def _medians(times: VariantTimes) -> VariantTimes:
    def flat(quantiles_s: list[float]) -> list[float]:
        return [quantiles_s[len(quantiles_s) // 2]] * len(quantiles_s)

    return VariantTimes(flat(times.whole_s), [*map(flat, times.stages_s)], [*map(flat, times.batches_s)])
