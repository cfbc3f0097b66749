"""Plans: which agent runs which stream, on which variant."""

from __future__ import annotations

import msgspec


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """How long one variant takes on one agent's board, as that agent announces it."""

    model: str
    variant: str
    p50_s: float
    p95_s: float
    memory_bytes: int
    accuracy: float                  # the card's primary metric, 0..1
    input_bytes: int                 # what travels when it is offloaded whole


class StreamSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A periodic source of requests on one robot."""

    name: str
    model: str
    rate_hz: float
    deadline_s: float                # capture -> result, on the robot's own clock
    priority: int = 0                # larger runs first


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Where one stream of one agent runs. `where[k]` runs stage k; a whole model is one stage."""

    agent: str
    stream: str
    variant: str
    where: list[str]
    cuts: list[str] = []             # names of the partition points between stages; one fewer than `where`
    predicted_s: float = 0.0         # expected latency
    why: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All placements, with an epoch that only grows and a lease after which agents route by local policy."""

    epoch: int
    lease_s: float
    placements: list[Placement]
    solver: str = ""
    solve_s: float = 0.0

    def placement(self, agent: str, stream: str) -> Placement | None:
        return next((p for p in self.placements if p.agent == agent and p.stream == stream), None)
