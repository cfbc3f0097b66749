"""Runs that wait for the executor, in the order in which they are due, and those that are on it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import msgspec

from swarm.core.clock import ns, seconds
from swarm.core.cost import leg_p50_s, leg_p95_s
from swarm.core.plan import Leg, Profile
from swarm.core.spans import RequestId


class Work(msgspec.Struct, kw_only=True):
    """One run of one variant, whole or some of its stages, for this robot (`asker` empty) or for a peer."""

    key: int
    request: RequestId
    asker: str
    stream: str
    model: str
    variant: str
    leg: Leg
    priority: int
    deadline_ns: int
    guard: bool                      # a fallback whose last safe moment has come: before all else
    p50_ns: int
    p95_ns: int
    queued_ns: int
    started_ns: int = 0
    aborted: bool = False

    def rank(self) -> tuple[bool, int, int, RequestId]:
        """Guards first, by deadline; then priority, then the earliest deadline, then by id."""
        return (not self.guard, 0 if self.guard else -self.priority, self.deadline_ns, self.request)


class WorkQueue:
    """Waiting and running work of one robot with a number of executors."""

    def __init__(self, executors: int) -> None:
        self._executors = executors
        self._waiting: dict[int, Work] = {}
        self._running: dict[int, Work] = {}
        self._keys = itertools.count(1)

    def add(
        self, *, request: RequestId, asker: str, stream: str, profile: Profile, leg: Leg, priority: int,
        deadline_ns: int, guard: bool, now: int,
    ) -> int:
        """Let a run wait; returns its key."""
        key = next(self._keys)
        self._waiting[key] = Work(
            key=key, request=request, asker=asker, stream=stream, model=profile.model,
            variant=profile.variant, leg=leg, priority=priority, deadline_ns=deadline_ns, guard=guard,
            p50_ns=ns(leg_p50_s(profile, leg)), p95_ns=ns(leg_p95_s(profile, leg)), queued_ns=now,
        )
        return key

    def in_order(self) -> list[Work]:
        """What waits, first what is due first."""
        return sorted(self._waiting.values(), key=Work.rank)

    def remove(self, key: int) -> Work | None:
        """Take a waiting run out. None: it is on the executor, and marked as aborted."""
        work = self._waiting.pop(key, None)
        if work is None:
            self._running[key].aborted = True
        return work

    def promote(self, key: int) -> None:
        """A waiting run has become a guard's fallback."""
        self._waiting[key].guard = True

    def start(self, key: int, now: int) -> None:
        work = self._running[key] = self._waiting.pop(key)
        work.started_ns = now

    def finish(self, key: int) -> Work:
        return self._running.pop(key)

    def free(self) -> bool:
        return len(self._running) < self._executors

    def waiting(self) -> int:
        return len(self._waiting)

    def is_waiting(self, key: int) -> bool:
        return key in self._waiting

    def waiting_of(self, stream: str) -> list[Work]:
        """Waiting runs of an own stream, oldest first."""
        return [w for w in self._waiting.values() if not w.asker and w.stream == stream]

    def of_asker(self, peer: str) -> list[Work]:
        """Waiting and running work for a peer."""
        both = itertools.chain(self._waiting.values(), self._running.values())
        return [w for w in both if w.asker == peer and not w.aborted]

    def running_left_ns(self, now: int) -> int:
        """The longest that is left of a run, by its p95."""
        return max((max(0, w.started_ns + w.p95_ns - now) for w in self._running.values()), default=0)

    def wait_s(self, now: int, priority: int | None = None, deadline_ns: int = 0) -> float:
        """Expected wait for an executor, by medians: of work with this priority and deadline, or behind all else."""
        ahead: Iterable[Work] = self._waiting.values()
        if priority is not None:
            ahead = (w for w in ahead if w.guard or (-w.priority, w.deadline_ns) <= (-priority, deadline_ns))
        left_ns = sum(max(0, w.started_ns + w.p50_ns - now) for w in self._running.values())
        return seconds(left_ns + sum(w.p50_ns for w in ahead)) / self._executors
