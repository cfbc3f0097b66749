"""One run that waits for an executor or runs on one."""

from __future__ import annotations

import msgspec

from swarm.core.policy.cost import leg_p50_s, leg_p95_s, step_p95_s, together_p50_s, together_p95_s
from swarm.core.policy.plan import Leg, Profile
from swarm.core.protocol.spans import RequestId
from swarm.core.units import NS, ns

GRACE_NS = ns(0.5)                   # a result is still of use for this long after its deadline

Rank = tuple[int, bool, int, int]


class QueuedRun(msgspec.Struct, kw_only=True):
    """One run of one variant, whole or some of its stages, for this robot (`asker` empty) or for a peer."""

    key: int
    request: RequestId
    asker: str
    stream: str
    model: str
    variant: str
    leg: Leg                         # as requested
    priority: int
    deadline_ns: int
    guard: bool                      # its request is promised, and its guard has fired or it has started
    profile: Profile
    since_ns: int                    # its stream has waited since then
    queued_ns: int
    first: int                       # [first, last): the stages that are left; empty if it can only run whole
    last: int
    level: int = 0                   # its priority, raised by aging
    p50_ns: int = 0                  # run time of what is left
    p95_ns: int = 0
    step_ns: int = 0                 # longest time to the next point where it can be preempted, by p95
    began_ns: int = 0                # first start
    started_ns: int = 0              # last start
    ran_ns: int = 0                  # run time before its last start
    preempted: int = 0               # how many times it was preempted
    aside_ns: int = 0                # total time from a preemption to the next start
    stage_aborts: int = 0            # how many times the stage at `first` was aborted
    urgency: float | None = None     # of the pending preemption; None: it is not being preempted
    aborted: bool = False
    before_peers: bool = False       # it has started where it would have been late behind a peer's run
    drawn_s: float = 0.0             # drawn time of the parts that have ended, on an emulated board
    overrun: bool = False            # a part that has ended was an overrun
    run: int = 0                     # number of the batch that it runs in; a single run is a batch of one
    batch: int = 1                   # size of that batch

    def __post_init__(self) -> None:
        self.measure()

    def measure(self) -> None:
        """Set the expected times: of the batch that it runs in, or of what is left of it."""
        profile = self.profile
        if self.batch > 1:
            self.p50_ns, self.p95_ns = ns(together_p50_s(profile, self.batch)), ns(together_p95_s(profile, self.batch))
        elif not self.last:                  # fast path: most runs are whole
            self.p50_ns, self.p95_ns = round(profile.p50_s * NS), round(profile.p95_s * NS)
        else:
            left = self.left
            self.p50_ns, self.p95_ns = ns(leg_p50_s(profile, left)), ns(leg_p95_s(profile, left))
            self.step_ns = ns(step_p95_s(profile, left))
            return
        self.step_ns = self.p95_ns

    @property
    def overdue_ns(self) -> int:
        """When it should have ended, however late it has started: its deadline, a grace time and its run time (p95)."""
        return self.deadline_ns + GRACE_NS + self.p95_ns

    @property
    def can_batch(self) -> bool:
        """Whether it can join a batch of its variant: it is whole and has never started."""
        return not self.last and not self.began_ns and len(self.profile.batch_s) > 1

    @property
    def source(self) -> tuple[str, str]:
        """The asker and the stream; for a peer's run, the model instead of the stream."""
        return self.asker, self.stream or self.model

    @property
    def left(self) -> Leg:
        """What is left to run: stages, or the whole model."""
        leg = self.leg
        return leg if (leg.first, leg.last) == (self.first, self.last) else Leg(leg.agent, self.first, self.last)

    @property
    def rank(self) -> Rank:
        """By highest level; within one, guards' fallbacks first; then by earliest deadline and order of arrival."""
        return (-self.level, not self.guard, self.deadline_ns, self.key)

    def goes_before_guards(self, priority: int) -> bool:
        """Whether it may go before the promised requests of this priority: time was reserved for it."""
        return not self.asker and self.priority > priority

    def outranks(self, other: QueuedRun) -> bool:
        """Whether it goes before another run. Against what is promised, neither age nor a peer's priority counts."""
        if other.before_peers and self.asker:
            return False
        if other.guard and not self.guard:
            return self.goes_before_guards(other.priority)
        if self.guard and not other.guard:
            return not other.goes_before_guards(self.priority)
        return self.rank < other.rank
