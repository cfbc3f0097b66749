"""An option: one way to run a stream, with the times, loads and prices that a search needs.

A way is a variant and the agent of each of its stages, or one agent that runs it whole. Consecutive stages on one agent
are a leg; each leg is a source of runs on its agent.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import Profile

OVERHEAD_S = 0.005               # sensor to scheduler, pre- and post-processing: not in any profile
JITTER = 1.25                    # plans assume this many times the mean transfer time
MAX_LINK_UTILISATION = 0.9       # of one stream on a link to itself; a stream that needs more is not offloaded
ACCURACY_MATTERS = 0.02          # smaller differences of accuracy between forms of one network are ignored
BACKGROUND_RUN_S = 0.05          # unexplained load is assumed to come in runs of this length


class Source(msgspec.Struct, frozen=True, gc=False):
    """Runs of one leg on one agent.

    A run is assumed to last its median nine times in ten and its 95th percentile once in ten: these two figures of a
    profile give the moments and the tail that the queueing formulas need.
    """

    number: int                      # among the sources of its instance
    agent: int
    p50_s: float
    p95_s: float
    step_s: float                    # longest part of a run that more urgent work cannot preempt


class Option(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """One way to run a stream."""

    variant: str
    where: tuple[str, ...]           # as in a placement
    sources: tuple[Source, ...]      # of each leg
    home: bool                       # whether all of it runs on the robot itself
    transfer_s: float                # of all transfers; 0 at home
    mean_s: float                    # of the runs of all legs
    accuracy: float
    accuracy_cost: float = 0.0       # in misses per result

    @property
    def idle_s(self) -> float:
        """Latency when nothing else runs."""
        return OVERHEAD_S + self.transfer_s + self.mean_s

    @property
    def stops(self) -> tuple[str, ...]:
        """The name of the agent of each leg."""
        return tuple(dict.fromkeys(self.where))

    @property
    def agents(self) -> tuple[int, ...]:
        """The agent of each leg."""
        return tuple(source.agent for source in self.sources)


def mean_s(p50_s: float, p95_s: float) -> float:
    """The mean run time by the assumption of `Source`."""
    return 0.9 * p50_s + 0.1 * max(p50_s, p95_s)


def useful_variants(profiles: Sequence[Profile]) -> list[Profile]:
    """The variants for which no other variant is both faster and about as accurate; fastest first.

    About as accurate is a form of the same network, or of a more accurate one, that loses at most `ACCURACY_MATTERS`.
    """
    kept: list[Profile] = []
    for profile in sorted(profiles, key=lambda p: (p.p50_s, p.variant)):
        if not any(k.network_accuracy >= profile.network_accuracy
                   and k.accuracy + ACCURACY_MATTERS >= profile.accuracy for k in kept):
            kept.append(profile)
    return kept


def planned_transfer_s(link: LinkQuality, input_bytes: int, rate_hz: float) -> float | None:
    """Planned transfer time of a request, if its stream has the link to itself. None: the link is too slow for it."""
    send_s = input_bytes / link.bytes_per_s
    utilisation = rate_hz * send_s
    if utilisation >= MAX_LINK_UTILISATION:
        return None
    return JITTER * (link.rtt_s + send_s / (1.0 - utilisation))
