"""Stages run in order, on what crosses between them; some here, others elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.pipeline import Named, Pipeline
from models.store import ModelError


@dataclass
class Adder:
    """A stage that gives, under each of its outputs' names, the sum of its inputs and the output's place."""

    takes: list[str]
    gives: list[str]
    handle: Any = None

    @property
    def inputs(self) -> list[Named]:
        return [SimpleNamespace(name=name) for name in self.takes]

    @property
    def outputs(self) -> list[Named]:
        return [SimpleNamespace(name=name) for name in self.gives]

    def run(self, inputs: Mapping[str, NDArray], handle: Any = None) -> list[NDArray]:
        assert list(inputs) == self.takes
        self.handle = handle
        return [np.asarray(sum(inputs.values()) + place) for place, _ in enumerate(self.gives)]


def chain() -> Pipeline:
    """b is an early output, c passes the middle stage by, and the second input is taken last."""
    stages = [Adder(["x"], ["a", "b", "c"]), Adder(["a"], ["d"]), Adder(["d", "c", "y"], ["e"])]
    return Pipeline(stages, ["x", "y"], ["e", "b"])


X, Y = {"x": np.array(1.0)}, {"y": np.array(10.0)}


def test_what_crosses_is_what_is_needed_later_or_made_early() -> None:
    found = [chain().crossing(k) for k in range(4)]
    assert found == [["x", "y"], ["y", "a", "b", "c"], ["y", "b", "c", "d"], ["e", "b"]]


def test_the_stages_give_the_graph_s_outputs() -> None:
    assert chain().run(X | Y) == {"e": 14.0, "b": 2.0}


@pytest.mark.parametrize("k", range(4))
def test_a_robot_that_takes_over_gives_the_same(k: int) -> None:
    pipeline = chain()
    between = pipeline.run(X | Y, 0, k)
    assert list(between) == pipeline.crossing(k)
    assert pipeline.run(between, k) == pipeline.run(X | Y)


def test_the_handle_reaches_every_stage() -> None:
    stages, handle = [Adder(["x"], ["a"]), Adder(["a"], ["b"])], object()
    Pipeline(stages, ["x"], ["b"]).run(X, handle=handle)
    assert [stage.handle for stage in stages] == [handle, handle]


def test_a_missing_tensor_is_named() -> None:
    with pytest.raises(ModelError, match="before stage 1 of 3: tensor 'b' is missing; there are y, a, c"):
        chain().run({name: np.array(0.0) for name in "yac"}, 1)


def test_stages_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ModelError, match="before stage 1 of 2: tensor 'q' is missing; there are x, a"):
        Pipeline([Adder(["x"], ["a"]), Adder(["q"], ["b"])], ["x"], ["b"])
    with pytest.raises(ModelError, match="tensor 'c' is missing"):
        Pipeline([Adder(["x"], ["a"])], ["x"], ["c"])
