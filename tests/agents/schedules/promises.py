"""Checks the promise of the guards in simulated time, from what happened on the executors: no formula of the policy.

- A guarded request is completed by its deadline, unless a run of the robot took longer than its p95, or failed.
- No request of the robot is late through a promised run of a less urgent stream, unless a peer's more urgent run went
  before it, too.
"""

from __future__ import annotations

from collections import Counter

from agents.scheduling.queue.queued_run import QueuedRun
from agents.scheduling.scheduler import Scheduler
from swarm.core.protocol.spans import RequestId, Span
from swarm.core.units import ns

BRIEF_NS = ns(0.0015)                # an executor is freed by an abort, and the scheduler is told


class PromiseWatch:
    """Call `look` after each event, `slow` for each run that was slow or failed, and `ended` for each request."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._queue = scheduler._queue
        self._slow: list[tuple[int, int]] = []               # from, to
        self._blocked: list[QueuedRun] = []                  # waiting runs behind promised runs of less urgent streams
        self._since_ns = 0
        self._lost_ns: Counter[RequestId] = Counter()        # by waiting request: time for which that was so
        self._outranked: set[RequestId] = set()              # they have waited for a peer's more urgent run as well
        self._longest: dict[RequestId, int] = {}             # by waiting request: its p95
        self.covered = self.fallbacks = self.waited = 0

    def slow(self, since_ns: int, until_ns: int) -> None:
        """A run took longer than its p95, or failed, between these times."""
        self._slow.append((since_ns, until_ns))

    def look(self, now: int) -> None:
        for work in self._blocked:
            self._lost_ns[work.request] += now - self._since_ns
            self._longest[work.request] = work.p95_ns
        promised = [run.priority for run in self._queue.running() if run.guard]
        in_order = list(self._queue.in_order(now))
        waiting = [work for work in in_order if not work.asker]
        for work in waiting:
            if any(peers.asker and peers.rank < work.rank for peers in (*in_order, *self._queue.running())):
                self._outranked.add(work.request)
        self._blocked = [work for work in waiting if any(work.priority > priority for priority in promised)
                         or (self._queue.free() and any(other.guard for other in waiting))]
        self._since_ns = now

    def ended(self, span: Span) -> None:
        """A request of the robot has ended."""
        undisturbed = not any(since_ns <= span.ended_ns and span.submitted_ns <= until_ns
                              for since_ns, until_ns in self._slow)
        if not undisturbed:
            return
        on_time = span.ending == "completed" and span.ended_ns <= span.deadline_ns
        if span.guarded:
            self.covered += 1
            self.fallbacks += span.guard_fired
            assert on_time, f"it was guarded, and no run was slow: {span}"
        lost_ns = 0 if span.request in self._outranked else self._lost_ns.pop(span.request, 0)
        self.waited += lost_ns > 0
        if not on_time and lost_ns > BRIEF_NS and span.reason not in ("superseded", "thinned", "dropped"):
            short_ns = (span.ended_ns if span.ending == "late" else span.ended_ns + self._longest[span.request]
                        ) - span.deadline_ns
            assert short_ns > lost_ns - BRIEF_NS, f"it waited {lost_ns} ns for what is less urgent: {span}"
