"""Segmentation: the class of each pixel becomes a `Mask`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.camera_input import ImageInput
from models.store import ModelError
from swarm.core.protocol.world import Mask
from swarm.core.settings.cards import Card, TensorSpec

CLASSES, SCORES = "classes", "scores"
"""Readings: a class per pixel, integers [1, h, w]; a score per class and pixel, [1, classes, h, w]."""

MOST_LABELS = 256                    # a cell of a mask is a byte


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Pre- and post-processing of one segmenter."""

    image: ImageInput
    reading: str = ""                # empty: classes, uint8 [1, h, w]
    labels: int = MOST_LABELS

    @classmethod
    def of(cls, card: Card) -> Segment:
        """The task of a card. Raises: ModelError if its inputs or outputs are not those of a segmenter."""
        match [(spec.dtype, spec.shape) for spec in card.outputs]:
            case [("uint8", [1, _, _])] if not card.reading:
                return cls(image=ImageInput.of(card))
            case found if not card.reading:
                raise ModelError(f"model {card.name!r}: outputs", f"found {found}", "classes, uint8 [1, h, w]")
            case _:
                reading = reading_of(card.outputs, len(card.labels), card.reading)
                return cls(image=ImageInput.of(card), reading=reading, labels=len(card.labels))

    def preprocess(self, frame: NDArray[np.uint8]) -> dict[str, NDArray]:
        """The network's inputs. Raises: ValueError for a frame of another shape."""
        return self.image.preprocess(frame)

    def postprocess(self, outputs: Sequence[NDArray]) -> Mask:
        """The mask from pixel classes or scores. Raises: ValueError for another shape or type."""
        (classes,) = outputs
        if self.reading == SCORES:
            if classes.ndim != 4 or classes.shape[:2] != (1, self.labels):
                raise ValueError(f"expected scores [1, {self.labels}, h, w], found {list(classes.shape)}")
            classes = classes.argmax(1)
        elif self.reading == CLASSES and classes.ndim == 3 and classes.size and not (
                classes.min() >= 0 and classes.max() < self.labels):
            raise ValueError(f"classes from {classes.min()} to {classes.max()}, and there are {self.labels} labels")
        if self.reading:
            classes = classes.astype(np.uint8)
        if classes.ndim != 3 or len(classes) != 1 or classes.dtype != np.uint8:
            raise ValueError(f"expected classes uint8 [1, h, w], found {classes.dtype} {list(classes.shape)}")
        return Mask(height=classes.shape[1], width=classes.shape[2], cells=classes.tobytes())


def reading_of(outputs: Sequence[TensorSpec], labels: int, name: str = "") -> str:
    """The reading that fits the output of a segmenter with so many classes. Raises: ModelError if none does."""
    match [(np.dtype(spec.dtype).kind, spec.shape) for spec in outputs]:
        case [("f", [1, count, _, _])] if name in ("", SCORES) and count == labels <= MOST_LABELS:
            return SCORES
        case [(("i" | "u"), [1, _, _])] if name in ("", CLASSES) and labels <= MOST_LABELS:
            return CLASSES
        case _:
            found = ", ".join(f"{spec.name} {spec.dtype} {spec.shape}" for spec in outputs)
            raise ModelError("outputs", f"no segmenter of {labels} labels: {found}",
                             f"scores [1, {labels}, h, w], or classes, integers [1, h, w]")


make = Segment.of
