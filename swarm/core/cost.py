"""Predicted latencies: what the router compares and the scheduler promises."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from swarm.core.link import LinkQuality
from swarm.core.plan import Profile


class PeerView(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent believes of a peer that may be given work now."""

    name: str
    profiles: dict[str, list[Profile]]       # by model
    link: LinkQuality
    wait_s: float                            # work in hand there, as last heard, plus what was sent since


def local_s(profile: Profile, wait_s: float) -> float:
    """Latency of a run at home behind `wait_s` of work."""
    return wait_s + profile.p50_s


def remote_s(profile: Profile, peer: PeerView) -> float:
    """Latency of a run on a peer: there, behind its work, and back."""
    return peer.link.transfer_s(profile.input_bytes) + peer.wait_s + profile.p50_s


def fastest(profiles: Iterable[Profile]) -> Profile | None:
    """The profile with the lowest median; a tie goes to the more accurate, then by name."""
    return min(profiles, key=lambda p: (p.p50_s, -p.accuracy, p.variant), default=None)


def named(profiles: Iterable[Profile], variant: str) -> Profile | None:
    return next((p for p in profiles if p.variant == variant), None)
