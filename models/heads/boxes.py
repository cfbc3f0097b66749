"""Candidates for boxes, and what is left of them: the best, each once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarm.core.protocol.world import Detection, Detections
from swarm.core.settings.cards import TensorSpec

OVERLAP = 0.5
"""If two boxes of one class overlap by this IoU or more, the one with the lower score is dropped."""

MAX_BOXES = 32
"""Boxes that are reported of one frame, highest scores first."""

MOST_CANDIDATES = 256
"""Boxes among which overlaps are looked for, highest scores first; the table of overlaps grows with the square."""

SLACK = 1e-3                         # rounding of scores beyond 0..1


class Candidates(NamedTuple):
    """Boxes before the threshold."""

    corners: NDArray[Any]            # [n, 4] x0, y0, x1, y1
    scores: NDArray[Any]             # [n] 0..1
    labels: NDArray[np.intp]         # [n] class index


class Reading(NamedTuple):
    """How the outputs of one family of detectors are to be read.

    places: where each part is among the outputs, in the order that `read` takes them; None: they do not fit.
    form: the outputs in words, for a number of labels. share: whether boxes are in shares of the picture, else pixels.
    once: whether overlapping boxes are left out by the network itself.
    """

    places: Callable[[Sequence[TensorSpec], int], list[int] | None]
    read: Callable[[Sequence[NDArray[Any]], int], Candidates]
    form: Callable[[int], str]
    share: bool = False
    once: bool = False


def detections(
    found: Candidates, threshold: float, width: float, height: float, *, share: bool = False, once: bool = False
) -> Detections:
    """The best candidates, clipped to a picture of this size. Raises: ValueError if scores are not 0..1."""
    scores = found.scores
    if scores.size and not (np.nanmin(scores) >= -SLACK and np.nanmax(scores) <= 1.0 + SLACK):
        raise ValueError(f"scores from {np.nanmin(scores):.3g} to {np.nanmax(scores):.3g}; a graph that ends with "
                         "Sigmoid or Softmax gives 0 to 1")
    best = np.flatnonzero(scores >= threshold)
    best = best[np.isfinite(found.corners[best]).all(1)]
    best = best[np.argsort(-scores[best], kind="stable")[:MAX_BOXES if once else MOST_CANDIDATES]]
    corners = found.corners[best].astype(np.float32)
    if share:
        corners = corners * np.array([width, height] * 2, np.float32)
    corners = np.clip(corners, 0.0, np.array([width, height] * 2, np.float32))
    labels = found.labels[best]
    kept = list(range(len(best))) if once else suppress(corners, labels)[:MAX_BOXES]
    return Detections([
        Detection(label, min(max(score, 0.0), 1.0), *corner) for label, score, corner in zip(
            labels[kept].tolist(), scores[best[kept]].tolist(), corners[kept].tolist(), strict=True)])


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


def around(centres: NDArray[Any]) -> NDArray[Any]:
    """Corners [n, 4] of boxes given as centre and size: x, y, w, h [n, 4]."""
    half = centres[:, 2:] / 2.0
    return np.concatenate([centres[:, :2] - half, centres[:, :2] + half], 1)


def strongest(corners: NDArray[Any], scores: NDArray[Any]) -> Candidates:
    """Candidates of boxes [n, 4] with a score per class [n, classes]: each has its best class."""
    labels = scores.argmax(1)
    return Candidates(corners, scores[np.arange(len(scores)), labels], labels)
