"""Predicted latencies: the router compares them, and the scheduler plans with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import Leg, Profile, StageProfile

LONG_S = 0.02
"""A whole run of at least this length runs stage by stage if its stages are loaded, so that it can be preempted."""


class PeerView(msgspec.Struct, frozen=True, kw_only=True):
    """An agent's knowledge of a peer that may get work now."""

    name: str
    profiles: dict[str, list[Profile]]       # by model, the fastest first
    link: LinkQuality
    wait_s: float                            # work in hand there by its last report, plus the work sent since


class Away(NamedTuple):
    """Expected times of legs on peers: transfers there, between them and back; waiting and running there."""

    way_s: float
    work_s: float


def slowed(profile: Profile, whole: float, by_stage: Iterable[float]) -> Profile:
    """A profile with its times multiplied: those of a whole run by `whole`, those of each stage by its factor.

    Raises: ValueError unless there is one factor per stage.
    """
    return msgspec.structs.replace(
        profile, p50_s=profile.p50_s * whole, p95_s=profile.p95_s * whole,
        batch_s=[together_s * whole for together_s in profile.batch_s],
        stages=[StageProfile(stage.p50_s * factor, stage.p95_s * factor, stage.input_bytes)
                for stage, factor in zip(profile.stages, by_stage, strict=True)],
    )


def remote_s(profile: Profile, peer: PeerView) -> float:
    """Latency of a run on a peer: transfer, waiting, and running (s)."""
    return peer.link.transfer_s(profile.input_bytes) + peer.wait_s + profile.p50_s


def leg_p50_s(profile: Profile, leg: Leg) -> float:
    """Median run time of a leg, without waiting."""
    return profile.p50_s if leg.whole else sum(stage.p50_s for stage in profile.stages[leg.first:leg.last])


def leg_p95_s(profile: Profile, leg: Leg) -> float:
    """95th percentile of the run time of a leg, without waiting, if its stages are slow together."""
    return profile.p95_s if leg.whole else sum(stage.p95_s for stage in profile.stages[leg.first:leg.last])


def in_steps(profile: Profile, leg: Leg) -> bool:
    """Whether a leg can be preempted between its stages."""
    return not leg.whole or (bool(profile.stages) and profile.p50_s >= LONG_S)


def step_p95_s(profile: Profile, leg: Leg) -> float:
    """95th percentile of the longest time for which a leg keeps an executor from more urgent work."""
    if not in_steps(profile, leg):
        return profile.p95_s
    return max(stage.p95_s for stage in profile.stages[leg.first:leg.last or None])


def together_p50_s(profile: Profile, inputs: int) -> float:
    """Median run time of a batch of `inputs`; beyond the batches of the profile, of single runs in sequence."""
    return profile.batch_s[inputs - 1] if 1 < inputs <= len(profile.batch_s) else inputs * profile.p50_s


def in_batches_s(profile: Profile, inputs: int) -> float:
    """Median run time of `inputs` in batches of the largest size in the profile."""
    runs, rest = divmod(inputs, max(1, len(profile.batch_s)))
    return runs * together_p50_s(profile, len(profile.batch_s) or 1) + (together_p50_s(profile, rest) if rest else 0.0)


def together_p95_s(profile: Profile, inputs: int) -> float:
    """95th percentile of the run time of a batch, if it varies as much as a run of one input."""
    return together_p50_s(profile, inputs) * profile.p95_s / profile.p50_s


def leg_bytes(profile: Profile, leg: Leg) -> int:
    """Bytes that are sent to the agent of a leg."""
    return profile.stages[leg.first].input_bytes if leg.first else profile.input_bytes


def away_s(route: Sequence[Leg], model: str, variant: str, peers: Mapping[str, PeerView]) -> Away | None:
    """Expected times of legs on peers, one after the other. None: a peer is not in `peers`, or cannot run its leg.

    A robot does not know the link between two peers. It assumes the worse of its own links to them.
    """
    way_s = work_s = 0.0
    before: PeerView | None = None
    for leg in route:
        peer = peers.get(leg.agent)
        profile = named(peer.profiles.get(model, ()), variant) if peer else None
        if peer is None or profile is None or leg.last > len(profile.stages):
            return None
        size = leg_bytes(profile, leg)
        way_s += max(view.link.transfer_s(size) for view in (peer, before or peer))
        work_s += peer.wait_s + leg_p50_s(profile, leg)
        before = peer
    return Away(way_s, work_s)


def by_speed(profiles: Iterable[Profile]) -> list[Profile]:
    """Sorted by median run time, fastest first; ties by accuracy, then by name."""
    return sorted(profiles, key=lambda p: (p.p50_s, -p.accuracy, p.variant))


def faithful(profiles: Sequence[Profile]) -> list[Profile]:
    """The fastest form of the most accurate network, then of each less accurate one that is faster than all before.

    profiles: sorted `by_speed`.
    """
    if len(profiles) < 2:
        return list(profiles)
    kept: list[Profile] = []
    for profile in profiles:
        if not kept or profile.network_accuracy > kept[-1].network_accuracy:
            kept.append(profile)
    return kept[::-1]


def in_time(profiles: Sequence[Profile], latency_s: Callable[[Profile], float], left_s: float) -> Profile:
    """The most accurate network's fastest form that is expected in time; if none is, the fastest form of all.

    profiles: one or more, sorted `by_speed`. latency_s: what is expected of one.
    """
    best = profiles[0]
    for profile in profiles[1:]:
        if profile.network_accuracy > best.network_accuracy and latency_s(profile) <= left_s:
            best = profile
    return best


def usual(profiles: Sequence[Profile], deadline_s: float) -> Profile:
    """What runs at home while nothing is ahead of it: see `in_time`. profiles: one or more, sorted `by_speed`."""
    return in_time(profiles, lambda p: p.p95_s, deadline_s)


def fastest(profiles: Sequence[Profile]) -> Profile | None:
    """The first of these profiles, which must be sorted `by_speed`. None: there are none."""
    return profiles[0] if profiles else None


def named(profiles: Iterable[Profile], variant: str) -> Profile | None:
    return next((p for p in profiles if p.variant == variant), None)
