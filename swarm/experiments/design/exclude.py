"""Combinations that are not flown: those that an entry of an experiment file's `exclude` names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from swarm.core.settings.errors import BadInput
from swarm.core.settings.experiment_file import ExperimentFile

Cell = dict[str, Any]


def kept(file: ExperimentFile, made: Sequence[Cell], where: str) -> list[Cell]:
    """The combinations that no entry names. An entry names those with its value, or one of its values, on each axis.

    made: all combinations. where: the file. Raises: BadInput.
    """
    for k, entry in enumerate(file.exclude):
        _check(entry, made, f"{where}: exclude[{k}]")
    left = [values for values in made if not any(_names(entry, values) for entry in file.exclude)]
    if not left:
        raise BadInput(f"{where}: exclude", "it leaves no point", "entries that leave some")
    return left


def _names(entry: Mapping[str, Any], values: Cell) -> bool:
    return all(json.dumps(values[axis]) in _texts(of) for axis, of in entry.items())


def _check(entry: Mapping[str, Any], made: Sequence[Cell], at: str) -> None:
    """Whether the axes and values of an entry are those of the file, and go together in some combination."""
    axes = list(made[0])
    if not entry:
        raise BadInput(at, "no axis", "axis: value, or axis: [value, value]")
    for axis, of in entry.items():
        if axis not in axes:
            raise BadInput(at, f"{axis!r} is no axis of this file", f"one of {', '.join(axes)}" if axes else "none")
        there = list(dict.fromkeys(json.dumps(values[axis]) for values in made))
        for text in _texts(of):
            if text not in there:
                raise BadInput(f"{at}.{axis}", f"{text} is no value of this axis", f"one of {', '.join(there)}")
        if not _texts(of):
            raise BadInput(f"{at}.{axis}", "no value", f"some of {', '.join(there)}")
    if not any(_names(entry, values) for values in made):
        raise BadInput(at, "no point has all these values", "values that go together in a point")


def _texts(of: Any) -> list[str]:
    """The values that an entry gives an axis, as text: true is not 1."""
    return [json.dumps(value) for value in (of if isinstance(of, list) else [of])]
