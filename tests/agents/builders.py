"""A scheduler alone, with made-up profiles, streams and peers."""

from __future__ import annotations

from collections.abc import Sequence

from agents.peers.table import PeerTable
from agents.scheduling.scheduler import Scheduler
from swarm.core.policy.plan import Profile, StageProfile, StreamSpec
from swarm.core.protocol.messages import Advert
from swarm.core.protocol.spans import RequestId

BOOT = 1


def profile(
    model: str = "detector", p50_s: float = 0.030, variant: str = "int8", stages: int = 0, spread: float = 1.2
) -> Profile:
    """A variant with this many equal stages; its p95 is `spread` times its p50."""
    p95_s = p50_s * spread
    return Profile(
        model=model, variant=variant, p50_s=p50_s, p95_s=p95_s, memory_bytes=1, accuracy=0.9, input_bytes=20_000,
        stages=[StageProfile(p50_s / stages, p95_s / stages, 20_000) for _ in range(stages)],
    )


def stream(name: str = "detect", model: str = "detector", deadline_s: float = 0.1, priority: int = 0) -> StreamSpec:
    return StreamSpec(name=name, model=model, rate_hz=5, deadline_s=deadline_s, priority=priority)


def peer_table(**peers: list[Profile]) -> PeerTable:
    """Peers that are alive at time 0, with these profiles."""
    known = PeerTable()
    for name, profiles in peers.items():
        known.update(name, BOOT, 0.0, 0)
        known.advertised(name, BOOT, Advert(board="b", executors=1, profiles=profiles, streams=[stream(priority=9)]))
    return known


def scheduler(
    policy: str = "greedy", known: PeerTable | None = None, *, stages: int = 0, loaded: bool = True, **own: float
) -> Scheduler:
    """A robot `me` whose models take these times, seconds, each in `stages` equal stages."""
    profiles = [profile(model, s, stages=stages) for model, s in own.items()]
    return robot(profiles, policy, known, loaded=list(own) if loaded and stages else [])


def robot(
    profiles: list[Profile], policy: str = "local", known: PeerTable | None = None, *, executors: int = 1,
    loaded: Sequence[str] | None = None, streams: Sequence[StreamSpec] = (),
) -> Scheduler:
    """A robot `me` with these models, one variant of each; stages are loaded of those named, or of all."""
    return Scheduler(
        name="me", policy=policy, profiles={p.model: [p] for p in profiles}, peers=known or peer_table(asker=[]),
        executors=executors, staged=[(p.model, p.variant) for p in profiles if loaded is None or p.model in loaded],
        streams=streams,
    )


def request(sequence: int, agent: str = "me") -> RequestId:
    return RequestId(agent, BOOT, sequence)
