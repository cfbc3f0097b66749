"""Detection: peaks of a heat map with their boxes, or boxes in rows, become `Detections`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.camera_input import ImageInput
from models.heads import READINGS, reading_of
from models.heads.boxes import MAX_BOXES, Reading, detections, suppress
from models.store import ModelError
from swarm.core.protocol.world import Detection, Detections
from swarm.core.settings.cards import Card

THRESHOLD = 0.4
"""Lowest score of a reported box; the card's precision and recall hold at this threshold."""

HEAT_MAP = "heat_map"
"""The reading of scores [1, classes, h, w] and boxes [1, 4, h, w]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detect:
    """Pre- and post-processing of one detector."""

    image: ImageInput
    classes: int                     # number of classes

    @classmethod
    def of(cls, card: Card) -> Detect:
        """The task of a card. Raises: ModelError if its inputs or outputs are not those of a detector."""
        match [spec.shape for spec in card.outputs]:
            case [[1, classes, rows, columns], [1, 4, *cells]] if cells == [rows, columns]:
                return cls(image=ImageInput.of(card), classes=classes)
            case found:
                raise ModelError(f"model {card.name!r}: outputs", f"found {found}",
                                 "scores [1, classes, h, w] and boxes [1, 4, h, w]")

    def preprocess(self, frame: NDArray[np.uint8]) -> dict[str, NDArray]:
        """The network's inputs. Raises: ValueError for a frame of another shape."""
        return self.image.preprocess(frame)

    def postprocess(self, outputs: Sequence[NDArray]) -> Detections:
        """Detections of scores [1, classes, rows, columns] and boxes x0, y0, x1, y1 [1, 4, rows, columns], px."""
        return self.decode(outputs, THRESHOLD)

    def decode(self, outputs: Sequence[NDArray], threshold: float) -> Detections:
        """As `postprocess`, at any threshold. Boxes are clipped to the frame. Raises: ValueError for other shapes."""
        scores, boxes = outputs
        if scores.ndim != 4 or boxes.shape != (1, 4, *scores.shape[2:]) or scores.shape[:2] != (1, self.classes):
            raise ValueError(f"expected scores [1, {self.classes}, h, w] and boxes [1, 4, h, w], "
                             f"found {list(scores.shape)} and {list(boxes.shape)}")
        flat = scores.reshape(-1)
        found = np.flatnonzero(flat >= threshold)
        found = found[np.argsort(-flat[found], kind="stable")[:MAX_BOXES]]
        labels, cells = np.divmod(found, scores.shape[2] * scores.shape[3])
        corners = boxes.reshape(4, -1)[:, cells].T
        corners = np.clip(corners, 0.0, [self.image.width_px, self.image.height_px] * 2)
        sound = np.isfinite(corners).all(1)
        found, labels, corners = found[sound], labels[sound], corners[sound]
        kept = suppress(corners, labels)
        return Detections([
            Detection(label, score, *corner)
            for label, score, corner in zip(labels[kept].tolist(), flat[found[kept]].tolist(), corners[kept].tolist(),
                                            strict=True)
        ])


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectBoxes:
    """Pre- and post-processing of a detector that states boxes in rows; see `models/heads/`."""

    image: ImageInput
    reading: Reading
    places: list[int]
    shapes: list[list[int]]          # of the outputs
    labels: int
    threshold: float

    @classmethod
    def of(cls, card: Card) -> DetectBoxes:
        """The task of a card. Raises: ModelError if its outputs cannot be read as it says."""
        labels = len(card.labels)
        reading = READINGS[reading_of(card.outputs, labels, card.reading)]
        places = reading.places(card.outputs, labels)
        assert places is not None    # it fits
        return cls(image=ImageInput.of(card), reading=reading, places=places, labels=labels, threshold=card.threshold,
                   shapes=[spec.shape for spec in card.outputs])

    def preprocess(self, frame: NDArray[np.uint8]) -> dict[str, NDArray]:
        """The network's inputs. Raises: ValueError for what is no picture."""
        return self.image.preprocess(frame)

    def postprocess(self, outputs: Sequence[NDArray]) -> Detections:
        """Detections in pixels of the input. Raises: ValueError for other shapes, or scores that are not 0..1."""
        found = [list(output.shape) for output in outputs]
        if found != self.shapes:
            raise ValueError(f"expected outputs {self.shapes}, found {found}")
        candidates = self.reading.read([outputs[k] for k in self.places], self.labels)
        return detections(candidates, self.threshold, self.image.width_px, self.image.height_px,
                          share=self.reading.share, once=self.reading.once)


def make(card: Card) -> Detect | DetectBoxes:
    """The task of a card. Raises: ModelError."""
    return DetectBoxes.of(card) if card.reading not in ("", HEAT_MAP) else Detect.of(card)
