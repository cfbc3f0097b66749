"""The runs that wait for an executor, in the order of their rank, and the runs on the executors."""

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
"""Aging: the level of a waiting run rises by one each time its stream has waited this long without a run."""

LAST_KEY = 1 << 62


class RunQueue:
    """Waiting and running runs of one robot with a number of executors.

    Waiting runs are kept sorted. New runs, and runs whose level rises, are sorted in when the order is read. Fast path:
    a run that can start at once is never sorted in.
    """

    def __init__(self, executors: int) -> None:
        self.executors = executors
        self.top_own: int | None = None                      # priority of this robot's most urgent stream
        self._waiting: dict[int, QueuedRun] = {}
        self._new: list[QueuedRun] = []                      # waiting runs that are not sorted in yet
        self._running: dict[int, QueuedRun] = {}
        self._runs: dict[int, int] = {}                      # number of a batch -> its runs that have not ended
        self._fronts: list[QueuedRun] | None = None          # cache of `_most_urgent`
        self._order: list[Rank] = []                         # of the sorted runs; the last item of a rank is the key
        self._p50s_ns: list[int] = []                        # in the same order
        self._batchable = 0                                  # how many of them can join a batch
        self._streams: dict[str, dict[int, QueuedRun]] = {}  # sorted own runs, by stream
        self._aging: list[tuple[int, int]] = []              # a heap: when the level of a run rises, its key
        self._waited_ns: dict[tuple[str, str], int] = {}     # by asker and stream: earlier time without a run
        self._keys = itertools.count(1)
        self._numbers = itertools.count(1)                   # of batches

    def add(
        self, *, request: RequestId, asker: str, stream: str, profile: Profile, leg: Leg, priority: int,
        deadline_ns: int, guard: bool, now: int,
    ) -> int:
        """Add a waiting run. Returns its key."""
        key = next(self._keys)
        last = leg.last
        if not last and profile.stages and in_steps(profile, leg):
            last = len(profile.stages)
        waited_ns = self._waited_ns.get((asker, stream or profile.model), 0) if self._waited_ns else 0
        self._insert(QueuedRun(
            key=key, request=request, asker=asker, stream=stream, model=profile.model, variant=profile.variant,
            leg=leg, priority=priority, deadline_ns=deadline_ns, guard=guard, profile=profile,
            since_ns=now - waited_ns, queued_ns=now, first=leg.first, last=last,
        ), now)
        return key

    def in_order(self, now: int) -> Iterable[QueuedRun]:
        """The waiting runs by rank. Runs may be removed during the iteration."""
        if len(self._waiting) == len(self._new) == 1 and self._new[0].queued_ns == now:
            return (self._new[0],)
        self._sort_new()
        while self._aging and self._aging[0][0] <= now:
            _, key = heapq.heappop(self._aging)
            if key in self._waiting:
                self._insert(self._take_out(key), now)
                self._sort_new()
        return (self._waiting[key] for *_, key in tuple(self._order) if key in self._waiting)

    def remove(self, key: int, now: int) -> QueuedRun | None:
        """Remove a waiting run. None: the run is on an executor, and is now marked as aborted."""
        if key not in self._waiting:
            self._running[key].aborted = True
            self._fronts = None
            return None
        work = self._take_out(key)
        self._waited_ns[work.source] = max(self._waited_ns.get(work.source, 0), now - work.since_ns)
        return work

    def reset_wait(self, stream: str) -> None:
        """A stream of this robot got a result from a peer: its aging starts again."""
        self._waited_ns.pop(("", stream), None)

    def promote(self, key: int, now: int) -> None:
        """A guard has fired: its waiting run goes before all but more urgent runs of this robot."""
        work = self._take_out(key)
        work.guard = True
        self._insert(work, now)

    def _insert(self, work: QueuedRun, now: int) -> None:
        work.level = work.priority
        if work.since_ns < now and not work.guard:
            work.level += (now - work.since_ns) // AGING_NS
            if work.asker and self.top_own is not None:      # no age brings a peer's run before all of our own
                work.level = min(work.level, max(self.top_own, work.priority))
        self._waiting[work.key] = work
        self._new.append(work)

    def _is_as_old_as_counts(self, work: QueuedRun) -> bool:
        return bool(work.asker) and self.top_own is not None and work.level >= self.top_own

    def _sort_new(self) -> None:
        """Sort in the new runs."""
        for work in self._new:
            if not work.guard and not self._is_as_old_as_counts(work):       # a promised run needs no age
                heapq.heappush(self._aging, (work.since_ns + (work.level - work.priority + 1) * AGING_NS, work.key))
            rank = work.rank
            place = bisect.bisect(self._order, rank)
            self._order.insert(place, rank)
            self._p50s_ns.insert(place, work.p50_ns)
            self._batchable += work.can_batch
            if not work.asker:
                self._streams.setdefault(work.stream, {})[work.key] = work
        self._new.clear()

    def _take_out(self, key: int) -> QueuedRun:
        work = self._waiting.pop(key)
        if self._new and work in self._new:
            self._new.remove(work)
            return work
        place = bisect.bisect_left(self._order, work.rank)
        del self._order[place], self._p50s_ns[place]
        self._batchable -= work.can_batch
        if not work.asker:
            del self._streams[work.stream][key]
        return work

    def start(self, works: Sequence[QueuedRun], now: int) -> None:
        """Runs start on one executor: a single one, or a batch, most urgent first. Aging stops."""
        run = next(self._numbers)                            # not a key: a preempted run may start again early
        self._runs[run] = len(works)
        self._fronts = None
        for work in works:
            self._running[work.key] = self._take_out(work.key)
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

    def mark_preempting(self, work: QueuedRun, urgency: float) -> None:
        """A run is being preempted, with all runs of its batch."""
        for running in self._running.values():
            if running.run == work.run:
                running.urgency = urgency

    def finish(self, key: int) -> QueuedRun:
        """A run has ended. Its executor is free when all runs of its batch have ended."""
        work = self._running.pop(key)
        self._fronts = None
        self._runs[work.run] -= 1
        if not self._runs[work.run]:
            del self._runs[work.run]
        return work

    def requeue(
        self, key: int, next_stage: int, ran_ns: int, mid_stage: bool, drawn_s: float, overrun: bool, now: int
    ) -> QueuedRun | None:
        """A run was preempted: it waits again, and continues at `next_stage`. None: it was aborted; finish it instead.

        ran_ns, drawn_s: its run time since its last start, and the drawn time of the stages that it finished in it.
        mid_stage: it was aborted within `next_stage`.
        """
        if self._running[key].aborted:
            return None
        work = self.finish(key)
        work.batch = 1
        work.stage_aborts = (work.stage_aborts if next_stage == work.first else 0) + mid_stage
        work.first = next_stage
        work.preempted += 1
        work.ran_ns += ran_ns
        work.urgency, work.before_peers = None, False
        work.drawn_s += drawn_s
        work.overrun = work.overrun or overrun
        work.started_ns = now                # `start` adds the time since then to aside_ns
        work.since_ns = now
        work.measure()
        self._insert(work, now)
        return work

    def free(self) -> int:
        """The number of free executors."""
        return self.executors - len(self._runs)

    def run(self, key: int) -> QueuedRun:
        """A waiting or running run."""
        return self._waiting.get(key) or self._running[key]

    def overdue(self, now: int) -> list[QueuedRun]:
        """The runs on the executors that should have ended long ago and are not aborted yet."""
        return [work for work in self._running.values() if now >= work.overdue_ns and not work.aborted]

    def running(self) -> list[QueuedRun]:
        """The runs on the executors, least urgent first, promised ones last.

        Of a batch, the most urgent run that is not aborted, or a promised one.
        """
        least_urgent_first = sorted(self._most_urgent(), key=lambda work: work.rank, reverse=True)
        return sorted(least_urgent_first, key=lambda work: work.guard)

    def _most_urgent(self) -> list[QueuedRun]:
        """For each busy executor the most urgent run that is not aborted, in no order."""
        if self._fronts is None:
            fronts: dict[int, QueuedRun] = {}
            for work in self._running.values():
                other = fronts.get(work.run)
                if other is None or _in_front(work) < _in_front(other):
                    fronts[work.run] = work
            self._fronts = list(fronts.values())
        return self._fronts

    def waiting(self) -> int:
        return len(self._waiting)

    def __len__(self) -> int:
        """Waiting and running runs."""
        return len(self._waiting) + len(self._running)

    def uses(self, model: str, variant: str) -> bool:
        """Whether a run of a variant waits or runs."""
        both = itertools.chain(self._waiting.values(), self._running.values())
        return any(work.model == model and work.variant == variant for work in both)

    def is_waiting(self, key: int) -> bool:
        return key in self._waiting

    def waiting_of(self, stream: str) -> list[QueuedRun]:
        """The waiting runs of an own stream, oldest first."""
        if not self._waiting:
            return []
        self._sort_new()
        return list(self._streams.get(stream, {}).values())

    def late_behind(self, work: QueuedRun, now: int) -> Iterable[QueuedRun]:
        """The waiting runs of this robot that are in time before a peer's run, and late after it, by p95.

        None while another executor is free. Most urgent first.
        """
        if not work.asker or self.free() > 1:
            return ()
        return sorted((own for waiting in self._streams.values() for own in waiting.values()
                       if now + own.p95_ns <= own.deadline_ns < now + work.p95_ns + own.p95_ns),
                      key=lambda own: (-own.level, own.deadline_ns))

    def of_asker(self, peer: str) -> list[QueuedRun]:
        """The waiting and running runs of a peer, without aborted ones."""
        both = itertools.chain(self._waiting.values(), self._running.values())
        return [w for w in both if w.asker == peer and not w.aborted]

    def wait_s(self, now: int, priority: int | None = None, deadline_ns: int = 0) -> float:
        """Expected wait for an executor, by medians: of a run with this priority and deadline, or behind all others.

        Assumes that less urgent runs are preempted after one step, and that runs join batches.
        """
        if not (self._waiting or self._running):
            return 0.0
        self._sort_new()
        ahead = len(self._order)
        if priority is not None:
            ahead = bisect.bisect(self._order, (-priority, True, deadline_ns, LAST_KEY))
        left_ns = 0
        for w in self._most_urgent():
            rest_ns = max(0, w.started_ns + w.p50_ns - now)
            yields = priority is not None and not w.guard and w.level < priority
            left_ns += min(rest_ns, w.step_ns) if yields else rest_ns
        return (seconds(left_ns + sum(self._p50s_ns[:ahead])) - self._saved_s(ahead)) / self.executors

    def _saved_s(self, ahead: int) -> float:
        """How much less time the first `ahead` waiting runs take because they run in batches."""
        if self._batchable < 2:
            return 0.0
        by_variant: dict[tuple[str, str], list[Profile]] = {}
        for *_, key in self._order[:ahead]:
            work = self._waiting[key]
            if work.can_batch:
                by_variant.setdefault((work.model, work.variant), []).append(work.profile)
        return sum(len(profiles) * profiles[0].p50_s - in_batches_s(profiles[0], len(profiles))
                   for profiles in by_variant.values())


def _in_front(work: QueuedRun) -> tuple[bool, bool, Rank]:
    return work.aborted, not work.guard, work.rank
