"""Detection: peaks of a heat map and their boxes become `Detections`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.camera_input import ImageInput
from models.store import ModelError
from swarm.core.protocol.world import Detection, Detections
from swarm.core.settings.cards import Card

THRESHOLD = 0.4
"""Lowest score of a reported box; the card's precision and recall hold at this threshold."""

OVERLAP = 0.5
"""If two boxes of one class overlap by this IoU or more, the one with the lower score is dropped."""

MAX_BOXES = 32
"""Boxes considered per frame, highest scores first."""


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
        kept = suppress(corners, labels)
        return Detections([
            Detection(label, score, *corner)
            for label, score, corner in zip(labels[kept].tolist(), flat[found[kept]].tolist(), corners[kept].tolist(),
                                            strict=True)
        ])


def suppress(corners: NDArray, labels: NDArray) -> list[int]:
    """Greedy non-maximum suppression within each class; boxes [n, 4] by falling score. Returns the kept indices."""
    clash = (overlaps(corners, corners) >= OVERLAP) & (labels[:, None] == labels)
    kept: list[int] = []
    for i in range(len(corners)):
        if not clash[i, kept].any():
            kept.append(i)
    return kept


def overlaps(a: NDArray, b: NDArray) -> NDArray:
    """Intersection over union of every box of a [n, 4] with every one of b [m, 4], as [n, m]."""
    sides = np.minimum(a[:, None, 2:], b[:, 2:]) - np.maximum(a[:, None, :2], b[:, :2])
    shared = sides.clip(0.0).prod(2)
    union = (a[:, 2:] - a[:, :2]).prod(1)[:, None] + (b[:, 2:] - b[:, :2]).prod(1) - shared
    return shared / np.maximum(union, 1e-9)


make = Detect.of
