"""Whether the figures of an experiment file can be drawn, and the points that each one shows. Nothing has to have run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from swarm.core.settings.errors import BadInput
from swarm.core.settings.experiment_file import Figure
from swarm.experiments.design.points import AGAIN, cell_key, is_control, shown
from swarm.experiments.design.rows import PointRow, Results
from swarm.experiments.results.words import is_number, listed


class Facts(NamedTuple):
    """What an experiment varies and measures, without any result."""

    cells: Sequence[Mapping[str, Any]]       # each a value of all axes but the compared one
    compared: str                            # the compared axis; empty: none
    arms: Sequence[str]                      # its values; that of the control, too
    metrics: Sequence[str]
    streams: Sequence[str] | None = None     # names; None: not known here
    flown: Sequence[tuple[Mapping[str, Any], str]] | None = None     # cells with their arms; None: all arms in each

    @property
    def axes(self) -> list[str]:
        """The names of all axes, the compared one last."""
        return [*(self.cells[0] if self.cells else ()), *filter(None, [self.compared])]


USES = {"cdf": ("stream",), "line": ("metric", "x"), "box": ("metric", "x"), "wins": ("metric", "x", "y"),
        "pareto": ("metric", "x")}
"""The keys of a figure by kind, beside name, kind, where and title."""
NEEDS = {"cdf": (), "line": ("metric", "x"), "box": ("metric",), "wins": ("metric", "x", "y"),
         "pareto": ("metric", "x")}


def facts_of(results: Results) -> Facts:
    """Of an experiment that has run."""
    cells = {cell_key(row.cell): row.cell for row in results.rows}
    arms = [*results.arms, *(row.arm for row in results.rows)]
    return Facts(list(cells.values()), results.compared, list(dict.fromkeys(filter(None, arms))), list(results.metrics),
                 flown=[(row.cell, row.arm) for row in results.rows])


def check(figures: Sequence[Figure], facts: Facts, where: str = "figures") -> None:
    """Raises: BadInput that names the figure, its key, and what would be right. where: the file."""
    seen: set[str] = set()
    for figure in figures:
        at = f"{where}: figure {figure.name}"
        if figure.name in seen:
            raise BadInput(at, "there is another figure of this name", "each name once: it is that of a file")
        seen.add(figure.name)
        _keys(figure, at)
        _names(figure, facts, at)
        _places(figure, facts, at)


def shown_axes(figure: Figure, compared: str) -> list[str]:
    """The axes but the compared one whose values a figure tells apart."""
    named = {"line": [figure.x], "box": [figure.x], "wins": [figure.x, figure.y]}.get(figure.kind, [])
    return [axis for axis in named if axis and axis != compared]


def chosen(figure: Figure, results: Results) -> list[PointRow]:
    """The valid points that the figure's `where` leaves."""
    return [row for row in results.rows if row.valid and fits(figure.where, row.cell, results.compared, row.arm)]


def fits(where: Mapping[str, Any], cell: Mapping[str, Any], compared: str, arm: str) -> bool:
    """Whether a point has the values that a figure asks for. The control has those of its arm."""
    return all(arm.removesuffix(AGAIN) == shown(value) if axis == compared else cell.get(axis) == value
               for axis, value in where.items())


def arms_shown(figure: Figure, facts: Facts) -> list[str]:
    """The arms of a figure in order; without compared axis the one that has no name."""
    there = {arm for cell, arm in _flown(facts) if fits(figure.where, cell, facts.compared, arm)}
    return [arm for arm in facts.arms if arm in there] or [""]


def _flown(facts: Facts) -> Sequence[tuple[Mapping[str, Any], str]]:
    """The cells with their arms."""
    if facts.flown is not None:
        return facts.flown
    return [(cell, arm) for cell in facts.cells for arm in facts.arms or [""]]


def _keys(figure: Figure, at: str) -> None:
    for key in ("metric", "x", "y", "stream"):
        given = getattr(figure, key)
        if given and key not in USES[figure.kind]:
            raise BadInput(f"{at}: {key}", f"a {figure.kind} figure has no use for it",
                           f"it has {listed([*USES[figure.kind], 'where', 'title'])}")
        if not given and key in NEEDS[figure.kind]:
            raise BadInput(f"{at}: {key}", f"a {figure.kind} figure needs it", f"name its {listed(NEEDS[figure.kind])}")


def _names(figure: Figure, facts: Facts, at: str) -> None:
    """Every name in the figure is one of the experiment's."""
    _among(figure.metric, facts.metrics, f"{at}: metric", "no metric of this experiment")
    if figure.stream and facts.streams is not None:
        _among(figure.stream, facts.streams, f"{at}: stream", "no stream of this experiment")
    cell_axes = [axis for axis in facts.axes if axis != facts.compared]
    if figure.kind == "pareto":
        others = [metric for metric in facts.metrics if metric != figure.metric]
        _among(figure.x, others, f"{at}: x", "no other metric of this experiment")
    else:
        _among(figure.x, facts.axes if figure.kind == "box" else cell_axes, f"{at}: x", "no axis that it can show")
    _among(figure.y, [axis for axis in cell_axes if axis != figure.x], f"{at}: y", "no other axis that it can show")
    if figure.kind == "wins" and len([arm for arm in facts.arms if not is_control(arm)]) < 2:
        raise BadInput(at, "a wins figure shows comparisons, and nothing is compared", "an axis `policy`, or `compare`")
    if figure.kind == "line":
        for value in (cell[figure.x] for cell in facts.cells):
            if not is_number(value):
                raise BadInput(f"{at}: x", f"the axis {figure.x} has the value {shown(value)}",
                               "an axis of numbers; kind box shows any other")


def _places(figure: Figure, facts: Facts, at: str) -> None:
    """`where` names values that there are, and leaves one cell for each place in the figure: no two are mixed."""
    for axis, value in figure.where.items():
        _among(axis, facts.axes, f"{at}: where", "no axis of this experiment")
        there = facts.arms if axis == facts.compared else [cell[axis] for cell in facts.cells]
        if (shown(value) if axis == facts.compared else value) not in there:
            raise BadInput(f"{at}: where.{axis}", f"{shown(value)} is not among its values",
                           f"one of {', '.join(dict.fromkeys(map(shown, there)))}")
    cells = [cell for cell, arm in _flown(facts) if fits(figure.where, cell, facts.compared, arm)]
    if not cells:
        raise BadInput(f"{at}: where", "no point has all these values", "values that go together in one cell")
    if figure.kind == "pareto":
        return
    axes = shown_axes(figure, facts.compared)
    first: dict[str, Mapping[str, Any]] = {}
    for cell in cells:
        other = first.setdefault(json.dumps([cell[axis] for axis in axes]), cell)
        mixed = [axis for axis in cell if cell[axis] != other[axis]]
        if mixed:
            raise BadInput(at, f"it would mix points of {mixed[0]} {shown(other[mixed[0]])} and "
                           f"{shown(cell[mixed[0]])}", f"choose one: where: {{{mixed[0]}: {shown(cell[mixed[0]])}}}")


def _among(name: str, names: Sequence[str], at: str, what: str) -> None:
    if name and name not in names:
        raise BadInput(at, f"{name!r} is {what}", f"one of {', '.join(names)}" if names else "there is none")
