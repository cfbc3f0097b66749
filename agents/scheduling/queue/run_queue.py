"""Runs that wait for an executor, in the order in which they are due, and those that are on one."""

from __future__ import annotations

import bisect
import heapq
import itertools
from collections.abc import Iterable, Sequence

from agents.scheduling.queue.queued_run import QueuedRun, Rank
from swarm.core.policy.cost import in_batches_s, in_steps
from swarm.core.policy.plan import Leg, Profile
from swarm.core.protocol.spans import RequestId
from swarm.core.units import ns, seconds

AGING_NS = ns(2.0)
"""What waits is one priority more urgent each time that its stream has gone so long without a run."""

LAST_KEY = 1 << 62


class RunQueue:
    """Waiting and running work of one robot with a number of executors.

    What waits is kept in order; what has come, or becomes more urgent with time, finds its place when the order is
    asked for. What finds nothing else waiting and an executor free never needs one.
    """

    def __init__(self, executors: int) -> None:
        self.executors = executors
        self._waiting: dict[int, QueuedRun] = {}
        self._new: list[QueuedRun] = []                     # of that, what has no place in the order yet
        self._running: dict[int, QueuedRun] = {}
        self._runs: dict[int, int] = {}                      # run -> works on it
        self._fronts: list[QueuedRun] | None = None         # of each run, while these stay as they are
        self._order: list[Rank] = []                         # of the rest; the last item is its key
        self._p50s_ns: list[int] = []                        # in the same order
        self._may_join = 0                                   # how many of them may run at once with others
        self._streams: dict[str, dict[int, QueuedRun]] = {}  # own work that waits, by its stream
        self._older: list[tuple[int, int]] = []              # a heap: when which of that becomes more urgent
        self._waited_ns: dict[tuple[str, str], int] = {}     # by asker and stream: how long without a run
        self._keys = itertools.count(1)
        self._numbers = itertools.count(1)                   # of runs

    def add(
        self, *, request: RequestId, asker: str, stream: str, profile: Profile, leg: Leg, priority: int,
        deadline_ns: int, guard: bool, now: int, promised: bool = False,
    ) -> int:
        """Let a run wait; returns its key."""
        key = next(self._keys)
        last = leg.last
        if not last and profile.stages and in_steps(profile, leg):
            last = len(profile.stages)
        waited_ns = self._waited_ns.get((asker, stream or profile.model), 0) if self._waited_ns else 0
        self._enter(QueuedRun(
            key=key, request=request, asker=asker, stream=stream, model=profile.model, variant=profile.variant,
            leg=leg, priority=priority, deadline_ns=deadline_ns, guard=guard, profile=profile,
            since_ns=now - waited_ns, queued_ns=now, first=leg.first, last=last, promised=promised,
        ), now)
        return key

    def in_order(self, now: int) -> Iterable[QueuedRun]:
        """What waits now, first what is due first; what is asked for next may already be gone from the queue."""
        if len(self._waiting) == len(self._new) == 1 and self._new[0].queued_ns == now:
            return (self._new[0],)
        self._settle()
        while self._older and self._older[0][0] <= now:
            _, key = heapq.heappop(self._older)
            if key in self._waiting:
                self._enter(self._leave(key), now)
                self._settle()
        return (self._waiting[key] for *_, key in tuple(self._order) if key in self._waiting)

    def remove(self, key: int, now: int) -> QueuedRun | None:
        """Take a waiting run out. None: it is on the executor, and marked as aborted."""
        if key not in self._waiting:
            self._running[key].aborted = True
            self._fronts = None
            return None
        work = self._leave(key)
        self._waited_ns[work.source] = max(self._waited_ns.get(work.source, 0), now - work.since_ns)
        return work

    def served(self, stream: str) -> None:
        """A stream of this robot has had a result from elsewhere: it starves no longer."""
        self._waited_ns.pop(("", stream), None)

    def promote(self, key: int, now: int) -> None:
        """A waiting run has become a guard's fallback."""
        work = self._leave(key)
        work.guard = True
        self._enter(work, now)

    def _enter(self, work: QueuedRun, now: int) -> None:
        work.level = work.priority
        if work.since_ns < now:
            work.level += (now - work.since_ns) // AGING_NS
        self._waiting[work.key] = work
        self._new.append(work)

    def _settle(self) -> None:
        """Give what has come its place in the order."""
        for work in self._new:
            heapq.heappush(self._older, (work.since_ns + (work.level - work.priority + 1) * AGING_NS, work.key))
            rank = work.rank
            place = bisect.bisect(self._order, rank)
            self._order.insert(place, rank)
            self._p50s_ns.insert(place, work.p50_ns)
            self._may_join += work.may_join
            if not work.asker:
                self._streams.setdefault(work.stream, {})[work.key] = work
        self._new.clear()

    def _leave(self, key: int) -> QueuedRun:
        work = self._waiting.pop(key)
        if self._new and work in self._new:
            self._new.remove(work)
            return work
        place = bisect.bisect_left(self._order, work.rank)
        del self._order[place], self._p50s_ns[place]
        self._may_join -= work.may_join
        if not work.asker:
            del self._streams[work.stream][key]
        return work

    def start(self, works: Sequence[QueuedRun], now: int) -> None:
        """One run begins, of several works if they start at once, most urgent first; each stays as urgent as it is."""
        run = next(self._numbers)                             # no key of a work: that may be on again early
        self._runs[run] = len(works)
        self._fronts = None
        for work in works:
            self._running[work.key] = self._leave(work.key)
            work.run = run
            if len(works) > 1:
                work.batch = len(works)
                work.measure()
            if work.began_ns:
                work.aside_ns += now - work.started_ns
            work.began_ns = work.began_ns or now
            work.started_ns = now
            if self._waited_ns:
                self._waited_ns.pop(work.source, None)

    def told(self, work: QueuedRun, impatience: float) -> None:
        """A run has been told to leave its executor, with all that started at once on it."""
        for each in self._running.values():
            if each.run == work.run:
                each.impatience = impatience

    def finish(self, key: int) -> QueuedRun:
        """A work has left its executor, which is free once all that started with it have."""
        work = self._running.pop(key)
        self._fronts = None
        self._runs[work.run] -= 1
        if not self._runs[work.run]:
            del self._runs[work.run]
        return work

    def set_aside(self, key: int, reached: int, ran_ns: int, cut: bool, overrun: bool, now: int) -> QueuedRun | None:
        """A run has left its executor at a stage, before its end: it waits again, with what it has done.

        None: it was aborted, and is to be finished.
        """
        if self._running[key].aborted:
            return None
        work = self.finish(key)
        work.batch = 1
        work.cuts = (work.cuts if reached == work.first else 0) + cut
        work.first = reached
        work.preempted += 1
        work.ran_ns += ran_ns
        work.impatience = None
        work.overrun = work.overrun or overrun
        work.started_ns = now                # it is aside from now on
        work.since_ns = now
        work.measure()
        self._enter(work, now)
        return work

    def free(self) -> int:
        """Executors without a run."""
        return self.executors - len(self._runs)

    def running(self) -> list[QueuedRun]:
        """What is on the executors, first what is least urgent; for each run the most urgent work that is wanted."""
        return sorted(self._in_front(), key=lambda work: work.rank, reverse=True)

    def _in_front(self) -> list[QueuedRun]:
        """Of each run the most urgent work that is wanted."""
        if self._fronts is None:
            fronts: dict[int, QueuedRun] = {}
            for work in self._running.values():
                other = fronts.get(work.run)
                if other is None or (work.aborted, work.rank) < (other.aborted, other.rank):
                    fronts[work.run] = work
            self._fronts = list(fronts.values())
        return self._fronts

    def waiting(self) -> int:
        return len(self._waiting)

    def is_waiting(self, key: int) -> bool:
        return key in self._waiting

    def waiting_of(self, stream: str) -> list[QueuedRun]:
        """Waiting runs of an own stream, oldest first."""
        if not self._waiting:
            return []
        self._settle()
        return list(self._streams.get(stream, {}).values())

    def waiting_for(self, peer: str) -> int:
        """How many runs wait for a peer."""
        return sum(work.asker == peer for work in self._waiting.values())

    def of_asker(self, peer: str) -> list[QueuedRun]:
        """Waiting and running work for a peer."""
        both = itertools.chain(self._waiting.values(), self._running.values())
        return [w for w in both if w.asker == peer and not w.aborted]

    def running_left_ns(self, now: int) -> int:
        """The longest that is left of a run before a guard's fallback can have its executor, by p95."""
        left = (min(w.step_ns, max(0, w.started_ns + w.p95_ns - now)) for w in self._in_front())
        return max(left, default=0)

    def wait_s(self, now: int, priority: int | None = None, deadline_ns: int = 0) -> float:
        """Expected wait for an executor, by medians: of work with this priority and deadline, or behind all else.

        What is less urgent leaves its executor after a step; what may run at once with others does.
        """
        if not (self._waiting or self._running):
            return 0.0
        self._settle()
        ahead = len(self._order)
        if priority is not None:
            ahead = bisect.bisect(self._order, (True, -priority, deadline_ns, LAST_KEY))
        left_ns = 0
        for w in self._in_front():
            rest_ns = max(0, w.started_ns + w.p50_ns - now)
            yields = priority is not None and not w.guard and w.level < priority
            left_ns += min(rest_ns, w.step_ns) if yields else rest_ns
        return (seconds(left_ns + sum(self._p50s_ns[:ahead])) - self._saved_s(ahead)) / self.executors

    def _saved_s(self, ahead: int) -> float:
        """What the first so many that wait take less because they run several at once."""
        if self._may_join < 2:
            return 0.0
        alike: dict[tuple[str, str], list[Profile]] = {}
        for *_, key in self._order[:ahead]:
            work = self._waiting[key]
            if work.may_join:
                alike.setdefault((work.model, work.variant), []).append(work.profile)
        return sum(len(some) * some[0].p50_s - in_batches_s(some[0], len(some)) for some in alike.values())
