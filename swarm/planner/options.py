"""An option: an agent and a variant for one stream, with the times, loads and prices that a forecast needs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import Profile, StreamSpec
from swarm.planner.problem import AgentInfo

OVERHEAD_S = 0.005               # sensor to scheduler, pre- and post-processing: not in any profile
JITTER = 1.25                    # plans assume this many times the mean transfer time
MAX_LINK_UTILISATION = 0.9       # of one stream on a link to itself; a stream that needs more is not offloaded
ACCURACY_MATTERS = 0.02          # smaller differences of accuracy are ignored
BACKGROUND_RUN_S = 0.05          # unexplained load is assumed to come in runs of this length


class Option(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """An agent and a variant for one stream.

    A run is assumed to last its median nine times in ten and its 95th percentile once in ten: these two figures of a
    profile give the moments and the tail that the queueing formulas need.
    """

    number: int                      # unique in the instance
    stream: int                      # -1: unexplained load
    agent: int
    variant: str
    home: bool
    priority: int
    rate_hz: float
    deadline_s: float
    weight: float                    # cost of missing all its deadlines, per second
    p50_s: float
    p95_s: float
    mean_s: float
    load: float                      # of one executor
    step_s: float                    # longest part of a run that more urgent work cannot preempt
    half_square: float               # rate x E[run^2] / 2: a term of Cobham's formula
    half_step: float                 # the same for its steps: the term that more urgent streams see
    transfer_s: float                # 0 at home
    fixed_cost: float                # for lower accuracy and for leaving the previous placement

    @property
    def idle_s(self) -> float:
        """Latency when nothing else runs."""
        return OVERHEAD_S + self.transfer_s + self.mean_s


def make_option(number: int, agent: int, spec: StreamSpec, p50_s: float, p95_s: float, *, step_s: float,
                stream: int = -1, variant: str = "", home: bool = True, weight: float = 0.0, transfer_s: float = 0.0,
                fixed_cost: float = 0.0) -> Option:
    """An option with these run times, and the figures that follow from them."""
    p95_s, run_s = max(p50_s, p95_s), mean_s(p50_s, p95_s)
    half_square = spec.rate_hz * (0.9 * p50_s**2 + 0.1 * p95_s**2) / 2
    return Option(
        number=number, stream=stream, agent=agent, variant=variant, home=home, priority=spec.priority,
        rate_hz=spec.rate_hz, deadline_s=spec.deadline_s, weight=weight, p50_s=p50_s, p95_s=p95_s, mean_s=run_s,
        load=spec.rate_hz * run_s, step_s=step_s, half_square=half_square,
        half_step=min(half_square, spec.rate_hz * run_s * step_s / 2), transfer_s=transfer_s,
        fixed_cost=fixed_cost,
    )


def mean_s(p50_s: float, p95_s: float) -> float:
    """The mean run time by the assumption of `Option`."""
    return 0.9 * p50_s + 0.1 * max(p50_s, p95_s)


def background_option(number: int, agent: AgentInfo) -> Option | None:
    """The unexplained load of agent `number`, as one more source of runs, of priority 0. None: there is none."""
    if agent.background <= 0.0:
        return None
    spec = StreamSpec(name="", model="", rate_hz=agent.background / BACKGROUND_RUN_S, deadline_s=1.0)
    return make_option(-1 - number, number, spec, BACKGROUND_RUN_S, BACKGROUND_RUN_S, step_s=BACKGROUND_RUN_S)


def useful_variants(profiles: Sequence[Profile]) -> list[Profile]:
    """The variants for which no other variant is both faster and about as accurate; fastest first."""
    kept: list[Profile] = []
    for profile in sorted(profiles, key=lambda p: (p.p50_s, p.variant)):
        if all(profile.accuracy > k.accuracy + ACCURACY_MATTERS for k in kept):
            kept.append(profile)
    return kept


def planned_transfer_s(link: LinkQuality, input_bytes: int, rate_hz: float) -> float | None:
    """Planned transfer time of a request, if its stream has the link to itself. None: the link is too slow for it."""
    send_s = input_bytes / link.bytes_per_s
    utilisation = rate_hz * send_s
    if utilisation >= MAX_LINK_UTILISATION:
        return None
    return JITTER * (link.rtt_s + send_s / (1.0 - utilisation))
