# pyright: reportMissingTypeStubs=false
"""Two metrics against each other: one mark per cell and arm, and the front that no other mark beats in both."""

from __future__ import annotations

import json
import math
from typing import NamedTuple

import numpy as np
from matplotlib.lines import Line2D

from swarm.core.settings.experiment_file import Better, Figure
from swarm.experiments.design.points import ALL_RUNS, cell_key
from swarm.experiments.design.rows import PointRow, Results
from swarm.experiments.results.figures import style
from swarm.experiments.results.figures.check import arms_shown, chosen, facts_of
from swarm.experiments.results.figures.spread import spread
from swarm.experiments.results.words import count, label, of_axis

ROOM = (0.3, 0.06)                   # of the width and the height: what the values of a cell take
NAMED = 20                           # marks up to which there is room for such values


class Mark(NamedTuple):
    """The medians over the seeds of one cell and arm, in the units in which they are shown."""

    arm: str
    x: float
    y: float
    cell: str


def pareto(figure: Figure, results: Results) -> style.Drawn:
    marks, left_out, runs = _marks(figure, results)
    if not marks:
        return style.nothing(figure.title)
    arms = arms_shown(figure, facts_of(results))
    better = (results.metrics[figure.x], results.metrics[figure.metric])
    drawing, axes = style.new(2.4, figure.title)
    best = front(marks, better)
    axes.plot([mark.x for mark in best], [mark.y for mark in best], color=style.MUTED, linewidth=0.9,
              linestyle=(0, (3, 1.5)), zorder=1)
    handles = []
    for place, arm in enumerate(arms):
        own = [mark for mark in marks if mark.arm == arm]
        look = {"linestyle": "none", **style.marker_look(place)}
        if own:
            axes.plot([mark.x for mark in own], [mark.y for mark in own], zorder=2, **look)
            handles.append(Line2D([], [], label=arm or ALL_RUNS, **look))
    named = _apart(best, marks) if len(marks) <= NAMED else []
    axes.margins(0.35 if named and best[0].cell else 0.1, 0.1)
    left, below = better[0] == "lower", better[1] == "lower"
    for mark in named:                   # on the side where there is no mark, else it would be on the front
        axes.annotate(mark.cell, (mark.x, mark.y), (-4 if left else 4, -1 if below else 1), fontsize=6,
                      textcoords="offset points", ha="right" if left else "left", va="top" if below else "bottom",
                      color=style.MUTED)
    style.metric_axis(axes, figure.x, "x", better[0])
    style.metric_axis(axes, figure.metric, "y", better[1])
    handles.append(Line2D([], [], label="front", color=style.MUTED, linewidth=0.9, linestyle=(0, (3, 1.5))))
    style.legend(drawing, handles, 4)
    varied = ", ".join(map(label, _varied(figure, results)))
    return style.Drawn(drawing, f"{label(figure.metric)} against {label(figure.x)}: a mark is the median of a cell and "
                       f"an arm over {runs} runs at most; no mark is better than the front in both."
                       + f" Beside a mark on the front are the values of its cell: {varied}." * bool(named and varied)
                       + f" Without a figure, and left out: {count(left_out, 'mark')}." * bool(left_out))


def front(marks: list[Mark], better: tuple[Better, Better]) -> list[Mark]:
    """The marks that no other one beats in one metric without losing in the other, in order of x."""
    gains = [((mark.x if better[0] == "higher" else -mark.x), (mark.y if better[1] == "higher" else -mark.y))
             for mark in marks]
    kept = [mark for mark, (x, y) in zip(marks, gains, strict=True)
            if not any(a >= x and b >= y and (a, b) != (x, y) for a, b in gains)]
    return sorted(kept, key=lambda mark: (mark.x, mark.y))


def _apart(best: list[Mark], marks: list[Mark]) -> list[Mark]:
    """Of the marks on the front those with room beside them."""
    room = [share * np.ptp([getattr(mark, way) for mark in marks]) for share, way in zip(ROOM, "xy", strict=True)]
    kept: list[Mark] = []
    for mark in best:
        if all(abs(mark.x - one.x) > room[0] or abs(mark.y - one.y) > room[1] for one in kept):
            kept.append(mark)
    return kept


def _marks(figure: Figure, results: Results) -> tuple[list[Mark], int, int]:
    """The marks; how many have no figure, or one beyond the last result; and the most runs of one mark."""
    by_place: dict[tuple[str, str], list[PointRow]] = {}
    for row in chosen(figure, results):
        by_place.setdefault((row.arm, cell_key(row.cell)), []).append(row)
    varied = _varied(figure, results)
    found: list[Mark] = []
    for (arm, _), rows in by_place.items():
        x, y = (_median(rows, metric) for metric in (figure.x, figure.metric))
        if math.isfinite(x) and math.isfinite(y):
            found.append(Mark(arm, x, y, ", ".join(of_axis(rows[0].cell[axis], axis) for axis in varied)))
    return found, len(by_place) - len(found), max(map(len, by_place.values()), default=0)


def _varied(figure: Figure, results: Results) -> list[str]:
    """The axes in which the cells of the figure differ."""
    cells = [row.cell for row in chosen(figure, results)]
    return [axis for axis in results.axes if len({json.dumps(cell.get(axis), sort_keys=True) for cell in cells}) > 1]


def _median(rows: list[PointRow], metric: str) -> float:
    known = [style.scaled(value, metric) for row in rows if (value := row.values.get(metric)) is not None]
    return float(spread(np.array(known)).median) if known else math.nan
