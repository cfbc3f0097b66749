# pyright: reportMissingTypeStubs=false
"""Which arm wins where: the verdict of the comparisons over two axes, with the difference written in."""

from __future__ import annotations

import math
from typing import Any

from matplotlib.patches import Patch, Rectangle

from swarm.core.settings.experiment_file import Figure
from swarm.experiments.design.points import is_control
from swarm.experiments.design.rows import Comparison, Results
from swarm.experiments.results.figures import style
from swarm.experiments.results.figures.check import arms_shown, facts_of, fits
from swarm.experiments.results.words import decimals, label, number, tick, unit_of

UNDECIDED = {"facecolor": style.PAPER, "edgecolor": style.MUTED, "linewidth": 0.5}
TOO_FEW = "too few seeds"


def wins(figure: Figure, results: Results) -> style.Drawn:
    comparisons = [one for one in results.comparisons if one.metric == figure.metric and not is_control(one.arm)
                   and fits(figure.where, one.cell, results.compared, one.arm)]
    if not comparisons:
        return style.nothing(figure.title)
    arms = arms_shown(figure, facts_of(results))
    arms = list(dict.fromkeys([*results.arms[:1], *arms]))          # the arm that the others are compared with, too
    across = _ordered([one.cell[figure.x] for one in comparisons])
    up = _ordered([one.cell[figure.y] for one in comparisons])
    drawing, axes = style.new(0.75 + 0.34 * max(3, len(up)), figure.title)
    won: list[str] = []
    for i, x in enumerate(across):
        for j, y in enumerate(up):
            here = [one for one in comparisons if one.cell[figure.x] == x and one.cell[figure.y] == y]
            if here:
                winner, one = _winner(here)
                won.append(winner)
                look = style.fill_look(arms.index(winner)) if winner in arms else UNDECIDED
                axes.add_patch(Rectangle((i - 0.47, j - 0.45), 0.94, 0.9, **look))
                axes.text(i, j, _difference(one, figure.metric), ha="center", va="center_baseline", fontsize=6.5,
                          bbox={"facecolor": look["facecolor"], "edgecolor": "none", "pad": 0.8})
    axes.set(xlim=(-0.55, len(across) - 0.45), ylim=(-0.55, len(up) - 0.45), xlabel=label(figure.x),
             ylabel=label(figure.y))
    axes.set_xticks(range(len(across)), [tick(x, figure.x) for x in across])
    axes.set_yticks(range(len(up)), [tick(y, figure.y) for y in up])
    axes.grid(visible=False)
    handles = [Patch(label=f"{arm} wins", **style.fill_look(arms.index(arm))) for arm in arms if arm in won]
    handles += [Patch(label=text, **UNDECIDED) for text in ("no difference shown", TOO_FEW) if text in won]
    drawing.legend(handles=handles, ncols=2, **style.LEGEND)
    return style.Drawn(drawing, _caption(figure, comparisons))


def _winner(here: list[Comparison]) -> tuple[str, Comparison]:
    """The arm that wins in a cell, and its comparison: of the better ones the one furthest ahead; that against which
    all others are worse; else why there is none."""
    ahead = [one for one in here if one.verdict == "better"]
    if ahead:
        best = max(ahead, key=_gain)
        return best.arm, best
    first = max(here, key=_gain)
    if all(one.verdict == "worse" for one in here):
        return first.against, first
    return (TOO_FEW if all(one.verdict == TOO_FEW for one in here) else "no difference shown"), first


def _gain(one: Comparison) -> float:
    """The difference, positive if the arm is ahead."""
    difference = -math.inf if one.difference is None else one.difference
    return difference if one.better == "higher" or one.difference is None else -difference


def _difference(one: Comparison, metric: str) -> str:
    """In the unit in which the metric is shown, rounded by its interval."""
    unit = unit_of(metric)
    if one.difference is None:
        return number(None)
    half = math.inf if one.interval is None else (one.interval[1] - one.interval[0]) / 2.0 * unit.scale
    return number(one.difference * unit.scale, decimals(half), "+")


def _ordered(values: list[Any]) -> list[Any]:
    """Each value once: numbers in order, others as they come."""
    once = [value for k, value in enumerate(values) if value not in values[:k]]
    numbers = all(isinstance(value, (int, float)) for value in once)
    return sorted(once) if numbers else once


def _caption(figure: Figure, comparisons: list[Comparison]) -> str:
    against = comparisons[0].against
    arms = list(dict.fromkeys(one.arm for one in comparisons))
    unit = unit_of(figure.metric).apart
    difference = f"{arms[0]} - {against}" if len(arms) == 1 else f"the winner, or the best other, - {against}"
    seeds = sorted({one.n for one in comparisons})
    return (f"Which arm wins in {label(figure.metric)} ({comparisons[0].better} is better). The number is the "
            f"difference {difference}{f', in {unit}' * bool(unit)}: the pseudo-median over "
            f"{seeds[0]}{f' to {seeds[-1]}' * (len(seeds) > 1)} seeds.")
