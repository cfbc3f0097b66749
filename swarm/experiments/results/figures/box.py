# pyright: reportMissingTypeStubs=false
"""A metric per arm, or per value of an axis and arm: boxes over the runs, and the runs themselves where they are few.
"""

from __future__ import annotations

import json

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from swarm.core.settings.experiment_file import Figure
from swarm.experiments.design.points import ALL_RUNS
from swarm.experiments.design.rows import Results
from swarm.experiments.results.figures import style
from swarm.experiments.results.figures.check import arms_shown, chosen, facts_of, shown_axes
from swarm.experiments.results.figures.line import no_result, top_of
from swarm.experiments.results.figures.spread import Array
from swarm.experiments.results.words import label, tick

DOTS = 20                            # runs up to which each one is drawn
LEAST = 5                            # runs that have quartiles; of fewer there are only the dots and their median
WIDTH = 0.8                          # of all boxes of one group, whose places are 1 apart
THIN = {"color": style.INK, "linewidth": 0.7}
TILTED = 24                          # letters of all names below the axis from which they are tilted


def box(figure: Figure, results: Results) -> style.Drawn:
    rows = [row for row in chosen(figure, results) if row.values.get(figure.metric) is not None]
    if not rows:
        return style.nothing(figure.title)
    arms = arms_shown(figure, facts_of(results))
    by_axis = shown_axes(figure, results.compared)
    groups = [json.dumps([row.cell[axis] for axis in by_axis]) for row in rows]      # two values may have one tick
    names = {group: "".join(tick(row.cell[axis], axis) for axis in by_axis)
             for row, group in zip(rows, groups, strict=True)}
    drawing, axes = style.new(2.2, figure.title)
    top = top_of(rows, figure.metric)
    most, beyond, width = 0, False, WIDTH / (len(arms) if by_axis else 1)
    for place, arm in enumerate(arms):
        for k, name in enumerate(names):
            values = np.array([style.scaled(float(row.values[figure.metric] or 0.0), figure.metric)
                               for row, group in zip(rows, groups, strict=True) if (row.arm, group) == (arm, name)])
            if values.size:
                at = k + (place - (len(arms) - 1) / 2.0) * width if by_axis else float(place)
                _draw(axes, at, np.minimum(values, top), 0.86 * width, place)
                most, beyond = max(most, values.size), beyond or bool(np.isinf(values).any())
    if beyond:
        no_result(axes, top)
    ticks = list(names.values()) if by_axis else [arm or ALL_RUNS for arm in arms]
    tilt = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if sum(map(len, ticks)) > TILTED else {}
    axes.set_xticks(range(len(ticks)), ticks, **tilt)
    axes.set_xlim(-0.6, len(ticks) - 0.4)
    axes.grid(visible=False, axis="x")
    axes.set_xlabel(label(by_axis[0]) if by_axis else label(results.compared) if results.compared else "")
    style.metric_axis(axes, figure.metric)
    if by_axis:
        style.legend(drawing, [Patch(label=arm, **style.fill_look(place)) for place, arm in enumerate(arms)])
    dots = "; a dot is a run" if most <= DOTS else ""
    boxes = "" if most < LEAST else ("; a box has the middle half of the runs, its whiskers reach the least and the "
                                     "largest")
    return style.Drawn(drawing, f"{label(figure.metric)}, a figure per run (at most {most} in each place): the line "
                       f"is the median{boxes}{dots}.")


def _draw(axes: Axes, at: float, values: Array, width: float, place: int) -> None:
    if values.size >= LEAST:
        drawn = axes.boxplot([values], positions=[at], widths=width, whis=(0, 100), patch_artist=True, showfliers=False,
                             manage_ticks=False, medianprops={"color": style.INK, "linewidth": 1.3},
                             whiskerprops=THIN, capprops=THIN)
        drawn["boxes"][0].set(**style.fill_look(place))
    else:
        axes.hlines(np.median(values), at - width / 2, at + width / 2, color=style.INK, linewidth=1.3)
    if values.size <= DOTS:
        beside = (np.arange(values.size) - (values.size - 1) / 2.0) / max(values.size, DOTS) * width
        axes.plot(at + beside, values, linestyle="none", zorder=3, **{**style.marker_look(place), "markersize": 2.6,
                                                                      "markeredgewidth": 0.7})
