"""The load of a robot in a random schedule: its models, its streams, and the requests of peers."""

from __future__ import annotations

import random

import msgspec

from swarm.core.policy.plan import Leg, Profile, StreamSpec
from swarm.core.protocol.messages import Advert
from tests.agents.builders import profile

SLOWEST = 3.0                        # times its median, of a stage or a whole run
SPREAD = 1.2                         # the same, of the p95

Legs = tuple[tuple[int, int, tuple[Leg, ...]], ...]
WHOLE: Legs = ((0, 0, ()),)
CHAINED: Legs = (*WHOLE, (3, 4, ()), (1, 2, (Leg("ox", 2, 4),)), (1, 3, (Leg("mule", 3, 4),)))
"""Whole models, the end of a chain, and the middle of one."""


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """A stream of requests from a peer."""

    peer: str
    model: str
    rate_hz: float
    deadline_s: float
    priority: int
    legs: Legs = WHOLE


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """One schedule. `pauses`, `cancels` and `silent` are shares, 0..1."""

    lasts_s: float
    executors: int
    policy: str
    profiles: list[Profile]
    loaded: list[str]                # models whose stages are loaded from the start
    streams: list[StreamSpec]
    asks: list[Asking]
    troubles: int = 0                # a peer falls silent, a plan comes
    pauses: float = 0.0
    cancels: float = 0.0
    silent: float = 0.0              # share of the requests that no peer answers
    at_home: str = ""                # a model that no peer has
    most: float | None = None        # the longest run, in medians; None: some take up to SLOWEST, and some fail

    @property
    def longest_s(self) -> float:
        """The longest that a run may take."""
        return SLOWEST * max(p.p50_s for p in self.profiles)

    @property
    def advert(self) -> Advert:
        """The advert of every peer."""
        urgent = msgspec.structs.replace(self.streams[0], priority=9)        # so that its asks may be
        return Advert(board="b", executors=1, streams=[urgent], profiles=[
            p for p in self.profiles if p.model != self.at_home])


def mixed(chance: random.Random) -> Scene:
    """Short urgent streams, a background in many stages, peers of all priorities, chains, guards, losses."""
    profiles = [
        profile("blink", chance.uniform(0.004, 0.012)),
        profile("detector", chance.uniform(0.015, 0.05), stages=4),
        profile("mapper", chance.uniform(0.05, 0.15)),
        profile("segmenter", chance.uniform(0.15, 0.4), stages=chance.randint(8, 16)),
    ]
    streams = [_stream(chance, i, chance.choice(profiles)) for i in range(chance.randint(2, 4))]
    asks = [_asking(chance, chance.choice(profiles)) for _ in range(chance.randint(0, 3))]
    return Scene(
        lasts_s=2.0, executors=chance.choice([1, 1, 2]), profiles=profiles, streams=streams, asks=asks,
        policy=chance.choice(["local", "greedy", "planner", "split:2", "split:3"]),
        loaded=[p.model for p in profiles if chance.random() < 0.8],
        troubles=chance.randint(0, 3), pauses=0.05, cancels=0.2,
    )


def promised(chance: random.Random) -> Scene:
    """Peers that often do not answer, peers' requests of any priority, and no run that takes longer than its p95.

    In half of them no peer has the model of the most urgent stream.
    """
    scene = mixed(chance)
    most_urgent = max(scene.streams, key=lambda each: each.priority)
    return msgspec.structs.replace(
        scene, policy="greedy", most=SPREAD, at_home=most_urgent.model if chance.random() < 0.5 else "",
        lasts_s=4.0,
        silent=chance.choice([0.2, 0.6, 1.0]), streams=[
            msgspec.structs.replace(each, rate_hz=each.rate_hz * chance.uniform(0.3, 1.0),
                                    deadline_s=each.deadline_s * chance.uniform(1.0, 3.0))
            for each in scene.streams],
        asks=[msgspec.structs.replace(each, priority=chance.randint(0, 9)) for each in scene.asks])


def overloaded(chance: random.Random) -> Scene:
    """Overload at home, for longer than aging takes."""
    executors = chance.choice([1, 1, 2])
    profiles = [
        profile("detector", chance.uniform(0.05, 0.1), stages=4),
        profile("mapper", chance.uniform(0.05, 0.15)),
        profile("segmenter", chance.uniform(0.2, 0.4), stages=chance.randint(8, 16)),
    ]
    streams: list[StreamSpec] = []
    for i in range(chance.randint(2, 4)):
        model = chance.choice(profiles)
        streams.append(StreamSpec(
            name=f"stream_{i}", model=model.model, rate_hz=round(executors * chance.uniform(0.6, 1.2) / model.p50_s, 3),
            deadline_s=model.p50_s * chance.uniform(1.5, 4.0) + 0.2, priority=chance.randint(0, 2),
        ))
    asks = [
        Asking(peer="asker", model=model.model, rate_hz=0.5 / model.p50_s, deadline_s=model.p50_s * 3 + 0.5,
               priority=chance.randint(0, 2))
        for model in chance.sample(profiles, chance.randint(0, 1))
    ]
    return Scene(
        lasts_s=9.0, executors=executors, policy="local", profiles=profiles, loaded=[p.model for p in profiles],
        streams=streams, asks=asks,
    )


def _stream(chance: random.Random, number: int, model: Profile) -> StreamSpec:
    return StreamSpec(
        name=f"stream_{number}", model=model.model, rate_hz=round(chance.uniform(0.1, 0.7) / model.p50_s, 3),
        deadline_s=model.p50_s * chance.uniform(1.2, 6.0), priority=chance.randint(0, 3),
    )


def _asking(chance: random.Random, model: Profile) -> Asking:
    return Asking(
        peer=chance.choice(["asker", "mule"]), model=model.model, rate_hz=chance.uniform(0.1, 0.5) / model.p50_s,
        deadline_s=model.p50_s * chance.uniform(1.0, 6.0), priority=chance.randint(0, 3),
        legs=CHAINED if model.model == "detector" else WHOLE,
    )
