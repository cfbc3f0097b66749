"""Runs that wait for an executor, in the order in which they are due, and those that are on one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import msgspec

from swarm.core.clock import ns, seconds
from swarm.core.cost import leg_p50_s, leg_p95_s
from swarm.core.plan import Leg, Profile
from swarm.core.spans import RequestId

LONG_NS = ns(0.02)
"""A whole run that takes this long goes stage by stage, where they are loaded, so that it can be set aside."""

AGING_NS = ns(2.0)
"""What waits is one priority more urgent each time that its stream has gone so long without a run."""


class Work(msgspec.Struct, kw_only=True):
    """One run of one variant, whole or some of its stages, for this robot (`asker` empty) or for a peer."""

    key: int
    request: RequestId
    asker: str
    stream: str
    model: str
    variant: str
    leg: Leg                         # as asked for
    priority: int
    deadline_ns: int
    guard: bool                      # a fallback whose last safe moment has come: before all else
    profile: Profile
    since_ns: int                    # its stream has waited since then
    queued_ns: int
    first: int                       # of the stages that are left; [first, last) is empty if it can only run whole
    last: int
    level: int = 0                   # its priority, risen with time
    p50_ns: int = 0                  # of what is left
    p95_ns: int = 0
    step_ns: int = 0                 # the longest that it keeps an executor from others once they want it, by p95
    began_ns: int = 0                # first start
    started_ns: int = 0              # last start
    ran_ns: int = 0                  # in earlier starts
    preempted: int = 0               # times set aside
    aside_ns: int = 0                # how long in all
    cuts: int = 0                    # times that the stage at `first` was cut short
    impatience: float | None = None  # with which it has been told to leave its executor
    aborted: bool = False
    overrun: bool = False            # of a part that has ended

    def __post_init__(self) -> None:
        self.level = self.priority
        self.measure()

    def measure(self) -> None:
        """Times of what is left."""
        left = self.left
        self.p50_ns, self.p95_ns = ns(leg_p50_s(self.profile, left)), ns(leg_p95_s(self.profile, left))
        steps = [ns(stage.p95_s) for stage in self.profile.stages[self.first:self.last]]
        self.step_ns = max(steps, default=self.p95_ns)

    @property
    def left(self) -> Leg:
        """What is left of it, as it is run: stages, or the whole from its own file."""
        return Leg(self.leg.agent, self.first, self.last)

    @property
    def begun(self) -> bool:
        """Whether stages of it are done and kept."""
        return self.began_ns > 0 and self.first > self.leg.first

    def age(self, now: int) -> None:
        """What waits becomes more urgent with time; what runs stays as urgent as it was when it started."""
        self.level = self.priority + max(0, now - self.since_ns) // AGING_NS

    def rank(self) -> tuple[bool, int, int, RequestId]:
        """Guards first, by deadline; then the most urgent level, then the earliest deadline, then by id."""
        return (not self.guard, 0 if self.guard else -self.level, self.deadline_ns, self.request)


class WorkQueue:
    """Waiting and running work of one robot with a number of executors."""

    def __init__(self, executors: int) -> None:
        self.executors = executors
        self._waiting: dict[int, Work] = {}
        self._running: dict[int, Work] = {}
        self._since: dict[tuple[str, str], int] = {}         # who waits without a run since when
        self._keys = itertools.count(1)

    def add(
        self, *, request: RequestId, asker: str, stream: str, profile: Profile, leg: Leg, priority: int,
        deadline_ns: int, guard: bool, now: int,
    ) -> int:
        """Let a run wait; returns its key."""
        key = next(self._keys)
        last = leg.last
        if leg.whole and ns(profile.p50_s) >= LONG_NS:
            last = len(profile.stages)
        self._waiting[key] = Work(
            key=key, request=request, asker=asker, stream=stream, model=profile.model, variant=profile.variant,
            leg=leg, priority=priority, deadline_ns=deadline_ns, guard=guard, profile=profile,
            since_ns=self._since.setdefault((asker, stream or profile.model), now), queued_ns=now,
            first=leg.first, last=last,
        )
        return key

    def in_order(self, now: int) -> list[Work]:
        """What waits, first what is due first."""
        for work in self._waiting.values():
            work.age(now)
        return sorted(self._waiting.values(), key=Work.rank)

    def remove(self, key: int) -> Work | None:
        """Take a waiting run out. None: it is on the executor, and marked as aborted."""
        work = self._waiting.pop(key, None)
        if work is None:
            self._running[key].aborted = True
        return work

    def promote(self, key: int) -> Work:
        """A waiting or running run has become a guard's fallback."""
        work = self._waiting.get(key) or self._running[key]
        work.guard = True
        return work

    def start(self, key: int, now: int) -> None:
        work = self._running[key] = self._waiting.pop(key)
        if work.began_ns:
            work.aside_ns += now - work.started_ns
        work.began_ns = work.began_ns or now
        work.started_ns = now
        self._since.pop((work.asker, work.stream or work.model), None)

    def finish(self, key: int) -> Work:
        return self._running.pop(key)

    def set_aside(self, key: int, reached: int, ran_ns: int, cut: bool, overrun: bool, now: int) -> Work | None:
        """A run has left its executor at a stage, before its end: it waits again, with what it has done.

        None: it was aborted, and is to be finished.
        """
        if self._running[key].aborted:
            return None
        work = self._waiting[key] = self._running.pop(key)
        work.cuts = (work.cuts if reached == work.first else 0) + cut
        work.first = reached
        work.preempted += 1
        work.ran_ns += ran_ns
        work.impatience = None
        work.overrun = work.overrun or overrun
        work.started_ns = now                # it is aside from now on
        work.since_ns = self._since.setdefault((work.asker, work.stream or work.model), now)
        work.measure()
        return work

    def free(self) -> bool:
        return len(self._running) < self.executors

    def running(self) -> list[Work]:
        """What is on the executors, first what is least urgent."""
        return sorted(self._running.values(), key=Work.rank, reverse=True)

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
        """The longest that is left of a run before a guard's fallback can have its executor, by p95."""
        left = (min(w.step_ns, max(0, w.started_ns + w.p95_ns - now)) for w in self._running.values())
        return max(left, default=0)

    def wait_s(self, now: int, priority: int | None = None, deadline_ns: int = 0) -> float:
        """Expected wait for an executor, by medians: of work with this priority and deadline, or behind all else.

        What is less urgent leaves its executor after a step.
        """
        ahead: Iterable[Work] = self._waiting.values()
        if priority is not None:
            ahead = (w for w in ahead if w.guard or (-w.level, w.deadline_ns) <= (-priority, deadline_ns))
        left_ns = 0
        for w in self._running.values():
            rest_ns = max(0, w.started_ns + w.p50_ns - now)
            yields = priority is not None and not w.guard and w.level < priority
            left_ns += min(rest_ns, w.step_ns) if yields else rest_ns
        return seconds(left_ns + sum(w.p50_ns for w in ahead)) / self.executors
