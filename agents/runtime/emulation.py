"""How long a run lasts on an emulated board, and how a run is preempted. Deterministic.

Threads and virtual time apply the same rules. On an emulated board each stage, or whole run, ends at
`start + max(actual, draw)`. The draw comes from the board's profile by (seed, robot, frame, stage), so that a
run can be repeated. If the actual time is longer, the stage is an overrun. An injected fault multiplies the draw on an
emulated board, and the actual time on other boards.

A leg runs stage by stage. It can leave its executor between two stages, which loses no work, or within a stage, which
then runs again later. A whole run can only be aborted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from agents.ports import RUN_FAILED, TASK, Ended, Given, Made, RunEnd, RunOrder
from agents.scheduling.queue.margins import ABORT_S
from agents.scheduling.queue.preemption import abort_stage_now
from swarm.core.policy.draw import from_quantiles, uniform
from swarm.core.policy.plan import Leg
from swarm.core.units import ns, seconds

STAGE_SLACK = 1.25                   # a preempted stage may run for this many times the median of its remaining time


@dataclass(frozen=True)
class VariantTimes:
    """Run times of one variant on one board: evenly spaced quantiles, ascending, seconds."""

    whole_s: list[float]
    stages_s: list[list[float]]
    batches_s: Sequence[list[float]] = ()            # of batches of 1, 2, ... inputs, up to the largest useful one


class Run:
    """One run on an executor, from its start to its end. A batch has several orders and runs the whole model.

    An executor calls `begin`, then `stage_over`, `finish` or another method that ends the run. `preempt` and `abort`
    may be called at any time in between.
    """

    def __init__(self, orders: Sequence[RunOrder], leg: Leg, times: VariantTimes) -> None:
        self.orders, self.leg, self._times = orders, leg, times
        self.stage: int = leg.first                  # the present or next stage; of a whole run the first
        self.given: Given = orders[0].given          # the input of that stage
        self.began_ns: int | None = None             # start of that stage
        self.started_ns = self.finished_ns = 0       # start and end of the run
        self.leave = False                           # it is preempted: it leaves after this stage at the latest
        self.until_ns: int | None = None             # when the stage is aborted if it is not over by then
        self.overrun = False
        self.drawing_ns = self.drawn_ns = 0          # drawn time of this stage, and of all finished stages
        self.ended: Ended | None = None
        self.reason = TASK                           # why it failed; an input without a result: its task could not
        self.mid_stage = False                       # it was preempted within a stage
        self._made: Sequence[Made | None] = ()       # by order; None: that input failed
        self._unwanted: list[int] = []               # works whose results are no longer wanted

    @property
    def quantiles_s(self) -> Sequence[float]:
        """Run times of the stage, of the whole run, or of the batch: quantiles, seconds."""
        if len(self.orders) > 1:
            return self._times.batches_s[len(self.orders) - 1]
        return self._times.whole_s if self.leg.whole else self._times.stages_s[self.stage]

    def begin(self, now: int) -> None:
        """The executor starts the run."""
        self.started_ns = self.began_ns = now

    def stage_over(self, made: Made, now: int) -> bool:
        """The stage has ended with this output. Returns whether the next one begins now; else the run has ended."""
        if self.stage + 1 == self.leg.last:
            self.finish([made], now)
            return False
        assert isinstance(made, list)                # only the last stage of a model ends in an outcome
        self.given, self.stage = made, self.stage + 1
        self.drawn_ns += self.drawing_ns
        if self.leave:
            self._end("preempted", now)
            return False
        self.began_ns = now
        return True

    def finish(self, made: Sequence[Made | None], now: int) -> None:
        """The run is complete, with these results by order; None: that input does not fit the model."""
        self._made, self.ended, self.finished_ns = made, "done", now
        self.drawn_ns += self.drawing_ns

    def cut_short(self, now: int) -> None:
        """The run was ended within a stage, because it was preempted or is no longer wanted."""
        self.mid_stage = self.leave
        self._end("preempted" if self.leave else "aborted", now)

    def leave_unbegun(self, now: int) -> None:
        """The run was preempted before its first stage began."""
        self._end("preempted", now)

    def fail(self, now: int, reason: str = RUN_FAILED) -> None:
        """The run has failed."""
        self.reason = reason
        self._end("failed", now)

    def busy_ns(self, now: int) -> int:
        """How long it has kept its executor busy."""
        return 0 if self.began_ns is None else max((self.finished_ns or now) - self.started_ns, 0)

    def abort(self, work: int) -> bool:
        """The result of one order is no longer wanted. Returns whether to end the run at once: no result is wanted."""
        if work not in self._unwanted:
            self._unwanted.append(work)
        return len(self._unwanted) == len(self.orders)

    def preempt(self, urgency: float, now: int) -> float | None:
        """Preempt the run. Returns the delay in seconds after which to abort its stage; 0: at once; None: never.

        urgency: see `agents.scheduling.queue.preemption.abort_stage_now`.
        """
        self.leave = not self.leg.whole or urgency > 0.0
        spent_s = seconds(now - self.began_ns) if self.began_ns is not None else 0.0
        left_s = max(0.0, _median(self.quantiles_s) - spent_s)
        if self.leave and (urgency == math.inf or abort_stage_now(spent_s, left_s, urgency)):
            return 0.0
        if self.leg.whole or not urgency:
            return None
        wait_s = STAGE_SLACK * left_s + ABORT_S
        self.until_ns = now + ns(wait_s)
        return wait_s

    def is_overdue(self, now: int) -> bool:
        """Whether it should have left its executor by now."""
        return self.until_ns is not None and now >= self.until_ns

    def ends(self) -> list[RunEnd]:
        """How each order ended. Preempted orders that are no longer wanted count as aborted."""
        if len(self.orders) == 1:                    # nearly always
            return [self._end_of(0, self.orders[0])]
        return [self._end_of(k, order) for k, order in enumerate(self.orders)]

    def _end_of(self, k: int, order: RunOrder) -> RunEnd:
        assert self.ended is not None
        made = self._made[k] if self._made else None
        ended: Ended = self.ended
        if ended == "done" and made is None:
            ended = "failed"
        elif ended == "preempted" and order.work in self._unwanted:
            ended = "aborted"
        return RunEnd(
            work=order.work, request=order.request, ended=ended, started_ns=self.started_ns,
            finished_ns=self.finished_ns, stage=self.stage, made=made, overrun=self.overrun,
            drawn_s=seconds(self.drawn_ns), reason=self.reason,
            given=order.given if len(self.orders) > 1 else self.given,
            mid_stage=self.mid_stage and ended == "preempted",
        )

    def _end(self, ended: Ended, now: int) -> None:
        self.ended, self.finished_ns = ended, now


class Emulation:
    """How long runs last on one board. `factor`: an injected fault makes them last this many times as long; 1: none."""

    def __init__(self, *, emulated: bool, seed: int) -> None:
        """emulated: run times are drawn from the board's profile, with this seed; else they are the actual times."""
        self._emulated, self._seed = emulated, seed
        self.factor = 1.0
        self.applies = emulated                      # whether runs may last longer than their actual time

    def slow_down(self, factor: float) -> None:
        """From now on runs last this many times as long."""
        self.factor, self.applies = factor, self._emulated or factor > 1.0

    def lasts_ns(self, run: Run, took_ns: int) -> int:
        """How long the stage or whole run lasts, ns. took_ns: its actual time. Sets `run.overrun`."""
        run.drawing_ns = self._draw_ns(run) if self._emulated else 0
        wanted_ns = round(self.factor * (run.drawing_ns or took_ns))
        if took_ns < wanted_ns:
            return wanted_ns
        run.overrun = self._emulated
        return took_ns

    def _draw_ns(self, run: Run) -> int:
        """The drawn run time; a batch draws by its first request."""
        robot, frame = run.orders[0].request.agent, run.orders[0].frame
        names = ("run", robot, frame.incarnation, frame.stream, frame.number, "whole" if run.leg.whole else run.stage)
        return ns(from_quantiles(run.quantiles_s, uniform(self._seed, *names)))


def _median(quantiles_s: Sequence[float]) -> float:
    return quantiles_s[len(quantiles_s) // 2]
