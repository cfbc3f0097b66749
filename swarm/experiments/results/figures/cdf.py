# pyright: reportMissingTypeStubs=false
"""Distributions of latency: one curve per arm, over all frames that fell due."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from swarm.core.settings.errors import BadInput
from swarm.core.settings.experiment_file import Figure
from swarm.experiments.design.points import ALL_RUNS
from swarm.experiments.design.rows import PointRow, Results
from swarm.experiments.results import warmup
from swarm.experiments.results.figures import style
from swarm.experiments.results.figures.check import arms_shown, chosen, facts_of
from swarm.experiments.results.figures.spread import Array, in_words, spread
from swarm.telemetry import table

STEPS = 600                          # of a curve: finer than a printer shows in this width
TAIL = 0.99                          # share of the results up to which the axis goes,
MOST_DEADLINES = 3.0                 # but no further than this


class Late(NamedTuple):
    """The due frames of one run: latencies (infinite without a result), and the deadlines of their streams."""

    late_ms: Array
    deadline_ms: Array


def cdf(figure: Figure, results: Results, folder: Path) -> style.Drawn:
    """The height of a curve at the deadline is the share on time, since a frame without a result is infinitely late.

    Frames of streams with different deadlines are drawn over latency / deadline. folder: of the experiment.
    Raises: BadInput if a run folder has no readable requests.
    """
    by_arm: dict[str, list[Late]] = {arm: [] for arm in arms_shown(figure, facts_of(results))}
    drawn: list[PointRow] = []
    for row in chosen(figure, results):
        late = _late(row, folder, figure.stream)
        if late.late_ms.size:
            by_arm[row.arm].append(late)
            drawn.append(row)
    runs = [late for found in by_arm.values() for late in found]
    if not runs:
        return style.nothing(figure.title)
    deadlines = np.unique(np.concatenate([late.deadline_ms for late in runs]))
    alike = deadlines.size == 1
    scaled = {arm: [late.late_ms / (1.0 if alike else late.deadline_ms) for late in found]
              for arm, found in by_arm.items()}
    deadline = float(deadlines[0]) if alike else 1.0
    edge = _edge([values for found in scaled.values() for values in found], deadline)
    at = np.linspace(0.0, edge, STEPS)
    drawing, axes = style.new(2.2, figure.title)
    handles = []
    for place, (arm, found) in enumerate(scaled.items()):
        if found:
            look = style.line_look(place)
            heights = spread(np.array([_heights(values, at) for values in found]))
            axes.fill_between(at, heights.low, heights.high, color=look["color"], alpha=0.18, linewidth=0)
            axes.plot(at, heights.median, **look)
            handles.append(Line2D([], [], label=arm or ALL_RUNS, **look))
    axes.axvline(deadline, color=style.RED, linewidth=0.9, linestyle=(0, (2, 2)))
    axes.annotate(f"deadline {deadline:g} ms" if alike else "deadline", (deadline, 0.03), (-3, 0), ha="right",
                  xycoords=("data", "axes fraction"), textcoords="offset points", color=style.RED, fontsize=7,
                  rotation=90)
    axes.set(xlim=(0.0, edge), ylim=(0.0, 1.01), xlabel="latency, ms" if alike else "latency / deadline",
             ylabel="share of due frames")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    style.legend(drawing, handles)
    counts = [len(found) for found in scaled.values() if found]
    return style.Drawn(drawing, _caption(figure, warmup.spans(drawn), counts))


def _late(row: PointRow, folder: Path, stream: str) -> Late:
    """The frames of one run that fell due after its warm-up, of one stream or of all."""
    run = folder / row.folder
    try:
        c = table.read(run / "requests.parquet")
        streams = json.loads((run / "summary.json").read_bytes())["streams"]
        deadlines_ms = {name: float(of["deadline_ms"]) for name, of in streams.items()}
        of_frame = np.array([deadlines_ms[name] for name in c["stream"]], np.float64)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(str(run), f"its requests cannot be drawn: {error}",
                       "a whole run folder: delete this one, and --resume flies it again") from None
    counted: NDArray[np.bool_] = c["due_s"] >= row.warmup_s
    if stream:
        counted &= c["stream"] == stream
    return Late(np.nan_to_num(c["latency_ms"], nan=math.inf)[counted], of_frame[counted])


def _edge(runs: Sequence[Array], deadline: float) -> float:
    """Where the axis ends: beyond the deadline, and beyond nearly all results."""
    finite = np.concatenate([values[np.isfinite(values)] for values in runs])
    tail = float(np.quantile(finite, TAIL)) if finite.size else 0.0
    return max(1.15 * deadline, min(1.05 * tail, MOST_DEADLINES * deadline))


def _heights(values: Array, at: Array) -> Array:
    return np.searchsorted(np.sort(values), at, side="right") / values.size


def _caption(figure: Figure, warmups_s: Sequence[float], runs: Sequence[int]) -> str:
    of = f"of {figure.stream}" if figure.stream else "of all streams"
    return (f"Latency {of} over all frames that fell due{warmup.after(warmups_s)}; a frame without a result is "
            f"infinitely late, so a curve's height at the deadline is the share on time. "
            f"{in_words(min(runs), max(runs), 'band')}")
