"""Classification: a score per class becomes `Classes`, the most likely first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.sensor_input import SensorInput, sensor_input
from models.store import ModelError
from swarm.core.protocol.world import Classes, ClassScore
from swarm.core.settings.cards import Card, TensorSpec

SHARES, LOGITS = "shares", "logits"
"""Readings: scores that add up to 1; scores of any size, of which Softmax makes such."""

MOST_SHOWN = 5                       # classes of one result
SLACK = 1e-2                         # of the sum of shares: float16 rounds so


@dataclass(frozen=True, slots=True, kw_only=True)
class Classify:
    """Pre- and post-processing of one classifier."""

    inputs: SensorInput
    labels: int
    reading: str

    @classmethod
    def of(cls, card: Card) -> Classify:
        """The task of a card. Raises: ModelError if its inputs or outputs are not those of a classifier."""
        check(card.outputs, len(card.labels))
        if card.reading not in (SHARES, LOGITS):
            raise ModelError(f"reading {card.reading!r}", "is not known", f"{SHARES} or {LOGITS}")
        return cls(inputs=sensor_input(card), labels=len(card.labels), reading=card.reading)

    def preprocess(self, frame: NDArray[Any]) -> dict[str, NDArray]:
        """The network's inputs. Raises: ValueError for what is not of the card's sensor."""
        return self.inputs.preprocess(frame)

    def postprocess(self, outputs: Sequence[NDArray]) -> Classes:
        """The most likely classes. Raises: ValueError for another number of scores, or for shares that are none."""
        scores = outputs[0].reshape(-1).astype(np.float64)
        if len(outputs) != 1 or scores.size != self.labels or not np.isfinite(scores).all():
            raise ValueError(f"expected {self.labels} finite scores, found {[list(each.shape) for each in outputs]}")
        if self.reading == LOGITS:
            scores = np.exp(scores - scores.max())
            scores /= scores.sum()
        elif not are_shares(scores):
            raise ValueError(f"scores from {scores.min():.3g} to {scores.max():.3g} with a sum of {scores.sum():.3g}, "
                             "where the card says shares")
        best = np.argsort(-scores, kind="stable")[:MOST_SHOWN]
        return Classes([ClassScore(label, min(max(score, 0.0), 1.0))
                        for label, score in zip(best.tolist(), scores[best].tolist(), strict=True)])


def are_shares(scores: NDArray[Any]) -> bool:
    """Whether scores are the result of Softmax."""
    return bool(scores.size and scores.min() >= 0.0 and abs(float(scores.sum(dtype=np.float64)) - 1.0) <= SLACK)


def check(outputs: Sequence[TensorSpec], labels: int) -> None:
    """Raises: ModelError if these are not the outputs of a classifier with so many classes."""
    if len(outputs) == 1 and outputs[0].dtype.startswith("float") and prod(outputs[0].shape) == labels:
        return
    found = ", ".join(f"{spec.name} {spec.dtype} {spec.shape}" for spec in outputs)
    raise ModelError("outputs", f"no classifier of {labels} labels: {found}", f"one output of floats, [1, {labels}]")


make = Classify.of
