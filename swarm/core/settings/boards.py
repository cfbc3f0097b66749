"""The base of all settings files, and the computer classes of robots."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from swarm.core.protocol.bounds import Executors, Share, Speed
from swarm.core.settings.cards import Precision, Provider


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all settings: unknown keys are refused by name."""


class Board(Strict, frozen=True, kw_only=True):
    """A computer class. `speed` is relative to the host that profiled the cards: run times are divided by `speed`."""

    speed: dict[Precision, Speed]    # of fp32 and int8
    memory_mb: Annotated[int, Meta(ge=0, le=10_000_000)] = 0         # in all; 0: not known, any models are loaded
    power_w: Annotated[float, Meta(gt=0.0, le=1e6)]                  # at most
    source: str                      # where the figures come from
    executors: Executors = 1         # runs at the same time
    threads: Annotated[int, Meta(ge=1, le=64)] = 1                   # of ONNX Runtime, within each run
    own_share: Share = 0.25          # of its executors, kept for the robot's own streams as far as these need it
    busy_poll_s: Annotated[float, Meta(ge=0.0, le=0.01)] = 0.0       # polling before it sleeps; needs a spare core
    providers: Annotated[tuple[Provider, ...], Meta(min_length=1)] = ("cpu",)        # execution providers, best first
    emulated: bool = True            # False: the machine as it is
