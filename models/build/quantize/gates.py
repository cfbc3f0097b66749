"""Accuracy gates: a variant may replace its parent by the card's own metric, or by the agreement of outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from onnx import ModelProto

from models.build.graph.repeatable import first_not_finite, same
from models.build.measure.runner import Runner
from models.build.quantize.int8_graphs import Inputs
from models.build.train.evaluate import evaluate
from models.build.train.frame_sets import Frames
from models.gpu.agreement import agreement
from swarm.core.settings.cards import AGREEMENT
from swarm.core.settings.errors import BadInput

MAX_LOSS = 0.01
"""Largest allowed loss of a metric on labelled frames."""

MIN_AGREEMENT = 0.9
"""Least agreement where only outputs can be compared."""


class Judge(Protocol):
    """Scores graphs by one metric; a variant must reach `floor`."""

    metric: str
    floor: float

    def score(self, model: ModelProto) -> float: ...


class Labelled:
    """The task's own metric on labelled frames."""

    def __init__(self, task: str, metric: str, original: ModelProto, frames: Frames) -> None:
        self.metric, self._task, self._frames = metric, task, frames
        self.floor = self.score(original) - MAX_LOSS

    def score(self, model: ModelProto) -> float:
        return evaluate(self._task, Runner(model), self._frames)[0][self.metric]


class Agreement:
    """Agreement of outputs with the original's, on inputs that were not used for calibration.

    Raises: BadInput if the original's outputs do not depend on its input, change from run to run or are not finite:
    then agreement means nothing.
    """

    metric = AGREEMENT

    def __init__(self, original: ModelProto, inputs: Sequence[Inputs]) -> None:
        self.floor, self._inputs = MIN_AGREEMENT, inputs
        runner = Runner(original)
        self._expected = [runner.run(feed) for feed in inputs]
        first = self._expected[0]
        if not same(first, runner.run(inputs[0])):
            raise BadInput("the original", "gives other outputs when the same input runs again", "import it again")
        for feed, outputs in zip(inputs, self._expected, strict=True):
            if not all(np.isfinite(value).all() for value in outputs if value.dtype.kind == "f"):
                node = first_not_finite(original, feed)
                raise BadInput("the original", "gives infinite or NaN outputs" + (f", first in {node}" if node else ""),
                               "inputs or weights with finite outputs")
        if all(np.array_equal(a, b) for outputs in self._expected[1:] for a, b in zip(first, outputs, strict=True)):
            raise BadInput("the original", f"gives the same outputs for all of {len(inputs)} inputs",
                           "inputs with different outputs: --calibrate FILE.npy")

    def score(self, model: ModelProto) -> float:
        runner = Runner(model)
        return round(agreement(self._expected, [runner.run(feed) for feed in self._inputs]), 4)
