"""From an experiment file to its points: every combination of values that is flown, with every seed, in blocks."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from swarm.core.policy import draw
from swarm.core.settings.errors import BadInput
from swarm.core.settings.experiment_file import ExperimentFile
from swarm.experiments.design import exclude
from swarm.experiments.design.exclude import Cell

SEED = "seed"                        # a key of launch files that no experiment sets
POLICY = "policy"                    # the axis that is compared if the file does not say
MOST_COMBINATIONS = 20_000           # each is checked before anything runs
ALL_RUNS = "all runs"                # the arm where nothing is compared, in words
AGAIN = " (again)"                   # follows the value that others are compared with: the arm of the A/A control


class Combination(msgspec.Struct, frozen=True):
    """One value of each axis. `cell`: of all axes but the compared one; `arm`: the value of that one, as text."""

    values: Cell
    cell: Cell
    arm: str
    control: bool = False            # of the A/A control

    @property
    def named(self) -> str:
        """For messages to people."""
        return ", ".join(f"{axis}={shown(value)}" for axis, value in self.values.items()) or "the only one"


class Block(msgspec.Struct, frozen=True):
    """All arms of one cell and one seed. They run back to back where time is real."""

    cell: Cell
    seed: int
    combinations: list[Combination]  # in the order in which they run


def combinations(file: ExperimentFile, where: str) -> list[Combination]:
    """All combinations that are flown, in the order of the file. where: the file. Raises: BadInput."""
    parts = _parts(file, where)
    if SEED in {*file.set, *axes_of(file)}:
        raise BadInput(where, f"{SEED} is no axis", "seeds and first_seed: each point has its own")
    count = math.prod(map(len, parts))
    if count > MOST_COMBINATIONS:
        raise BadInput(where, f"{count} combinations of values", f"at most {MOST_COMBINATIONS}: fewer axes or values")
    compared = compared_axis(file, where)
    made = [dict(itertools.chain.from_iterable(values.items() for values in chosen))
            for chosen in itertools.product(*parts)]
    made = exclude.kept(file, made, where)
    arms = _arms(file, made, compared, where)
    alone = ALL_RUNS if file.control else ""         # an arm with a control needs a name beside it
    found = [Combination(values, {axis: value for axis, value in values.items() if axis != compared},
                         shown(values[compared]) if compared else alone) for values in made]
    keys = [cell_key(one.values) for one in found]
    if len(set(keys)) < len(keys):
        twice = next(one for k, one in enumerate(found) if keys[k] in keys[:k])
        raise BadInput(where, f"the point {twice.named} is there twice", "each combination of values once")
    if file.control:
        found += [msgspec.structs.replace(one, arm=one.arm + AGAIN, control=True) for one in found
                  if one.arm == (arms[0] if arms else alone)]
    return found


def arms_of(file: ExperimentFile, found: Sequence[Combination], where: str) -> list[str]:
    """The arms, the one first that the others are compared with."""
    first = _arms(file, [one.values for one in found], compared_axis(file, where), where)[:1]
    return list(dict.fromkeys([*first, *(one.arm for one in found)]))


def compared_axis(file: ExperimentFile, where: str) -> str:
    """The axis whose values are compared; empty: none. Raises: BadInput for one that the file does not vary."""
    varied = axes_of(file)
    if file.compare is None:
        return POLICY if POLICY in varied else ""
    if file.compare.axis not in varied:
        raise BadInput(f"{where}: compare.axis", f"{file.compare.axis!r} is no axis of this file",
                       f"one of {', '.join(varied)}" if varied else "an axis whose values are compared")
    return file.compare.axis


def axes_of(file: ExperimentFile) -> list[str]:
    """The names of all axes, in the order of the file."""
    return list(dict.fromkeys([*file.axes, *(axis for entry in file.zip for axis in entry),
                               *(axis for cell in file.cells for axis in cell)]))


def blocks(found: Sequence[Combination], seeds: Sequence[int]) -> list[Block]:
    """A block for each cell and seed, in a drawn order that depends on nothing else; the arms of each, too.

    A block has the arms that are flown in its cell.
    """
    cells: dict[str, list[Combination]] = {}
    for one in found:
        cells.setdefault(cell_key(one.cell), []).append(one)
    made = [Block(arms[0].cell, seed, draw.stream(seed, "arms", key).sample(arms, len(arms)))
            for seed in seeds for key, arms in cells.items()]
    order = [draw.uniform(block.seed, "block", cell_key(block.cell)) for block in made]
    return [made[k] for k in sorted(range(len(made)), key=order.__getitem__)]


def cell_key(cell: Cell) -> str:
    """A cell as text: equal cells have equal ones, whatever the order of their axes."""
    return json.dumps(cell, sort_keys=True)


def is_control(arm: str) -> bool:
    """Whether an arm is the A/A control."""
    return arm.endswith(AGAIN)


def shown(value: Any) -> str:
    """A value of an axis as people write it."""
    return value if isinstance(value, str) else json.dumps(value)


def _parts(file: ExperimentFile, where: str) -> list[list[Cell]]:
    """What is combined: the values of each axis, of each entry of `zip`, and the cells that are written out."""
    parts = [[{axis: value} for value in values] for axis, values in file.axes.items()]
    for k, entry in enumerate(file.zip):
        lengths = {len(values) for values in entry.values()}
        if not entry:
            raise BadInput(f"{where}: zip[{k}]", "no axis", "path.to.0.key: [value, value]")
        if len(lengths) > 1:
            raise BadInput(f"{where}: zip[{k}]", f"its axes have {_listed(sorted(lengths))} values",
                           "as many values for each axis: they go together")
        parts.append([dict(zip(entry, values, strict=True)) for values in zip(*entry.values(), strict=True)])
    if file.cells:
        parts.append([dict(cell) for cell in file.cells])
    owners: dict[str, str] = {}
    for place, axis in _named(file):
        if owners.setdefault(axis, place) != place:
            raise BadInput(f"{where}: {place}", f"{axis!r} is varied in {owners[axis]}, too", "each axis once")
    if file.cells and any(set(cell) != set(file.cells[0]) for cell in file.cells):
        raise BadInput(f"{where}: cells", "not all entries have the same axes", "a value of each axis in every entry")
    return parts


def _named(file: ExperimentFile) -> Iterator[tuple[str, str]]:
    """Each axis with the place in the file that varies it."""
    yield from (("axes", axis) for axis in file.axes)
    yield from ((f"zip[{k}]", axis) for k, entry in enumerate(file.zip) for axis in entry)
    yield from (("cells", axis) for cell in file.cells for axis in cell)


def _arms(file: ExperimentFile, made: Sequence[Cell], compared: str, where: str) -> list[str]:
    """The values of the compared axis, the one first that the others are compared with. Raises: BadInput."""
    if not compared:
        return []
    arms = list(dict.fromkeys(shown(values[compared]) for values in made))
    to = file.compare.to if file.compare is not None else None
    return first_to(to, arms, compared, f"{where}: compare.to")


def first_to(to: Any, arms: list[str], axis: str, where: str) -> list[str]:
    """The values of an axis, that one first with which others are compared: `to`, or none. Raises: BadInput."""
    if to is None:
        return arms
    base = shown(to)
    if base not in arms:
        raise BadInput(where, f"no point has {axis}={base}", f"one of {', '.join(arms)}")
    return [base, *(arm for arm in arms if arm != base)]


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:-1])) + f" and {numbers[-1]}"
