"""Predicted latencies: what the router compares and the scheduler promises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import Leg, Profile, StageProfile

LONG_S = 0.02
"""A whole run that takes this long goes stage by stage, where these are loaded, so that it can be set aside."""


class PeerView(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent believes of a peer that may be given work now."""

    name: str
    profiles: dict[str, list[Profile]]       # by model, the fastest first
    link: LinkQuality
    wait_s: float                            # work in hand there, as last heard, plus what was sent since


class Away(NamedTuple):
    """Expected times of what happens on peers: on the way there, between them and back; waiting and running there."""

    way_s: float
    work_s: float


def slowed(profile: Profile, whole: float, by_stage: Iterable[float]) -> Profile:
    """The profile where a whole run takes so many times as long, and each stage so many times. Raises: ValueError."""
    return msgspec.structs.replace(
        profile, p50_s=profile.p50_s * whole, p95_s=profile.p95_s * whole,
        batch_s=[together_s * whole for together_s in profile.batch_s],
        stages=[StageProfile(stage.p50_s * factor, stage.p95_s * factor, stage.input_bytes)
                for stage, factor in zip(profile.stages, by_stage, strict=True)],
    )


def remote_s(profile: Profile, peer: PeerView) -> float:
    """Latency of a run on a peer: there, behind its work, and back."""
    return peer.link.transfer_s(profile.input_bytes) + peer.wait_s + profile.p50_s


def leg_p50_s(profile: Profile, leg: Leg) -> float:
    """Median run time of a leg, without waiting."""
    return profile.p50_s if leg.whole else sum(stage.p50_s for stage in profile.stages[leg.first:leg.last])


def leg_p95_s(profile: Profile, leg: Leg) -> float:
    """What a leg exceeds no more often than one run in twenty, if its stages are slow together."""
    return profile.p95_s if leg.whole else sum(stage.p95_s for stage in profile.stages[leg.first:leg.last])


def in_steps(profile: Profile, leg: Leg) -> bool:
    """Whether a leg leaves its executor between stages to what is more urgent."""
    return not leg.whole or (bool(profile.stages) and profile.p50_s >= LONG_S)


def step_p95_s(profile: Profile, leg: Leg) -> float:
    """The longest that a leg keeps an executor from more urgent work, but for one run in twenty."""
    if not in_steps(profile, leg):
        return profile.p95_s
    return max(stage.p95_s for stage in profile.stages[leg.first:leg.last or None])


def together_p50_s(profile: Profile, inputs: int) -> float:
    """Median run time of so many inputs at once, or of one after the other beyond what the profile knows."""
    return profile.batch_s[inputs - 1] if 1 < inputs <= len(profile.batch_s) else inputs * profile.p50_s


def in_batches_s(profile: Profile, inputs: int) -> float:
    """Median run time of so many inputs in runs of as many at once as the profile knows."""
    runs, rest = divmod(inputs, max(1, len(profile.batch_s)))
    return runs * together_p50_s(profile, len(profile.batch_s) or 1) + (together_p50_s(profile, rest) if rest else 0.0)


def together_p95_s(profile: Profile, inputs: int) -> float:
    """What such a run exceeds no more often than one in twenty, if it is as uneven as that of one input."""
    return together_p50_s(profile, inputs) * profile.p95_s / profile.p50_s


def leg_bytes(profile: Profile, leg: Leg) -> int:
    """What is sent to the agent of a leg."""
    return profile.stages[leg.first].input_bytes if leg.first else profile.input_bytes


def away_s(route: Sequence[Leg], model: str, variant: str, peers: Mapping[str, PeerView]) -> Away | None:
    """Expected times of legs on peers, one after the other. None: a peer is not among these, or cannot run its leg.

    No robot knows the links between others: the worse of its own to both stands for it.
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
    """The fastest first, by its median; a tie goes to the more accurate, then by name."""
    return sorted(profiles, key=lambda p: (p.p50_s, -p.accuracy, p.variant))


def fastest(profiles: Sequence[Profile]) -> Profile | None:
    """The first of profiles that are kept `by_speed`: it is asked for far more often than they change."""
    return profiles[0] if profiles else None


def named(profiles: Iterable[Profile], variant: str) -> Profile | None:
    return next((p for p in profiles if p.variant == variant), None)
