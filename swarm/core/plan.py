"""Plans: which agent runs which stream, on which variant."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from swarm.core.bounds import Count, PositiveSeconds, Priority, Rate, Seconds, Share


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """How long one variant takes on one agent's board, as that agent announces it."""

    model: str
    variant: str
    p50_s: PositiveSeconds
    p95_s: PositiveSeconds
    memory_bytes: Count
    accuracy: Share                  # the card's primary metric, 0..1
    input_bytes: Count               # what travels when it is offloaded whole


class StreamSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A periodic source of requests on one robot."""

    name: str
    model: str
    rate_hz: Rate
    deadline_s: PositiveSeconds      # capture -> result, on the robot's own clock
    priority: Priority = 0           # larger runs first


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Where one stream of one agent runs. `where[k]` runs stage k; a whole model is one stage."""

    agent: str
    stream: str
    variant: str
    where: Annotated[list[str], Meta(min_length=1, max_length=64)]
    cuts: list[str] = []             # names of the partition points between stages; one fewer than `where`
    predicted_s: Seconds = 0.0       # expected latency
    why: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All placements, with an epoch that only grows and a lease after which agents route by local policy."""

    epoch: Count
    lease_s: Seconds
    placements: list[Placement]
    solver: str = ""
    solve_s: Seconds = 0.0
