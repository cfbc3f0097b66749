"""How long a run lasts on a board that is emulated, and how a run gives way. Deterministic.

Threads and virtual time apply the same rules. On an emulated board each stage, or the whole, ends at
`start + max(actual, draw)`; the draw comes from the board's profile by (seed, request, stage), and a stage that really
took longer is an overrun. An injected fault makes a run last a factor longer: of the draw on an emulated board, else of
the time that it really took.

A leg runs stage by stage. It can leave its executor between two stages, which loses nothing, or within one, which is
run anew later. A whole run can only be cut short.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from agents.ports import Ended, Given, Made, RunEnd, RunOrder
from agents.scheduling.queue.preemption import ABORT_S, abort_stage_now
from swarm.core.policy.draw import from_quantiles, uniform
from swarm.core.policy.plan import Leg
from swarm.core.units import ns, seconds

STAGE_SLACK = 1.25                      # a stage that others wait for may take so many times its median


@dataclass(frozen=True)
class VariantTimes:
    """Run times of one variant on one board: evenly spaced quantiles, ascending, seconds."""

    whole_s: list[float]
    stages_s: list[list[float]]
    batches_s: Sequence[list[float]] = ()            # of 1, 2, ... inputs at once, as far as batches pay


class Run:
    """One run on an executor, from its start to its end. A batch has several orders and runs the whole model.

    An executor calls `begin`, then `stage_over` or `finish`, or one of the other ends; `preempt`, `hurry` and `abort`
    may come at any moment between.
    """

    def __init__(self, orders: Sequence[RunOrder], leg: Leg, times: VariantTimes) -> None:
        self.orders, self.leg, self._times = orders, leg, times
        self.stage: int = leg.first                  # the stage that runs, or is next; of a whole run the first
        self.given: Given = orders[0].given          # what that stage begins with
        self.began_ns: int | None = None             # that stage
        self.started_ns = self.finished_ns = 0       # the run
        self.leave = False                           # it was told to leave, at the latest when the stage is over
        self.until_ns: int | None = None             # when it is cut short if the stage is not over by then
        self.overrun = False
        self.ended: Ended | None = None
        self.mid_stage = False                             # it was preempted within a stage
        self._made: Sequence[Made | None] = ()       # by order; None: that input alone has failed
        self._wanted = {order.work for order in orders}

    @property
    def quantiles_s(self) -> Sequence[float]:
        """Run times of the stage, of the whole, or of so many inputs at once."""
        if len(self.orders) > 1:
            return self._times.batches_s[len(self.orders) - 1]
        return self._times.whole_s if self.leg.whole else self._times.stages_s[self.stage]

    def begin(self, now: int) -> None:
        """The executor begins with it."""
        self.started_ns = self.began_ns = now

    def stage_over(self, made: Made, now: int) -> bool:
        """The stage has ended with this. Returns whether the next one begins now; else the run has ended."""
        if self.stage + 1 == self.leg.last:
            self.finish([made], now)
            return False
        assert isinstance(made, list)                # only the last stage of a model ends in an outcome
        self.given, self.stage = made, self.stage + 1
        if self.leave:
            self._end("preempted", now)
            return False
        self.began_ns = now
        return True

    def finish(self, made: Sequence[Made | None], now: int) -> None:
        """It has ended by itself, with these results by order; None: that input does not fit the model."""
        self._made = made
        self._end("done", now)

    def cut_short(self, now: int) -> None:
        """It has ended within a stage, because it was told to leave or is not wanted any more."""
        self.mid_stage = self.leave
        self._end("preempted" if self.leave else "aborted", now)

    def leave_unbegun(self, now: int) -> None:
        """It was told to leave before its first stage began."""
        self._end("preempted", now)

    def fail(self, now: int) -> None:
        """It could not be run."""
        self._end("failed", now)

    def abort(self, work: int) -> bool:
        """The result of one order is not wanted any more. Returns whether to end the run at once: none is wanted."""
        self._wanted.discard(work)
        return not self._wanted

    def preempt(self, urgency: float, now: int) -> float | None:
        """It is to leave its executor. Returns after how many seconds it is to be cut short; 0: at once; None: never.

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
        """Whether it was to have left its executor by now."""
        return self.until_ns is not None and now >= self.until_ns

    def ends(self) -> list[RunEnd]:
        """How each order ended. Preempted orders that are not wanted any more count as aborted."""
        return [self._end_of(k, order) for k, order in enumerate(self.orders)]

    def _end_of(self, k: int, order: RunOrder) -> RunEnd:
        assert self.ended is not None
        made = self._made[k] if self._made else None
        ended: Ended = self.ended
        if ended == "done" and made is None:
            ended = "failed"
        elif ended == "preempted" and order.work not in self._wanted:
            ended = "aborted"
        return RunEnd(
            work=order.work, request=order.request, ended=ended, started_ns=self.started_ns,
            finished_ns=self.finished_ns, stage=self.stage, made=made, overrun=self.overrun,
            given=order.given if len(self.orders) > 1 else self.given, mid_stage=self.mid_stage and ended == "preempted",
        )

    def _end(self, ended: Ended, now: int) -> None:
        self.ended, self.finished_ns = ended, now


class Emulation:
    """How long runs last on one board. `factor`: an injected fault makes them last so many times as long; 1: none."""

    def __init__(self, *, emulated: bool, seed: int) -> None:
        """emulated: run times are drawn from the board's profile, with this seed; else runs take what they take."""
        self._emulated, self._seed = emulated, seed
        self.factor = 1.0

    @property
    def applies(self) -> bool:
        """Whether runs may last longer than they really take."""
        return self._emulated or self.factor > 1.0

    def lasts_ns(self, run: Run, took_ns: int) -> int:
        """How long the stage, or the whole, lasts in all, where it really took so long. Notes an overrun in the run."""
        wanted_ns = round(self.factor * (self._draw_ns(run) if self._emulated else took_ns))
        if took_ns < wanted_ns:
            return wanted_ns
        run.overrun = self._emulated
        return took_ns

    def _draw_ns(self, run: Run) -> int:
        """How long the board takes for it; a batch draws by its first request."""
        request = run.orders[0].request
        names = ("run", request) if run.leg.whole else ("run", request, run.stage)
        return ns(from_quantiles(run.quantiles_s, uniform(self._seed, *names)))


def _median(quantiles_s: Sequence[float]) -> float:
    return quantiles_s[len(quantiles_s) // 2]
