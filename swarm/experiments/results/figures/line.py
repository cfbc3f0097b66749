# pyright: reportMissingTypeStubs=false
"""A metric over an axis of numbers: one line per arm, each mark with its interval over the seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, NullLocator

from swarm.core.settings.experiment_file import Figure
from swarm.experiments.design.points import ALL_RUNS
from swarm.experiments.design.rows import PointRow, Results
from swarm.experiments.results.figures import style
from swarm.experiments.results.figures.check import arms_shown, chosen, facts_of
from swarm.experiments.results.figures.spread import in_words, spread
from swarm.experiments.results.words import label

APART = 0.012                        # of the axis between the marks of two arms, which would hide each other
LOGARITHMIC = 30.0                   # ratio of the values from which the axis is logarithmic
TICKS = 8                            # values that are all written on the axis


def line(figure: Figure, results: Results) -> style.Drawn:
    rows = [row for row in chosen(figure, results) if row.values.get(figure.metric) is not None]
    if not rows:
        return style.nothing(figure.title)
    arms = arms_shown(figure, facts_of(results))
    places = sorted({style.scaled(row.cell[figure.x], figure.x) for row in rows})
    drawing, axes = style.new(2.2, figure.title)
    logarithmic = places[0] > 0 and places[-1] / places[0] >= LOGARITHMIC
    if logarithmic:
        axes.set_xscale("log")
    top = top_of(rows, figure.metric)
    handles, runs, beyond = [], [], False
    for place, arm in enumerate(arms):
        by_x = _by_x(figure, rows, arm)
        if by_x:
            shift = (place - (len(arms) - 1) / 2.0) * APART
            at = [_shifted(x, shift, places, logarithmic) for x in by_x]
            seen = [spread(np.array(values)) for values in by_x.values()]
            median, low, high = (np.array([float(getattr(one, name)) for one in seen]) for name in seen[0]._fields)
            beyond |= bool(np.isinf(high).any())
            look = {**style.line_look(place), **style.marker_look(place)}
            axes.plot(at, np.minimum(median, top), **look)
            axes.vlines(at, np.minimum(low, top), np.minimum(high, top), color=look["color"], linewidth=0.8)
            for ends in (low, high):
                axes.plot(at, np.minimum(ends, top), linestyle="none", marker="_", markersize=4, color=look["color"],
                          markeredgewidth=0.8)
            handles.append(Line2D([], [], label=arm or ALL_RUNS, **look))
            runs += map(len, by_x.values())
    if beyond:
        no_result(axes, top)
    if len(places) <= TICKS:
        axes.set_xticks(places, [f"{x:g}" for x in places])
        axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(label(figure.x))
    style.metric_axis(axes, figure.metric)
    style.legend(drawing, handles)
    return style.Drawn(drawing, f"{label(figure.metric)} over {label(figure.x)}. "
                       + in_words(min(runs), max(runs), "bars"))


def top_of(rows: Sequence[PointRow], metric: str) -> float:
    """Where a figure beyond the last result is drawn: above all others."""
    finite = [style.scaled(v, metric) for row in rows if (v := row.values[metric]) is not None and math.isfinite(v)]
    return 1.12 * max(finite, default=1.0) or 1.0


def no_result(axes: Axes, top: float) -> None:
    """The line at which figures beyond the last result are drawn."""
    axes.axhline(top, color=style.MUTED, linewidth=0.7, linestyle=(0, (1, 2)), zorder=0)
    axes.annotate("no result", (0.0, top), (2, 2), xycoords=("axes fraction", "data"), textcoords="offset points",
                  color=style.MUTED, fontsize=6.5)


def _by_x(figure: Figure, rows: Sequence[PointRow], arm: str) -> Mapping[float, list[float]]:
    """The figures of one arm in order of the axis."""
    found: dict[float, list[float]] = {}
    for row in rows:
        value = row.values[figure.metric]
        if row.arm == arm and value is not None:
            found.setdefault(style.scaled(row.cell[figure.x], figure.x), []).append(style.scaled(value, figure.metric))
    return dict(sorted(found.items()))


def _shifted(x: float, share: float, places: Sequence[float], logarithmic: bool) -> float:
    """Moved by a share of the axis."""
    if logarithmic:
        return x * (places[-1] / places[0]) ** share
    return x + share * ((places[-1] - places[0]) or 1.0)
