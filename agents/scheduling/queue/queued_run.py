"""One run that waits for an executor, or is on one."""

from __future__ import annotations

import msgspec

from swarm.core.policy.cost import leg_p50_s, leg_p95_s, step_p95_s, together_p50_s, together_p95_s
from swarm.core.policy.plan import Leg, Profile
from swarm.core.protocol.spans import RequestId
from swarm.core.units import NS, ns

Rank = tuple[bool, int, int, int]


class QueuedRun(msgspec.Struct, kw_only=True):
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
    promised: bool = False           # it was sent out with a guard: its deadline is kept, come what may
    run: int = 0                     # the key of the most urgent of those that started at once with it
    batch: int = 1                   # how many these are

    def __post_init__(self) -> None:
        self.measure()

    def measure(self) -> None:
        """Times of what is left, or of the run that it is on with others."""
        profile = self.profile
        if self.batch > 1:
            self.p50_ns, self.p95_ns = ns(together_p50_s(profile, self.batch)), ns(together_p95_s(profile, self.batch))
        elif not self.last:                  # whole, as most are: told without a detour
            self.p50_ns, self.p95_ns = round(profile.p50_s * NS), round(profile.p95_s * NS)
        else:
            left = self.left
            self.p50_ns, self.p95_ns = ns(leg_p50_s(profile, left)), ns(leg_p95_s(profile, left))
            self.step_ns = ns(step_p95_s(profile, left))
            return
        self.step_ns = self.p95_ns

    @property
    def may_join(self) -> bool:
        """Whether it may run at once with others of its variant: whole, and never begun."""
        return not self.last and not self.began_ns and len(self.profile.batch_s) > 1

    @property
    def source(self) -> tuple[str, str]:
        """Whose work of which kind it is."""
        return self.asker, self.stream or self.model

    @property
    def left(self) -> Leg:
        """What is left of it, as it is run: stages, or the whole from its own file."""
        leg = self.leg
        return leg if (leg.first, leg.last) == (self.first, self.last) else Leg(leg.agent, self.first, self.last)

    @property
    def rank(self) -> Rank:
        """Guards first, by deadline; then the most urgent level, then the earliest deadline, then first come."""
        return (not self.guard, 0 if self.guard else -self.level, self.deadline_ns, self.key)
