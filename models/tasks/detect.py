"""Detection: peaks of a heat map and their boxes become `Detections`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.camera_input import image_input
from swarm.core.protocol.world import CAMERA, TARGET_CLASSES, Detection, Detections

THRESHOLD = 0.4
"""Score from which a box is reported; the card's precision and recall hold at this threshold."""

OVERLAP = 0.5
"""Of two boxes of one class that overlap by this IoU or more, the weaker is dropped."""

MOST = 32
"""Boxes considered per frame, best first."""

preprocess = image_input


def postprocess(outputs: Sequence[NDArray]) -> Detections:
    """Detections of scores [1, 3, rows, columns] and boxes x0, y0, x1, y1 [1, 4, rows, columns], px."""
    return decode(outputs, THRESHOLD)


def decode(outputs: Sequence[NDArray], threshold: float) -> Detections:
    """As `postprocess`, from any score on; boxes are clipped to the frame."""
    scores, boxes = outputs
    if scores.ndim != 4 or boxes.shape != (1, 4, *scores.shape[2:]) or scores.shape[:2] != (1, len(TARGET_CLASSES)):
        raise ValueError(f"expected scores [1, {len(TARGET_CLASSES)}, h, w] and boxes [1, 4, h, w], "
                         f"found {list(scores.shape)} and {list(boxes.shape)}")
    flat = scores.reshape(-1)
    found = np.flatnonzero(flat >= threshold)
    found = found[np.argsort(-flat[found], kind="stable")[:MOST]]
    labels, cells = np.divmod(found, scores.shape[2] * scores.shape[3])
    corners = boxes.reshape(4, -1)[:, cells].T
    corners = np.clip(corners, 0.0, [CAMERA.width_px, CAMERA.height_px] * 2)
    kept = suppress(corners, labels)
    return Detections([
        Detection(label, score, *corner)
        for label, score, corner in zip(labels[kept].tolist(), flat[found[kept]].tolist(), corners[kept].tolist(),
                                        strict=True)
    ])


def suppress(corners: NDArray, labels: NDArray) -> list[int]:
    """Greedy non-maximum suppression within each class; boxes [n, 4] best first, returns the kept indices."""
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
