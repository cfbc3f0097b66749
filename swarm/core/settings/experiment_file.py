"""Experiment files: a launch file, what is varied in it, how often it is run, and what is looked at.

The files in `launch/experiments/` are examples.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from swarm.core.protocol.bounds import FleetName, Seed
from swarm.core.settings.boards import Strict

Values = Annotated[list[Any], Meta(min_length=1, max_length=10_000)]
SeedCount = Annotated[int, Meta(ge=1, le=100_000)]
Better = Literal["higher", "lower"]


class Compare(Strict, frozen=True, kw_only=True):
    """The other values of one axis are compared with one of them, seed by seed, wherever all other axes are equal."""

    axis: str = "policy"
    to: Any = None                   # the value that the others are compared with; null: the first one


class StopWhen(Strict, frozen=True, kw_only=True):
    """Seeds are added until the interval of every difference in `metric` is this narrow."""

    metric: str
    half_width: Annotated[float, Meta(gt=0.0, le=1e12)]      # in units of the metric
    batch: Annotated[int, Meta(ge=1, le=200)] = 5    # seeds that are added at a time
    most_seeds: Annotated[int, Meta(ge=6, le=200)] = 60


class Figure(Strict, frozen=True, kw_only=True):
    """A figure, written as NAME.pdf and NAME.svg."""

    name: FleetName
    kind: Literal["cdf", "line", "box", "wins", "pareto"]
    metric: str = ""                 # key of the vertical axis; of `cdf`: none, it shows latencies over all due frames
    x: str = ""                      # axis of `line`, `box` and `wins`; key of another metric of `pareto`
    y: str = ""                      # second axis of `wins`
    stream: str = ""                 # of `cdf`: its name; empty: all streams
    where: dict[str, Any] = {}       # only points with these values of axes
    title: str = ""


class ExperimentFile(Strict, frozen=True, kw_only=True):
    """One experiment. The points are all combinations of `axes`, `zip` and `cells`, but `exclude`, with every seed."""

    version: Literal[1]              # of this format
    launch: str                      # a launch file: its name, or its path from this file's folder
    boards: Annotated[list[str], Meta(max_length=100)] = []  # files of boards, as `--boards`, from this file's folder
    set: dict[str, Any] = {}         # changes of the launch file for all points: path.to.0.key -> value
    axes: dict[str, Values] = {}     # path.to.0.key (or `robots`) -> its values: every combination of them
    zip: list[dict[str, Values]] = []        # in each entry the axes go together: first values, second values, ...
    cells: Annotated[list[dict[str, Any]], Meta(max_length=10_000)] = []     # or written out: axis -> value
    exclude: Annotated[list[dict[str, Any]], Meta(max_length=1_000)] = []        # axis -> value, or values: not flown
    seeds: SeedCount = 6             # how many
    first_seed: Seed = 1             # the others follow it
    metrics: Annotated[dict[str, Better], Meta(min_length=1, max_length=100)]    # key of summary.json -> what is better
    compare: Compare | None = None   # null: by `policy` if it is varied, else nothing is compared
    also: Annotated[list[Compare], Meta(max_length=20)] = [] # further axes that are compared, over the same runs
    control: bool = False            # an A/A control: the compared value is run twice, and compared with itself
    repeats: Annotated[int, Meta(ge=0, le=20)] = 2   # of a block with an invalid run
    stop_when: StopWhen | None = None
    figures: Annotated[list[Figure], Meta(max_length=100)] = []
