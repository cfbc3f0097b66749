"""Guards: timers that start a local fallback for a request that is out at a peer. Deterministic.

An offload is guarded if it is sent before its last safe start:

    last_safe = deadline - (p95 of the fastest local variant + the work that may run before it)

The work that may run before it: the rest of the present run, the fallbacks of all other armed guards, and one run of
each more urgent own stream. A less urgent run, or a peer's run, is held back if it could last beyond the last safe
start. When a guard fires, all guards with an earlier deadline fire with it: in the order of deadlines, all fallbacks
are in time if they are in any order (Jackson 1955).
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
    """One armed guard: the last safe start of its fallback, and how long the fallback takes."""

    last_safe_ns: int
    deadline_ns: int
    priority: int
    p95_ns: int


class GuardStatistics(msgspec.Struct, frozen=True):
    """Counts since the start."""

    armed: int                       # guarded offloads; a guard that is armed again counts once
    fired: int


class Guards:
    """The guards of one robot."""

    def __init__(self, profiles: Mapping[str, Sequence[Profile]]) -> None:
        self._profiles = profiles
        self._guards: dict[RequestId, Guard] = {}
        self._order: list[tuple[int, RequestId]] = []        # by last safe start
        self._reserved_ns = 0                                # p95 of all fallbacks
        self._streams: dict[str, tuple[int, int]] = {}        # stream -> priority, p95 of its fastest variant
        self._above_ns: dict[int, int] = {}                  # priority -> one run of each more urgent stream
        self._armed = self._fired = 0

    def add_stream(self, stream: str, p95_s: float, priority: int) -> None:
        """Add a stream of this robot: one of its runs may run before a less urgent fallback."""
        self._streams[stream] = (priority, ns(p95_s))
        self._above_ns.clear()

    def arm(self, span: Span, running_left_ns: int, now: int) -> int:
        """Arm a guard for a request that is sent to a peer. Returns its last safe start, ns; 0 if that has passed."""
        own = fastest(self._profiles.get(span.model, ()))
        last_safe_ns = self.rearm(span, ns(own.p95_s), running_left_ns, now) if own is not None else 0
        self._armed += last_safe_ns > 0
        return last_safe_ns

    def rearm(self, span: Span, p95_ns: int, running_left_ns: int, now: int) -> int:
        """Arm the guard of a preempted run again: its fallback is the rest of that run, which takes `p95_ns`."""
        self.disarm(span.request)
        before_ns = running_left_ns + self._reserved_ns + self._above(span.priority)
        last_safe_ns = span.deadline_ns - p95_ns - before_ns
        if last_safe_ns <= now:
            return 0
        guard = self._guards[span.request] = Guard(last_safe_ns, span.deadline_ns, span.priority, p95_ns)
        bisect.insort(self._order, (last_safe_ns, span.request))
        self._reserved_ns += guard.p95_ns
        return last_safe_ns

    def disarm(self, request: RequestId) -> bool:
        """Remove a guard. Returns whether it was armed."""
        guard = self._guards.pop(request, None)
        if guard is None:
            return False
        del self._order[bisect.bisect_left(self._order, (guard.last_safe_ns, request))]
        self._reserved_ns -= guard.p95_ns
        return True

    def _above(self, priority: int) -> int:
        if priority not in self._above_ns:
            self._above_ns[priority] = sum(p95_ns for other, p95_ns in self._streams.values() if other > priority)
        return self._above_ns[priority]

    def fire(self, request: RequestId, now: int) -> list[RequestId]:
        """The last safe start of a request is reached. Returns all guards that fire now, by deadline.

        Returns none if the guard was disarmed, or armed again with a later start.
        """
        guard = self._guards.get(request)
        if guard is None or guard.last_safe_ns > now:
            return []
        firing = sorted((g.deadline_ns, r) for r, g in self._guards.items() if g.deadline_ns <= guard.deadline_ns)
        for _, fired in firing:
            self.disarm(fired)
        self._fired += len(firing)
        return [fired for _, fired in firing]

    def holds_back(self, work: QueuedRun, now: int) -> bool:
        """Whether a guard needs the executor before this run would leave it.

        More urgent own work never waits. Nor does work that became more urgent with age: otherwise a stream whose
        guards are always ahead could keep all other work from an idle executor.
        """
        if work.guard or not self._order:
            return False
        for last_safe_ns, request in self._order:
            if last_safe_ns >= now + work.step_ns:
                return False
            waits = self._guards[request].priority >= work.level or (work.asker and work.level == work.priority)
            if waits and request != work.request:
                return True
        return False

    def next_start_ns(self, request: RequestId) -> int:
        """The earliest last safe start of all guards except the guard of this request; NEVER_NS if there is none."""
        return next((last_safe_ns for last_safe_ns, other in self._order if other != request), NEVER_NS)

    def statistics(self) -> GuardStatistics:
        return GuardStatistics(self._armed, self._fired)
