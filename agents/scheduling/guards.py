"""Guards: a request that is out at a peer is kept in time by a run at home, started at its last safe start.

A guarded request is a promise: if no run of this robot takes longer than its p95, and the loop is never later than
LATE_NS, it is completed by its deadline, whatever the peers do. The promises k, in the order of their deadlines, keep

    latest(k)    = deadline(k) - (left(k) + left of all promises before k, and of fired ones if k has not, that wait)
    last_safe(k) = latest(k) - above(k) - START_NS                       the fallback of k starts then
    armed only if  now + left of the promises that run < last_safe(j) for all j from k on, + START_NS if j has fired

left: what is left of a fallback by p95, and TURN_NS. above: all runs of more urgent streams of this robot that may
come between (`queue/interference.py`), so that these need not wait. As long as the sums hold, the promises are kept
in the order of deadlines (Jackson 1955), and a more urgent run may go first as long as `slack_ns` covers it.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from agents.scheduling.queue.interference import Interference
from agents.scheduling.queue.margins import START_NS, TURN_NS
from agents.scheduling.queue.preemption import preempt_urgency
from agents.scheduling.queue.queued_run import QueuedRun
from swarm.core.protocol.spans import RequestId, Span
from swarm.core.units import NEVER_NS


class Fallback(NamedTuple):
    """What a run at home takes: by p95, and its longest part between two points where it can be preempted."""

    p95_ns: int
    step_ns: int


class Promise(msgspec.Struct, kw_only=True):
    """One guarded request that has not ended."""

    request: RequestId
    stream: str
    model: str
    priority: int
    deadline_ns: int
    left_ns: int                     # what its run at home still takes, by p95, to its end in the loop
    step_ns: int
    fired: bool = False              # its run at home goes before all but more urgent runs of this robot
    until_ns: int = 0                # when its run at home ends, by p95; 0: it does not run
    run: int = 0                     # number of that run, or of its batch
    timer_ns: int = NEVER_NS         # when its next timer fires
    latest_ns: int = 0               # from then on the promises up to this one need an executor until all are done
    last_safe_ns: int = 0            # the same, if more urgent runs come between


class GuardStatistics(msgspec.Struct, frozen=True):
    """Counts since the start."""

    armed: int                       # guarded offloads
    unguarded: int                   # offloads that no run at home could bring in time for certain
    fired: int


class Guards:
    """The promises of one robot. fallback: what a model's fastest run at home takes; None: there is none."""

    def __init__(self, fallback: Callable[[str], Fallback | None]) -> None:
        self._fallback = fallback
        self._promises: dict[RequestId, Promise] = {}
        self._order: list[tuple[int, RequestId]] = []        # by deadline
        self._measured = self._timed = True                  # since the last change
        self.above = Interference()
        self._armed = self._unguarded = self._fired = 0

    def arm(self, span: Span, now: int) -> bool:
        """Promise a request that is sent to a peer. False: it is not certain that home could still keep it in time."""
        own = self._fallback(span.model)
        if own is None:
            self._unguarded += 1
            return False
        promise = Promise(request=span.request, stream=span.stream, model=span.model, priority=span.priority,
                          deadline_ns=span.deadline_ns, left_ns=own.p95_ns + TURN_NS, step_ns=own.step_ns)
        self._promises[span.request] = promise
        bisect.insort(self._order, (span.deadline_ns, span.request))
        self._change()
        if not self._all_hold(promise, now):
            self.disarm(span.request)
            self._unguarded += 1
            return False
        self._armed += 1
        return True

    def _all_hold(self, new: Promise, now: int) -> bool:
        """Whether a new promise can be kept, and those after it in the order can still be kept."""
        self._measure()
        later = bisect.bisect_left(self._order, (new.deadline_ns, new.request))
        return all(now + self._busy_ns(promise, now) < promise.last_safe_ns + (START_NS if promise.fired else 0)
                   for promise in (self._promises[request] for _, request in self._order[later:]))

    def disarm(self, request: RequestId) -> bool:
        """The request has ended, or home can no longer keep it. Returns whether it was promised."""
        promise = self._promises.pop(request, None)
        if promise is None:
            return False
        del self._order[bisect.bisect_left(self._order, (promise.deadline_ns, request))]
        self._measured = self._timed = not self._order       # nothing is left to be measured, or all of it
        return True

    def fire(self, request: RequestId, now: int) -> list[RequestId]:
        """A timer of this request has fired. Returns all whose fallback starts now, by deadline.

        These are all with an earlier deadline, too. Returns none if the last safe start has moved: see `timers`.
        """
        promise = self._promises.get(request)
        if promise is None:
            return []
        promise.timer_ns, self._timed = NEVER_NS, False
        self._measure()
        if promise.fired or promise.last_safe_ns > now:
            return []
        last = bisect.bisect_right(self._order, (promise.deadline_ns, request))
        firing = [each for _, each in self._order[:last] if not self._promises[each].fired]
        for each in firing:
            self._promises[each].fired = True
        self._fired += len(firing)
        return firing

    def timers(self, now: int) -> list[tuple[int, RequestId]]:
        """The timers to set after an event: last safe starts that have become earlier, or that have no timer."""
        if self._timed and not self.above.changed:
            return []
        self._measure()
        self._timed = True
        due = [promise for promise in self._promises.values()
               if not promise.fired and max(promise.last_safe_ns, now) < promise.timer_ns]
        for promise in due:
            promise.timer_ns = max(promise.last_safe_ns, now)
        return [(promise.timer_ns, promise.request) for promise in due]

    # --- the runs at home ---

    def started(self, work: QueuedRun, now: int) -> bool:
        """A run of this robot starts. Returns whether its request is promised: then nothing less urgent ends it."""
        self.above.observe_run(work.stream, work.p95_ns)
        promise = self._promises.get(work.request)
        if promise is None:
            return False
        work.guard, work.level, promise.fired = True, work.priority, True
        promise.until_ns, promise.run = now + work.p95_ns + TURN_NS, work.run
        self._change()
        return True

    def preempted(self, work: QueuedRun, was_fired: bool) -> None:
        """A run waits again. was_fired: its guard had fired before it started; else it is armed for what is left."""
        promise = self._promises.get(work.request)
        if promise is None:
            work.guard = False                       # its deadline has passed, and its promise with it
        else:
            promise.left_ns, promise.step_ns, promise.until_ns = work.p95_ns + TURN_NS, work.step_ns, 0
            work.guard = promise.fired = was_fired
            self._change()

    def urgency(self, run: QueuedRun, work: QueuedRun, ahead_ns: int, now: int) -> float | None:
        """How urgently a run is to leave its executor for a waiting one; None: it stays.

        ahead_ns: what else of this robot goes before the waiting run.
        """
        if not run.guard:
            return preempt_urgency(run, work, now)
        return preempt_urgency(
            run, work, now, slack_ns=self.slack_ns(work, run, now), ahead_ns=ahead_ns,
            above_ns=self.above.longest_ns(work.priority, ahead_ns + run.step_ns + work.p95_ns))

    def counts_on(self, model: str) -> bool:
        """Whether a promise needs a run of this model at home."""
        return any(promise.model == model for promise in self._promises.values())

    def any_fired(self) -> bool:
        """Whether a promised run waits before others, or runs."""
        return any(promise.fired for promise in self._promises.values())

    def holds_back(self, work: QueuedRun, now: int) -> bool:
        """Whether a promise needs the executor before this run would leave it.

        A promised run is not ended for another one, so that all of it counts; of other runs a step counts. More urgent
        work of this robot waits only if the promise could not be kept otherwise. Other work that became more urgent by
        age waits for guards that have fired only: else a stream whose guards are always ahead could keep all other work
        from an idle executor.
        """
        if not self._order:
            return False
        self._measure()
        promised = work.request in self._promises
        takes_ns = work.p95_ns + TURN_NS if promised else work.step_ns
        for deadline_ns, request in self._order:
            promise = self._promises[request]
            if promise.until_ns or request == work.request:
                continue
            if work.guard or work.goes_before_guards(promise.priority):
                after = work.guard and (deadline_ns >= work.deadline_ns or not promise.fired)
                if not after and self._slack_ns(promise, work, now) < work.p95_ns + TURN_NS:
                    return True
            elif promise.fired or (promise.last_safe_ns < now + takes_ns and (
                    promised or promise.priority >= work.level or (work.asker and work.level == work.priority))):
                return True
        return False

    def slack_ns(self, work: QueuedRun, running: QueuedRun, now: int) -> int:
        """How long all promises that wait, and those of a running run, can wait for this run in its place, ns."""
        self._measure()
        return min((self._slack_ns(promise, work, now) for promise in self._promises.values()
                    if promise.request != work.request and (not promise.until_ns or promise.run == running.run)),
                   default=NEVER_NS)

    def until_ns(self, work: QueuedRun, now: int) -> int:
        """Until when this run may keep an executor, if it takes others along."""
        self._measure()
        free_ns = NEVER_NS
        for promise in self._promises.values():
            if promise.request == work.request or promise.until_ns:
                continue
            firm = promise.fired or work.guard or work.goes_before_guards(promise.priority)
            limit_ns = now + self._slack_ns(promise, work, now) - TURN_NS if firm else promise.last_safe_ns
            free_ns = min(free_ns, limit_ns)
        return free_ns

    def _slack_ns(self, promise: Promise, work: QueuedRun, now: int) -> int:
        own = self._promises.get(work.request)
        counted = own is not None and not own.until_ns and own.deadline_ns <= promise.deadline_ns
        return promise.latest_ns + (own.left_ns if own and counted else 0) - self._busy_ns(promise, now) - now

    def _busy_ns(self, promise: Promise, now: int) -> int:
        """How long, by p95, it waits for promised runs on executors, as if one followed the other; or still runs."""
        if promise.until_ns:
            return max(0, promise.until_ns - now)
        return sum(max(0, each.until_ns - now) for each in self._promises.values() if each.until_ns)

    def _change(self) -> None:
        self._measured = self._timed = False

    def _measure(self) -> None:
        """Set the latest and the last safe starts."""
        if self.above.changed:
            self.above.changed = False
            self._change()
        if self._measured:
            return
        self._measured = True
        around_ns, redo_ns, fired_ns, before_ns, counted = START_NS, 0, 0, 0, dict[str, int]()
        for promise in self._promises.values():
            redo_ns = max(redo_ns, promise.step_ns)
            if promise.until_ns:
                around_ns += promise.left_ns
            elif promise.fired:
                fired_ns += promise.left_ns
        for _, request in self._order:
            promise = self._promises[request]
            if not promise.until_ns:
                before_ns += promise.left_ns
                counted[promise.stream] = counted.get(promise.stream, 0) + 1
                fired_ns -= promise.left_ns if promise.fired else 0
            first_ns = before_ns + (0 if promise.fired else fired_ns)
            promise.latest_ns = promise.deadline_ns - first_ns
            above_ns = self.above.longest_ns(promise.priority, first_ns + around_ns, counted, redo_ns)
            promise.last_safe_ns = promise.latest_ns - above_ns - START_NS

    def statistics(self) -> GuardStatistics:
        return GuardStatistics(self._armed, self._unguarded, self._fired)
