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
        contrast = Contrast(one.axis, first_to(one.to, arms, one.axis, f"{at}.to"))
        if not size(contrast, found):
            raise BadInput(f"{at}.axis", _none_differs(contrast),
                           "an axis that no other one goes with, as `fleet.*.physics` for all fleets")
        made.append(contrast)
    return made


def check_compared(file: ExperimentFile, compared: Contrast, found: Sequence[Combination], where: str) -> None:
    """Raises: BadInput if `exclude` leaves nothing of the comparison of the arms. compared: an axis may be empty."""
    if file.exclude and compared.axis and not size(compared, found):
        raise BadInput(f"{where}: exclude", f"it leaves nothing to compare: {_none_differs(compared)}",
                       "entries that leave points to compare")


def _none_differs(contrast: Contrast) -> str:
    axis, arms = contrast
    return f"no two points differ in {axis!r} alone, one of them with {arms[0]}"


def size(contrast: Contrast, found: Sequence[Combination]) -> int:
    """Its comparisons in one metric: of each value with the first one, where both are flown. found: all combinations.
    """
    by_rest: dict[str, set[str]] = {}
    for one in found:
        if not one.control and contrast.axis:
            rest = {axis: value for axis, value in one.values.items() if axis != contrast.axis}
            by_rest.setdefault(cell_key(rest), set()).add(shown(one.values[contrast.axis]))
    return sum(len(arms) - 1 for arms in by_rest.values() if contrast.arms[0] in arms)


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
