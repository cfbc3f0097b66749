"""Checks a scheduler in simulated time: waits for less urgent runs are bounded, and no stream starves."""

from __future__ import annotations

import math
import sys

from agents.runtime.emulation import STAGE_SLACK
from agents.scheduling.queue.preemption import MAX_STAGE_ABORTS
from agents.scheduling.queue.queued_run import QueuedRun
from agents.scheduling.queue.run_queue import AGING_NS
from agents.scheduling.scheduler import Scheduler
from swarm.core.units import ns
from tests.agents.schedules.simulated import ABORT_NS, TOLD_NS, SimulatedExecutor

Line = tuple[str, str]               # asker and stream; for a peer's run, the model instead of the stream


class Watch:
    """Checks these rules; call `look` after each event. longest_s: the longest actual time of any run.

    - A free executor starts a waiting run, unless a guard needs the executor.
    - A run leaves for more urgent work within ABORT_S, or at the end of its stage if that is near (`abort_stage_now`
      says so), and after STAGE_SLACK times the stage's median even if the stage is slow. It leaves at the end of its
      stage, however far, if the stage was aborted several times, or if the urgent run can wait and the aborted run
      could not be in time. A run without stages counts as one stage.
    - A stream that keeps asking waits without a run for at most AGING_NS for each priority above its own, once more
      AGING_NS, and then a run of each stream: streams that began to wait later are less urgent by then. The wait counts
      only while no guard needs an executor, and not for streams that are shed; that of a peer's stream, which no age
      lifts above the robot's own most urgent one, only while no run of the robot is as urgent as that.
    """

    def __init__(self, scheduler: Scheduler, executor: SimulatedExecutor, longest_s: float) -> None:
        self._queue, self._guards, self._executor = scheduler._queue, scheduler._guards, executor
        self._load_shedding = scheduler._requests.load_shedding
        self._longest_ns = ns(longest_s)
        self._leaves: dict[int, tuple[float, int]] = {}      # run that blocks more urgent work -> weight, latest end
        self._hungry: dict[Line, int] = {}                   # waiting stream -> since when it is without a run
        self._seen: dict[Line, tuple[int, int]] = {}         # priority, when it was last waiting
        self.inversions = self.aged = 0

    def left(self, key: int, now: int) -> None:
        """A run has left its executor: check that it did not block more urgent work for too long."""
        _, latest_ns = self._leaves.pop(key, (0.0, now))
        assert now <= latest_ns + TOLD_NS, f"run {key} blocked more urgent work {now - latest_ns} ns too long"

    def look(self, now: int) -> None:
        waiting = list(self._queue.in_order(now))
        ready = [work for work in waiting if not self._guards.holds_back(work, now)]
        assert not (ready and self._queue.free()), "an executor is free, and work waits"
        running = self._queue.running()
        self._feed(waiting, ready, running, now)
        for urgent in ready:
            if not self._room_for(urgent, running, now):     # runs after it in the order wait for it
                break

    def _room_for(self, urgent: QueuedRun, running: list[QueuedRun], now: int) -> bool:
        """Whether one of these runs must leave for it: the least urgent one that can."""
        while running:
            run = running.pop(0)
            if run.guard or not (run.aborted or urgent.outranks(run)):
                continue                                     # whether a promised run gives way is for `PromiseWatch`
            if _above(urgent, run) > 0:
                weight = _weight(urgent, run, now)
                self._in_the_way(run, weight, now)
                if weight or run.last:
                    return True
            elif run.aborted or run.last:
                return True
        return False

    def _in_the_way(self, run: QueuedRun, weight: float, now: int) -> None:
        """Note the latest end of a blocking run; an earlier one when the weight of the waiting work grows."""
        weighed, latest_ns = self._leaves.get(run.key, (-1.0, sys.maxsize))
        if weight > weighed:
            agreed_ns = now + self._agreed_ns(run, weight, now)
            self._leaves[run.key] = weight, min(agreed_ns, latest_ns)
            self.inversions += weighed < 0.0

    def _agreed_ns(self, run: QueuedRun, weight: float, now: int) -> int:
        """How long a run may stay from now on, ns."""
        at = self._executor.current.get(run.key)
        if at is None:                                       # it has left, and the scheduler does not know yet
            return 0
        ends_ns, left_ns = at.ends_ns - now, at.left_ns(now)
        if weight == 0.0:
            return ends_ns
        if ABORT_NS + (now - at.began_ns) / weight < left_ns or weight == math.inf:
            return ABORT_NS
        return min(ends_ns, round(STAGE_SLACK * left_ns) + 2 * ABORT_NS) if at.leg.last else ends_ns

    def _feed(self, waiting: list[QueuedRun], ready: list[QueuedRun], running: list[QueuedRun], now: int) -> None:
        """Track which streams wait without a run, and since when.

        Time that guards need is not counted, nor streams that are shed: such a stream does not always wait. Nor is a
        peer's wait for runs of the robot that its own age need not bring it before.
        """
        top = self._queue.top_own
        own_first = any(not work.asker and top is not None and work.level >= top for work in (*waiting, *running))
        shed = {step.priority for step in self._load_shedding.steps if step.what != "cheaper"}
        promised = len(ready) < len(waiting) or any(work.guard for work in (*waiting, *running))
        for work in running:
            if work.started_ns == now:
                self._hungry.pop(_line(work), None)
                self.aged += work.level > work.priority
        for work in waiting:
            line = _line(work)
            forgone = own_first if work.asker else work.priority in shed
            since_ns = now if promised or forgone else self._hungry.setdefault(line, now)
            self._hungry[line], self._seen[line] = since_ns, (work.priority, now)
            assert now - since_ns <= self._bearable_ns(line), f"{line} starves since {since_ns}"

    def _bearable_ns(self, line: Line) -> int:
        priorities = [priority for priority, _ in self._seen.values()]
        levels = max(priorities) - self._seen[line][0] + 1
        return levels * AGING_NS + len(priorities) * self._longest_ns


def _line(work: QueuedRun) -> Line:
    return work.asker, work.stream or work.model


def _above(urgent: QueuedRun, run: QueuedRun) -> float:
    """By how many levels it is more urgent than a run that is not promised."""
    if not urgent.outranks(run):
        return 0
    return math.inf if urgent.guard else urgent.level - run.level


def _weight(urgent: QueuedRun, run: QueuedRun, now: int) -> float:
    """How many seconds of work may be lost to save one second of waiting; 0: none, it may finish its stage."""
    if run.aborted or urgent.guard:
        return math.inf
    if run.stage_aborts >= MAX_STAGE_ABORTS or _may_wait(urgent, run, now):
        return 0.0
    return 1.0 + _above(urgent, run)


def _may_wait(urgent: QueuedRun, run: QueuedRun, now: int) -> bool:
    """Whether the urgent run is in time after a step of the other one, and the other one would be late if aborted."""
    step_ns = min(run.step_ns, max(0, run.started_ns + run.p95_ns - now))
    lost_ns = min(now - run.started_ns, run.step_ns)
    redone_ns = now + urgent.p50_ns + max(0, run.started_ns + run.p50_ns - now) + lost_ns
    return now + step_ns + urgent.p95_ns <= urgent.deadline_ns and redone_ns > run.deadline_ns
