"""Guards: fallbacks that robots keep ready while work is out at a peer. Deterministic.

An offload is guarded if it is sent while `last_safe` lies ahead:

    last_safe = deadline - (p95 of the fastest local variant + what may stand before it on the executor)

Before it may stand: what is left of a run, the other guards that are set, and one run of each own stream that is more
urgent. A less urgent run, or one for a peer, is held back if it could reach past that moment. When a guard's moment
comes, all guards with an earlier deadline fire with it: in the order of deadlines, one after the other, all are in time
if any order is (Jackson 1955).
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence

import msgspec

from agents.scheduling.queue.queued_run import QueuedRun
from swarm.core.policy.cost import fastest
from swarm.core.policy.plan import Profile
from swarm.core.protocol.spans import RequestId, Span
from swarm.core.units import NEVER_NS, ns


class Guard(msgspec.Struct, frozen=True):
    """One guard that is set: until when its fallback can wait, and what it takes."""

    last_safe_ns: int
    deadline_ns: int
    priority: int
    p95_ns: int


class GuardStatistics(msgspec.Struct, frozen=True):
    """Counts since the start."""

    set: int                         # offloads, each once
    fired: int


class Guards:
    """The guards of one robot."""

    def __init__(self, profiles: Mapping[str, Sequence[Profile]]) -> None:
        self._profiles = profiles
        self._guards: dict[RequestId, Guard] = {}
        self._order: list[tuple[int, RequestId]] = []        # by last safe start
        self._reserved_ns = 0                                # all of them together
        self._urgent: dict[str, tuple[int, int]] = {}        # stream -> priority, p95 of its fastest variant
        self._above_ns: dict[int, int] = {}                  # priority -> one run of each stream that is more urgent
        self._set = self._fired = 0

    def knows(self, stream: str, p95_s: float, priority: int) -> None:
        """A stream of this robot: its runs may stand before a less urgent fallback."""
        self._urgent[stream] = (priority, ns(p95_s))
        self._above_ns.clear()

    def set(self, span: Span, running_left_ns: int, now: int) -> int:
        """Set a guard for a request that goes out; returns its last safe start, or 0 if that is past."""
        own = fastest(self._profiles.get(span.model, ()))
        last_safe_ns = self.keep(span, ns(own.p95_s), running_left_ns, now) if own is not None else 0
        self._set += last_safe_ns > 0
        return last_safe_ns

    def keep(self, span: Span, p95_ns: int, running_left_ns: int, now: int) -> int:
        """The same for one whose fallback takes this long: it was set aside with some of it done."""
        self.lift(span.request)
        before_ns = running_left_ns + self._reserved_ns + self._above(span.priority)
        last_safe_ns = span.deadline_ns - p95_ns - before_ns
        if last_safe_ns <= now:
            return 0
        guard = self._guards[span.request] = Guard(last_safe_ns, span.deadline_ns, span.priority, p95_ns)
        bisect.insort(self._order, (last_safe_ns, span.request))
        self._reserved_ns += guard.p95_ns
        return last_safe_ns

    def lift(self, request: RequestId) -> bool:
        """The guard is no longer needed. Returns whether it was set."""
        guard = self._guards.pop(request, None)
        if guard is None:
            return False
        del self._order[bisect.bisect_left(self._order, (guard.last_safe_ns, request))]
        self._reserved_ns -= guard.p95_ns
        return True

    def _above(self, priority: int) -> int:
        if priority not in self._above_ns:
            self._above_ns[priority] = sum(p95_ns for other, p95_ns in self._urgent.values() if other > priority)
        return self._above_ns[priority]

    def fire(self, request: RequestId, now: int) -> list[RequestId]:
        """Its moment has come: the guards that fire now, itself among them, by deadline; none if it was lifted.

        A guard that was set anew since has a later moment.
        """
        guard = self._guards.get(request)
        if guard is None or guard.last_safe_ns > now:
            return []
        firing = sorted((g.deadline_ns, r) for r, g in self._guards.items() if g.deadline_ns <= guard.deadline_ns)
        for _, fired in firing:
            self.lift(fired)
        self._fired += len(firing)
        return [fired for _, fired in firing]

    def holds_back(self, work: QueuedRun, now: int) -> bool:
        """Whether a guard needs the executor before this run would leave it.

        More urgent own work never waits, nor does what has become so with time: else a stream whose guards always lie
        ahead could keep all else from an idle executor.
        """
        if work.guard or not self._order:
            return False
        for last_safe_ns, request in self._order:
            if last_safe_ns >= now + work.step_ns:
                return False
            not_yet = self._guards[request].priority >= work.level or (work.asker and work.level == work.priority)
            if not_yet and request != work.request:
                return True
        return False

    def needed_ns(self, request: RequestId) -> int:
        """When the next guard needs the executor, but for that of a request that is about to run."""
        return next((last_safe_ns for last_safe_ns, other in self._order if other != request), NEVER_NS)

    def statistics(self) -> GuardStatistics:
        return GuardStatistics(self._set, self._fired)
