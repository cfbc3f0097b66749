"""What an experiment knows of its points: one row per point, and the comparisons over them."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from swarm.core.protocol.bounds import FleetName
from swarm.core.settings.experiment_file import Better

NOT_RUN = "it has not run"           # the error of a point that has no run yet
FIGURES = "figures"                  # the folder of the drawn figures, in that of the experiment
DRAWN_AS = ("pdf", "svg", "txt")     # each figure, and its caption
_NAME = re.compile(r"[^/\\\0\ud800-\udfff]+")             # no path, and text that UTF-8 can write


class PointRow(msgspec.Struct, frozen=True, kw_only=True):
    """One point with what its newest run gave."""

    id: str                          # of what decides its result: 32 hexadecimal digits
    cell: dict[str, Any]             # the value of each axis but the compared one
    arm: str                         # the value of the compared axis; empty: nothing is compared
    seed: int
    valid: bool                      # whether it counts: it ran, and so did its whole block, on a host that kept up
    invalid: list[str] = []          # why it does not count, in words
    error: str = ""                  # why there is no result
    values: dict[str, float | None] = {}     # of the metrics; null: there is no such figure in this run; may be inf
    warmup_s: float = 0.0            # of its launch: ratio and latencies are those after it
    folder: str = ""                 # its run folder, from the experiment's folder; empty: there is none
    command: str = ""                # that runs this point alone

    @property
    def waits(self) -> bool:
        """Whether it has not run."""
        return self.error == NOT_RUN

    @property
    def failed(self) -> bool:
        """Whether it has run and left no result."""
        return bool(self.error) and not self.waits


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One arm against another in one metric, over the seeds of one cell."""

    metric: str
    better: Better
    cell: dict[str, Any]
    arm: str
    against: str
    n: int                           # blocks: seeds in which both are valid and have the figure
    mean_arm: float | None           # means of the two over these blocks, as far as finite
    mean_against: float | None
    difference: float | None         # arm - against: the pseudo-median over the seeds
    interval: tuple[float, float] | None     # of it, 95 %
    p: float | None                  # of the sign-flip test
    p_adjusted: float | None         # over the family: all comparisons of one axis
    ratio: float | None              # arm / against
    won: float | None                # share of the seeds in which the arm is better
    verdict: str                     # better, worse, no difference shown, too few seeds


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """All that tables, figures and the page show."""

    name: str
    axes: list[str]                  # names of all axes, the compared one among them
    compared: str                    # the compared axis; empty: none
    arms: list[str]                  # its values, the one that the others are compared with first
    metrics: dict[str, Better]
    clock: str                       # real or virtual
    revision: str                    # of the code that ran the points
    rows: list[PointRow]             # ordered by cell, seed, arm
    comparisons: list[Comparison]
    also: list[Comparison] = []      # of further axes, over the same runs
    again: str = ""                  # the command that repeats the experiment, from its folder
    notes: list[str] = []            # what a reader must know: invalid runs, added seeds, another revision
    cut: list[str] = []              # metrics that leave out the warm-up of each run
    figures: list[FleetName] = []    # names of those that were drawn; they become paths

    @property
    def every_comparison(self) -> list[Comparison]:
        """Of the compared axis, and of the further ones."""
        return [*self.comparisons, *self.also]

    @property
    def figure_files(self) -> list[str]:
        """The files of these figures, from the experiment's folder."""
        return [f"{FIGURES}/{name}.{suffix}" for name in self.figures for suffix in DRAWN_AS]


def is_name(name: str) -> bool:
    """Whether an experiment may have this name, which becomes a folder's."""
    return _NAME.fullmatch(name) is not None and name.strip(".") != ""
