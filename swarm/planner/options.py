"""One way to run one stream: an agent and a variant, with the times, loads and prices that a forecast needs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import Profile, StreamSpec
from swarm.planner.problem import AgentInfo

OVERHEAD_S = 0.005               # sensor to scheduler, pre- and post-processing: not in any profile
JITTER = 1.25                    # a transfer is planned to take this many times its mean
MAX_LINK_UTILISATION = 0.9       # of one stream on a link to itself; a stream that needs more is not offloaded
ACCURACY_MATTERS = 0.02          # variants closer than this count as equally accurate
BACKGROUND_RUN_S = 0.05          # unexplained load is assumed to come in runs of this length


class Option(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """An agent and a variant for one stream.

    A run is assumed to last its median nine times in ten and its 95th percentile once in ten: these two figures of a
    profile give the moments and the tail that the queueing formulas need.
    """

    number: int                      # unique in the instance
    stream: int                      # -1: load that no stream explains
    agent: int
    variant: str
    home: bool
    priority: int
    rate_hz: float
    deadline_s: float
    weight: float                    # of one missed deadline per second
    p50_s: float
    p95_s: float
    mean_s: float
    load: float                      # of one executor
    step_s: float                    # of a run, after which it leaves the executor to more urgent work
    half_square: float               # rate x E[run^2] / 2: what Cobham's formula sums
    half_step: float                 # the same of its steps: what more urgent streams see of it
    transfer_s: float                # 0 at home
    fixed_cost: float                # of lower accuracy, and of leaving the previous placement

    @property
    def idle_s(self) -> float:
        """Latency when nothing else runs."""
        return OVERHEAD_S + self.transfer_s + self.mean_s


def make_option(number: int, agent: int, spec: StreamSpec, p50_s: float, p95_s: float, *, step_s: float,
                stream: int = -1, variant: str = "", home: bool = True, weight: float = 0.0, transfer_s: float = 0.0,
                fixed_cost: float = 0.0) -> Option:
    """The option of these run times, with what follows from them."""
    p95_s = max(p50_s, p95_s)
    mean_s = 0.9 * p50_s + 0.1 * p95_s
    half_square = spec.rate_hz * (0.9 * p50_s**2 + 0.1 * p95_s**2) / 2
    return Option(
        number=number, stream=stream, agent=agent, variant=variant, home=home, priority=spec.priority,
        rate_hz=spec.rate_hz, deadline_s=spec.deadline_s, weight=weight, p50_s=p50_s, p95_s=p95_s, mean_s=mean_s,
        load=spec.rate_hz * mean_s, step_s=step_s, half_square=half_square,
        half_step=min(half_square, spec.rate_hz * mean_s * step_s / 2), transfer_s=transfer_s,
        fixed_cost=fixed_cost,
    )


def background_option(number: int, agent: AgentInfo) -> Option | None:
    """Unexplained load of agent `number`, as one more source of runs, of no priority. None: there is none."""
    if agent.background <= 0.0:
        return None
    spec = StreamSpec(name="", model="", rate_hz=agent.background / BACKGROUND_RUN_S, deadline_s=1.0)
    return make_option(-1 - number, number, spec, BACKGROUND_RUN_S, BACKGROUND_RUN_S, step_s=BACKGROUND_RUN_S)


def useful_variants(profiles: Sequence[Profile]) -> list[Profile]:
    """Variants for which no other is both faster and about as accurate; fastest first."""
    kept: list[Profile] = []
    for profile in sorted(profiles, key=lambda p: (p.p50_s, p.variant)):
        if all(profile.accuracy > k.accuracy + ACCURACY_MATTERS for k in kept):
            kept.append(profile)
    return kept


def planned_transfer_s(link: LinkQuality, input_bytes: int, rate_hz: float) -> float | None:
    """Transfer time of one request of a stream that has the link to itself. None: the link is too slow for it."""
    send_s = input_bytes / link.bytes_per_s
    utilisation = rate_hz * send_s
    if utilisation >= MAX_LINK_UTILISATION:
        return None
    return JITTER * (link.rtt_s + send_s / (1.0 - utilisation))
