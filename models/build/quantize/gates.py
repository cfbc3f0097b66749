"""What decides whether a variant may stand for its parent: the card's own metric, or likeness of outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from models.build.measure.runner import Runner
from models.build.quantize.int8_graphs import Inputs
from models.build.train.evaluate import evaluate
from models.build.train.frame_sets import Frames
from swarm.core.settings.cards import AGREEMENT
from swarm.core.settings.errors import BadInput

LOSS = 0.01
"""A variant may lose this much of a metric that comes from labels."""

AGREEMENT_FLOOR = 0.9
"""Where nothing but outputs can be compared, they may be a tenth off."""


class Judge(Protocol):
    """Scores graphs by one metric; `floor` is what a variant must reach."""

    metric: str
    floor: float

    def score(self, model: ModelProto) -> float: ...


class Labelled:
    """The task's own metric on frames with truth."""

    def __init__(self, task: str, metric: str, original: ModelProto, frames: Frames) -> None:
        self.metric, self._task, self._frames = metric, task, frames
        self.floor = self.score(original) - LOSS

    def score(self, model: ModelProto) -> float:
        return evaluate(self._task, Runner(model), self._frames)[0][self.metric]


class Agreement:
    """Likeness of outputs to the original's, on inputs that were not calibrated on.

    Raises: BadInput where the original gives the same outputs whatever it is given: likeness would mean nothing.
    """

    metric = AGREEMENT

    def __init__(self, original: ModelProto, inputs: Sequence[Inputs]) -> None:
        self.floor, self._inputs = AGREEMENT_FLOOR, inputs
        runner = Runner(original)
        self._exact = [runner.run(given) for given in inputs]
        first = self._exact[0]
        if all(np.array_equal(a, b) for outputs in self._exact[1:] for a, b in zip(first, outputs, strict=True)):
            raise BadInput("the original", f"gives the same outputs for all of {len(inputs)} inputs",
                           "inputs on which its outputs differ, to compare on")

    def score(self, model: ModelProto) -> float:
        runner = Runner(model)
        return round(agreement(self._exact, [runner.run(given) for given in self._inputs]), 4)


def agreement(exact: Sequence[Sequence[NDArray]], found: Sequence[Sequence[NDArray]]) -> float:
    """How alike outputs are, 0..1, by the worst of them: for numbers one less the relative error in the 2-norm over all
    runs, for integers and truth values the share that is equal. By run, then by output."""
    return min(_alike(np.stack(a), np.stack(b))
               for a, b in zip(zip(*exact, strict=True), zip(*found, strict=True), strict=True))


def _alike(exact: NDArray, found: NDArray) -> float:
    if exact.dtype.kind != "f":
        return float((exact == found).mean())
    exact, found = exact.astype(np.float64), found.astype(np.float64)
    if not np.isfinite(found).all():
        return 0.0
    size = float(np.linalg.norm(exact))
    error = float(np.linalg.norm(exact - found))
    return max(0.0, 1.0 - error / size) if size else float(error == 0.0)
