"""The stages of one variant, run one after the other: all of them, or only those of this robot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from models.store import ModelError


class Stage(Protocol):
    """A loaded stage: a `models.session.Session` of its file, or an object with the same methods."""

    @property
    def inputs(self) -> Sequence[Named]: ...

    @property
    def outputs(self) -> Sequence[Named]: ...

    def run(self, inputs: Mapping[str, NDArray], handle: Any = None) -> list[NDArray]: ...

    def close(self) -> None: ...


class Named(Protocol):
    """A tensor of a stage."""

    @property
    def name(self) -> str: ...


class Pipeline:
    """Loaded stages in order, with the names of the whole graph's inputs and outputs.

    Raises: ModelError if a stage reads a tensor that is neither an input of the graph nor made by an earlier stage.
    """

    def __init__(self, stages: Sequence[Stage], inputs: Sequence[str], outputs: Sequence[str]) -> None:
        self._stages = stages
        self._inputs = [[spec.name for spec in stage.inputs] for stage in stages]
        self._outputs = [[spec.name for spec in stage.outputs] for stage in stages]
        available = list(inputs)
        self._crossing: list[list[str]] = []
        for k in range(len(stages) + 1):
            needed = {name for names in self._inputs[k:] for name in names} | set(outputs)
            self._crossing.append([name for name in dict.fromkeys(available) if name in needed])
            if k < len(stages):
                self._check_present(k, self._inputs[k], available)
                available += self._outputs[k]
        self._check_present(len(stages), outputs, available)
        self._crossing[-1] = list(outputs)

    def crossing(self, k: int) -> list[str]:
        """Tensors alive between stage k-1 and stage k: needed later, or outputs made early; in order of production."""
        return self._crossing[k]

    def close(self) -> None:
        """Give the memory of all stages back; they cannot run any more."""
        for stage in self._stages:
            stage.close()

    def run(
        self, tensors: Mapping[str, NDArray], first: int = 0, last: int | None = None, handle: Any = None
    ) -> dict[str, NDArray]:
        """Run stages [first, last) on `tensors`, those of `crossing(first)`; returns the tensors of `crossing(last)`.

        After the last stage these are the graph's outputs.
        Raises: ModelError if a tensor is missing, and all errors of the stages, such as `Aborted`.
        """
        last = len(self._stages) if last is None else last
        self._check_present(first, self._crossing[first], tensors)
        available = {name: tensors[name] for name in self._crossing[first]}
        for k in range(first, last):
            made = self._stages[k].run({name: available[name] for name in self._inputs[k]}, handle)
            available.update(zip(self._outputs[k], made, strict=True))
            available = {name: available[name] for name in self._crossing[k + 1]}
        return available

    def _check_present(self, k: int, wanted: Sequence[str], available: Sequence[str] | Mapping[str, NDArray]) -> None:
        if absent := [name for name in wanted if name not in available]:
            raise ModelError(f"before stage {k} of {len(self._stages)}", f"tensor {absent[0]!r} is missing",
                             f"there are {', '.join(available) or 'none'}")
