"""The stages of one variant, run one after the other, or some of them: the others run on other robots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from models.store import ModelError


class Stage(Protocol):
    """A loaded piece of a graph: a `models.session.Session` of a stage's file, or the like."""

    @property
    def inputs(self) -> Sequence[Named]: ...

    @property
    def outputs(self) -> Sequence[Named]: ...

    def run(self, inputs: Mapping[str, NDArray], handle: Any = None) -> list[NDArray]: ...


class Named(Protocol):
    """What a stage says of one of its tensors."""

    @property
    def name(self) -> str: ...


class Pipeline:
    """Loaded stages in their order, and which tensors the whole graph takes and gives.

    Raises: ModelError where a stage takes what neither the graph's inputs nor an earlier stage gives.
    """

    def __init__(self, stages: Sequence[Stage], inputs: Sequence[str], outputs: Sequence[str]) -> None:
        self._stages = stages
        self._takes = [[spec.name for spec in stage.inputs] for stage in stages]
        self._gives = [[spec.name for spec in stage.outputs] for stage in stages]
        there = list(inputs)
        self._crossing: list[list[str]] = []
        for k in range(len(stages) + 1):
            needed = {name for takes in self._takes[k:] for name in takes} | set(outputs)
            self._crossing.append([name for name in dict.fromkeys(there) if name in needed])
            if k < len(stages):
                self._must_have(k, self._takes[k], there)
                there += self._gives[k]
        self._must_have(len(stages), outputs, there)
        self._crossing[-1] = list(outputs)

    def crossing(self, k: int) -> list[str]:
        """Tensors alive between stage k-1 and stage k: needed later, or outputs made early. In order of making."""
        return self._crossing[k]

    def run(
        self, tensors: Mapping[str, NDArray], first: int = 0, last: int | None = None, handle: Any = None
    ) -> dict[str, NDArray]:
        """Run stages [first, last) on what crosses before `first`; what crosses before `last`: at the end, the outputs.

        Raises: ModelError where a tensor is missing; what the stages raise, `Aborted` among it.
        """
        last = len(self._stages) if last is None else last
        self._must_have(first, self._crossing[first], tensors)
        there = {name: tensors[name] for name in self._crossing[first]}
        for k in range(first, last):
            made = self._stages[k].run({name: there[name] for name in self._takes[k]}, handle)
            there.update(zip(self._gives[k], made, strict=True))
            there = {name: there[name] for name in self._crossing[k + 1]}
        return there

    def _must_have(self, k: int, wanted: Sequence[str], there: Sequence[str] | Mapping[str, NDArray]) -> None:
        if absent := [name for name in wanted if name not in there]:
            raise ModelError(f"before stage {k} of {len(self._stages)}", f"tensor {absent[0]!r} is missing",
                             f"there are {', '.join(there) or 'none'}")
