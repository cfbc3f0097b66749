"""Further axes that are compared over the same runs: the values of each with one of them, all else being equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from swarm.core.settings.errors import BadInput
from swarm.core.settings.experiment_file import Better, ExperimentFile
from swarm.experiments.design import analysis
from swarm.experiments.design.points import Combination, axes_of, cell_key, compared_axis, first_to, is_control, shown
from swarm.experiments.design.rows import Comparison, PointRow
from swarm.experiments.statistics.stopping import StopWhen


class Contrast(NamedTuple):
    """An axis, and its values as text, the one first that the others are compared with."""

    axis: str
    arms: list[str]


def contrasts(file: ExperimentFile, found: Sequence[Combination], where: str) -> list[Contrast]:
    """Those of `also`, in its order. found: all combinations. where: the file. Raises: BadInput."""
    made: list[Contrast] = []
    taken = [compared_axis(file, where)]
    for k, one in enumerate(file.also):
        at, axes = f"{where}: also[{k}]", axes_of(file)
        if one.axis not in axes:
            raise BadInput(f"{at}.axis", f"{one.axis!r} is no axis of this file", f"one of {', '.join(axes)}")
        if one.axis in taken:
            raise BadInput(f"{at}.axis", f"{one.axis!r} is compared already", "each axis once")
        taken.append(one.axis)
        arms = list(dict.fromkeys(shown(combination.values[one.axis]) for combination in found))
        if not _differ(one.axis, found):
            raise BadInput(f"{at}.axis", f"no two points differ in {one.axis!r} alone",
                           "an axis that no other one goes with, as `fleet.*.physics` for all fleets")
        made.append(Contrast(one.axis, first_to(one.to, arms, one.axis, f"{at}.to")))
    return made


def _differ(axis: str, found: Sequence[Combination]) -> bool:
    """Whether two points differ in this axis and in no other one."""
    rest = _without(axis, found)
    return len(set(rest)) < len(rest)


def size(contrast: Contrast, found: Sequence[Combination]) -> int:
    """Its comparisons in one metric. found: all combinations."""
    return len(set(_without(contrast.axis, found))) * (len(contrast.arms) - 1)


def _without(axis: str, found: Sequence[Combination]) -> list[str]:
    """The values of all other axes of each combination, as text."""
    return [cell_key({name: value for name, value in one.values.items() if name != axis})
            for one in found if not one.control]


def turned(rows: Sequence[PointRow], compared: str, axis: str) -> list[PointRow]:
    """The same rows with the values of another axis as arms, without those of a control. compared: their own axis."""
    made: list[PointRow] = []
    for row in rows:
        if not is_control(row.arm):
            values = ({compared: row.arm} if compared else {}) | row.cell
            arm = shown(values.pop(axis))
            made.append(msgspec.structs.replace(row, cell=values, arm=arm))
    return made


def comparisons(
    rows: Sequence[PointRow], compared: str, wanted: Sequence[Contrast], metrics: Mapping[str, Better],
    stop_when: Mapping[str, StopWhen] | None = None,
) -> list[Comparison]:
    """Of all contrasts: each is a family of its own. rows, stop_when: as of `analysis.comparisons`."""
    return [one for axis, arms in wanted
            for one in analysis.comparisons(turned(rows, compared, axis), arms, metrics, stop_when)]
