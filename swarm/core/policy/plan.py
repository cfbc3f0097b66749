"""Plans: which agent runs which stream, on which variant, and which of its stages."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

import msgspec
from msgspec import Meta

from swarm.core.protocol.bounds import (
    BoxNumber,
    Count,
    Deadline,
    FleetName,
    LongText,
    PositiveSeconds,
    Priority,
    RateHz,
    Seconds,
    Share,
    ShortText,
)

MOST_STAGES = 16
MOST_PLACEMENTS = 16_384             # of one plan: 1,000 robots with 16 streams each
MOST_AT_ONCE = 8                     # inputs of one run
WHY_MAX = 400                        # characters
StageNumber = Annotated[int, Meta(ge=0, le=MOST_STAGES)]


class StageProfile(msgspec.Struct, frozen=True, array_like=True):
    """Run time of one stage on an agent's board, and the bytes that cross the boundary before it."""

    p50_s: PositiveSeconds
    p95_s: PositiveSeconds
    input_bytes: Count


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Run times of one variant on one agent's board, whole and by stages, as that agent announces them."""

    model: ShortText
    variant: ShortText
    p50_s: PositiveSeconds
    p95_s: PositiveSeconds
    memory_bytes: Count
    accuracy: Share                  # the card's primary metric, 0..1
    input_bytes: Count               # sent to a peer that runs it whole
    stages: Annotated[list[StageProfile], Meta(max_length=MOST_STAGES)] = []     # empty: it runs whole only
    batch_s: Annotated[list[PositiveSeconds], Meta(max_length=MOST_AT_ONCE)] = []
    """Median run time of a batch of 1, 2, ... inputs, as long as more inputs take less time each; empty: no batches."""
    load_s: Seconds = 0.0            # to have it in memory again; 0: not known
    files: ShortText = ""            # hash of the files of the variant and its stages; empty: not known
    network_accuracy: Share = 0.0
    """Accuracy of its network as it was trained: the forms of one network have the same, those of a student less."""


class NotLoaded(msgspec.Struct, frozen=True, array_like=True):
    """A variant that an agent would run in this time, if its memory were not full.

    load_s: how long it takes to load it once there is room; 0: it does not fit even alone.
    """

    model: ShortText
    variant: ShortText
    p50_s: PositiveSeconds
    load_s: Seconds = 0.0


class Leg(msgspec.Struct, frozen=True, array_like=True):
    """Consecutive stages [first, last) of a variant on one agent; 0, 0 is the whole model, from its own file."""

    agent: ShortText
    first: StageNumber = 0
    last: StageNumber = 0

    @property
    def whole(self) -> bool:
        return self.last == 0


Route = Annotated[list[Leg], Meta(max_length=MOST_STAGES)]
"""Legs that follow each other, from agent to agent."""


class StreamSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A periodic source of requests on one robot."""

    name: FleetName
    model: ShortText
    rate_hz: RateHz
    deadline_s: Deadline             # capture -> result, on the robot's own clock
    priority: Priority = 0           # larger runs first
    source: FleetName = "camera"     # camera, scan or timer; or the stream whose outcome it looks at closer
    box: BoxNumber = 1               # which box of that outcome: 1 is the best


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Where one stream of one agent runs. `where[k]` names the agent of stage k; one entry: it runs whole."""

    agent: ShortText                 # the owner of the stream
    stream: ShortText                # its name
    variant: ShortText               # of the stream's model
    where: Annotated[list[ShortText], Meta(min_length=1, max_length=MOST_STAGES)]      # agent of each stage
    predicted_s: Seconds = 0.0       # predicted latency, mean
    predicted_p95_s: Seconds = 0.0   # predicted latency, 95th percentile
    predicted_on_time: Share = 0.0   # predicted share of results by the deadline
    low: Share = 0.0                 # lower end of the 95 % interval of that share
    high: Share = 1.0                # upper end; 0 to 1: not known
    stays: bool = False              # requests do as placed however many miss: the plan knows that, and why
    why: LongText = ""               # the planner's reason, for people


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All placements, with an epoch that only grows and a lease after which agents route by local policy."""

    epoch: Count
    lease_s: Seconds
    placements: Annotated[list[Placement], Meta(max_length=MOST_PLACEMENTS)]
    solver: LongText = ""
    solve_s: Seconds = 0.0
    why: Annotated[str, Meta(max_length=WHY_MAX)] = ""           # the event that changed it, for people


def legs(where: Sequence[str]) -> list[Leg]:
    """The legs of a placement's `where`. An agent that has all stages runs the model whole, which is faster."""
    if len(set(where)) == 1:
        return [Leg(where[0])]
    route: list[Leg] = []
    first = 0
    for last in range(1, len(where) + 1):
        if last == len(where) or where[last] != where[first]:
            route.append(Leg(where[first], first, last))
            first = last
    return route


def is_chain(route: Sequence[Leg], stages: int) -> bool:
    """Whether the legs follow each other to the last of `stages`, each on an agent of its own.

    The first leg may begin at any stage: the stages before it are done.
    """
    return (
        bool(route) and route[-1].last == stages and len({leg.agent for leg in route}) == len(route)
        and all(leg.first < leg.last for leg in route) and all(a.last == b.first for a, b in pairwise(route))
    )
