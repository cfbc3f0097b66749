"""Guards: fallbacks that robots keep ready while work is out at a peer. Deterministic.

An offload is guarded if it is sent while `last_safe` lies ahead:

    last_safe = deadline - (p95 of the fastest local variant + what may stand before it on the executor)

Before it may stand: what is left of a run, the other guards that are set, and one run of each own stream that is more
urgent. A less urgent run, or one for a peer, is held back if it could reach past that moment. When a guard's moment
comes, all guards with an earlier deadline fire with it: in the order of deadlines, one after the other, all are in time
if any order is (Jackson 1955).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from agents.queue import Work
from swarm.core.clock import ns
from swarm.core.cost import fastest
from swarm.core.plan import Profile
from swarm.core.spans import RequestId, Span


class Guard(msgspec.Struct, frozen=True):
    """One guard that is set: until when its fallback can wait, and what it takes."""

    last_safe_ns: int
    deadline_ns: int
    priority: int
    p95_ns: int


class GuardStatistics(msgspec.Struct, frozen=True):
    """Counts since the start."""

    set: int
    fired: int


class Guards:
    """The guards of one robot."""

    def __init__(self, profiles: Mapping[str, Sequence[Profile]]) -> None:
        self._profiles = profiles
        self._guards: dict[RequestId, Guard] = {}
        self._urgent: dict[str, tuple[int, int]] = {}        # stream -> priority, p95 of its fastest variant
        self._set = self._fired = 0

    def knows(self, stream: str, model: str, priority: int) -> None:
        """A stream of this robot: its runs may stand before a less urgent fallback."""
        own = fastest(self._profiles.get(model, ()))
        if own is not None:
            self._urgent[stream] = (priority, ns(own.p95_s))

    def outranks(self, priority: int) -> bool:
        """Whether a stream of this robot is more urgent than that."""
        return any(other > priority for other, _ in self._urgent.values())

    def set(self, span: Span, running_left_ns: int, now: int) -> int:
        """Set a guard for a request that goes out; returns its last safe start, or 0 if that is past."""
        own = fastest(self._profiles.get(span.model, ()))
        if own is None:
            return 0
        before_ns = running_left_ns + sum(guard.p95_ns for guard in self._guards.values())
        before_ns += sum(p95_ns for priority, p95_ns in self._urgent.values() if priority > span.priority)
        last_safe_ns = span.deadline_ns - ns(own.p95_s) - before_ns
        if last_safe_ns <= now:
            return 0
        self._guards[span.request] = Guard(last_safe_ns, span.deadline_ns, span.priority, ns(own.p95_s))
        self._set += 1
        return last_safe_ns

    def lift(self, request: RequestId) -> bool:
        """The guard is no longer needed. Returns whether it was set."""
        return self._guards.pop(request, None) is not None

    def fire(self, request: RequestId) -> list[RequestId]:
        """Its moment has come: the guards that fire now, itself among them, by deadline; none if it was lifted."""
        guard = self._guards.get(request)
        if guard is None:
            return []
        firing = sorted((g.deadline_ns, r) for r, g in self._guards.items() if g.deadline_ns <= guard.deadline_ns)
        for _, fired in firing:
            del self._guards[fired]
        self._fired += len(firing)
        return [fired for _, fired in firing]

    def holds_back(self, work: Work, now: int) -> bool:
        """Whether a guard needs the executor before this run would leave it; more urgent own work never waits."""
        return not work.guard and any(
            (guard.priority >= work.priority or work.asker) and now + work.step_ns > guard.last_safe_ns
            for request, guard in self._guards.items() if request != work.request
        )

    def statistics(self) -> GuardStatistics:
        return GuardStatistics(self._set, self._fired)
