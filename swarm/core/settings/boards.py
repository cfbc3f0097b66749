"""The base of all settings files, and the computer classes of robots."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from swarm.core.protocol.bounds import Executors, Share, Speed
from swarm.core.settings.cards import Precision, Provider, RunTime


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all settings: unknown keys are refused by name."""


FigureName = Literal["speed", "overhead_ms", "memory_mb", "power_w", "idle_w"]
Origin = Literal["measured", "derived"]
"""measured: on such a board. derived: from data sheets, tables and measurements of others."""

IDLE_SHARE = 0.42
"""Of its full power, what a board takes when idle, where no figure is known: that of a Raspberry Pi 4, 540 of 1280 mA
(idle, and with all four cores busy, at 5 V; source: pidramble.com/wiki/benchmarks/power-consumption)."""

Model = Annotated[str, Meta(max_length=128)]
Milliseconds = Annotated[float, Meta(ge=0.0, le=1e6)]
Bytes = Annotated[int, Meta(ge=0, le=2**50)]


class FigureSource(Strict, frozen=True, kw_only=True):
    """Where a figure of a board comes from."""

    origin: Origin                   # measured on such a board, or derived
    source: Annotated[str, Meta(min_length=1, max_length=2000)]      # document, formula or command


class MeasuredFile(Strict, frozen=True, kw_only=True):
    """What was measured of one file: a whole variant, or one of its stages."""

    run_time: RunTime                # with as many threads as the board's class has
    load_ms: Milliseconds            # from the cache of optimised graphs, or of TensorRT's engines
    memory_bytes: Bytes              # growth of the resident memory
    peak_bytes: Bytes = 0            # peak of that growth, during the load; 0: not known


class MeasuredVariant(Strict, frozen=True, kw_only=True):
    """What was measured of one variant, whole and by stage."""

    sha256: str                      # of its file; it holds for no other
    provider: Provider               # that ran it
    whole: MeasuredFile              # the whole variant
    stages: list[MeasuredFile] = []  # in order; empty: it runs whole only
    batches: dict[int, RunTime] = {}         # by the number of inputs at once


class Measured(Strict, frozen=True, kw_only=True):
    """The measurement of one board: `swarm models profile MODEL --board NAME --out FILE` writes it."""

    date: str                        # of the measurement, local date and time
    machine: str                     # what the board says that it is
    runtime: str                     # version of ONNX Runtime
    providers: list[Provider]        # best first
    threads: Annotated[int, Meta(ge=1, le=64)]       # of each run
    power_mode: str = ""             # as nvpmodel says; empty: it does not
    clocks_mhz: dict[str, float] = {}        # highest permitted clock, by processor
    versions: dict[str, str] = {}    # of what else runs the models
    models: Annotated[dict[Model, dict[Model, MeasuredVariant]], Meta(min_length=1, max_length=200)]     # by variant


class Board(Strict, frozen=True, kw_only=True):
    """A computer class. `speed` is relative to the host that profiled the cards: a run takes the card's time divided by
    `speed`, and `overhead_ms`.
    """

    speed: dict[Precision, Speed]    # of fp32 and int8; fp16 where it is not computed in fp32
    overhead_ms: Annotated[float, Meta(ge=0.0, le=1000.0)] = 0.0     # of each run, whole or of one stage
    memory_mb: Annotated[int, Meta(ge=0, le=10_000_000)] = 0         # in all; 0: not known, any models are loaded
    power_w: Annotated[float, Meta(gt=0.0, le=1e6)]                  # at most
    idle_w: Annotated[float, Meta(ge=0.0, le=1e6)] | None = None     # while no model runs; null: 0.42 of `power_w`
    source: str                      # what it is, and where the figures come from
    figures: dict[FigureName, FigureSource] = {}           # where each figure comes from
    executors: Executors = 1         # runs at the same time
    threads: Annotated[int, Meta(ge=1, le=64)] = 1                   # of ONNX Runtime, within each run
    own_share: Share = 0.25          # of its executors, kept for the robot's own streams as far as these need it
    busy_poll_s: Annotated[float, Meta(ge=0.0, le=0.01)] = 0.0       # polling before it sleeps; needs a spare core
    providers: Annotated[tuple[Provider, ...], Meta(min_length=1)] = ("cpu",)        # execution providers, best first
    emulated: bool = True            # False: the machine as it is
    measured: Measured | None = None # run times that were measured on such a board, in place of `speed`

    def speed_of(self, precision: Precision) -> float:
        """The speed of variants of this precision."""
        return self.speed.get(precision, self.speed["fp32"])

    def used_j(self, elapsed_s: float, busy_s: float) -> float:
        """The energy of a board that was up for a while, in which its executors were busy for so long, all together.

        From its idle power to its full power, in proportion to the share of its executors that are busy.
        """
        idle_w = IDLE_SHARE * self.power_w if self.idle_w is None else min(self.idle_w, self.power_w)
        return idle_w * elapsed_s + (self.power_w - idle_w) * min(busy_s / self.executors, elapsed_s)

    def origin_of(self, figure: FigureName) -> Origin:
        """Whether a figure was measured; one of unknown origin was not."""
        return self.figures[figure].origin if figure in self.figures else "derived"
