"""Metrics of a network on labelled frames of unseen buildings; needs only numpy and a loaded network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.build.train.frame_sets import Frames
from models.camera_input import ImageInput
from models.heads.boxes import overlaps
from models.tasks import detect
from models.tasks.segment import Segment
from sim_worlds.classes import SEGMENT_CLASSES, TARGET_CLASSES
from swarm.core.protocol.world import Detections
from swarm.core.settings.cards import SizeError

IOU = 0.5
LOWEST = 0.01
"""Least score of boxes in the average precision."""

HEIGHTS_PX = (6.0, 9.0, 13.0, 19.0, 28.0, 73.0)
"""Limits of the box heights in the rows of the error model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """Found and true boxes over many frames; found boxes on ignored true boxes are left out.

    found: float64 [n, 4]: label, score, height (px), index of the matched row of `truths` or -1.
    truths: float64 [m, 2]: label, height (px).
    errors: float64 [n, 4]: x, y of the centre, width, height, found minus true (px); NaN if unmatched.
    """

    found: NDArray
    truths: NDArray
    errors: NDArray

    def at(self, threshold: float) -> Matches:
        """Only the found boxes with a score of `threshold` or more."""
        kept = self.found[:, 1] >= threshold
        return Matches(found=self.found[kept], truths=self.truths, errors=self.errors[kept])

    @property
    def precision(self) -> float:
        return float((self.found[:, 3] >= 0).mean()) if len(self.found) else 0.0

    @property
    def recall(self) -> float:
        return float((self.found[:, 3] >= 0).sum() / max(len(self.truths), 1))


def match(outcomes: Sequence[Detections], frames: Frames) -> Matches:
    """Match greedily by score, in each frame and class: with the free true box of the highest IoU, if 0.5 or more.

    An unmatched box is ignored if half or more of it lies on an ignored true box of its class.
    """
    found, truths, errors = [], [], []
    for i, outcome in enumerate(outcomes):
        truth = frames.truth(i)
        label, corners, counts = truth[:, 0], truth[:, 1:5].astype(float), truth[:, 5] > 0
        numbers = np.where(counts, len(truths) + np.cumsum(counts) - 1, -1)
        truths += [(c, box[3] - box[1]) for c, box, real in zip(label, corners, counts, strict=True) if real]
        free = counts.copy()
        for box in outcome.boxes:
            mine = np.array([[box.x0_px, box.y0_px, box.x1_px, box.y1_px]])
            overlap = np.where(label == box.label, overlaps(mine, corners)[0], 0.0)
            best = int(np.argmax(overlap * free)) if len(truth) else -1
            row = (box.label, box.score, box.y1_px - box.y0_px)
            if best >= 0 and free[best] and overlap[best] >= IOU:
                free[best] = False
                found.append((*row, numbers[best]))
                errors.append(_shape(mine[0]) - _shape(corners[best]))
            elif not _covered(mine, corners[~counts & (label == box.label)]):
                found.append((*row, -1))
                errors.append(np.full(4, np.nan))
    return Matches(
        found=np.array(found, float).reshape(-1, 4),
        truths=np.array(truths, float).reshape(-1, 2),
        errors=np.array(errors, float).reshape(-1, 4),
    )


def average_precision(scores: NDArray, hits: NDArray, truths: int) -> float:
    """Area under the precision-recall curve, at all points, with monotone precision (PASCAL VOC 2010 and later)."""
    if truths == 0:
        return float("nan")
    hit = np.cumsum(hits[np.argsort(-scores, kind="stable")])
    precision = hit / np.arange(1, len(hit) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(hit, prepend=0) * envelope) / truths)


def mean_average_precision(matches: Matches) -> float:
    """Mean over classes of the average precision at IoU 0.5."""
    found, truths = matches.found, matches.truths
    return float(np.nanmean([
        average_precision(found[found[:, 0] == c, 1], found[found[:, 0] == c, 3] >= 0, int((truths[:, 0] == c).sum()))
        for c in range(len(TARGET_CLASSES))
    ]))


def error_model(matches: Matches) -> list[SizeError]:
    """A row per range of box heights; recall by the height of the true box, precision by that of the found box."""
    height = matches.truths[:, 1]
    hit = matches.found[:, 3].astype(int)
    true_height = np.where(hit >= 0, height[hit], np.nan)
    reached = np.isin(np.arange(len(height)), hit)
    rows = []
    for low, high in pairwise(HEIGHTS_PX):
        true, mine = (height >= low) & (height < high), (matches.found[:, 2] >= low) & (matches.found[:, 2] < high)
        errors = matches.errors[(true_height >= low) & (true_height < high)]
        rows.append(SizeError(
            from_px=low, to_px=high, truths=int(true.sum()),
            recall=_rounded(reached[true].mean() if true.any() else 0.0),
            precision=_rounded((hit[mine] >= 0).mean() if mine.any() else 0.0),
            centre_std_px=_rounded(np.sqrt(np.mean(errors[:, :2] ** 2)) if len(errors) else 0.0),
            size_std_px=_rounded(np.sqrt(np.mean(errors[:, 2:] ** 2)) if len(errors) else 0.0),
        ))
    return rows


def confusion(masks: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pixels by true class (row) and found class (column), [5, 5]."""
    n = len(SEGMENT_CLASSES)
    return np.bincount(truth.ravel().astype(np.int64) * n + masks.ravel(), minlength=n * n).reshape(n, n)


def class_iou(pixels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intersection over union per class of a confusion matrix; NaN for a class without true pixels."""
    shared = np.diag(pixels).astype(float)
    union = pixels.sum(0) + pixels.sum(1) - shared
    return np.where(pixels.sum(1) > 0, shared / np.maximum(union, 1), np.nan)


class Runs(Protocol):
    """A loaded network."""

    def run(self, inputs: Mapping[str, NDArray]) -> list[NDArray]: ...


def evaluate(task: str, session: Runs, frames: Frames) -> tuple[dict[str, float], list[SizeError]]:
    """Metrics and, for a detector, the error model at the threshold of `models.tasks.detect`."""
    height, width = frames.images.shape[1:3]
    image = ImageInput(name="image", height_px=height, width_px=width)
    outputs = [session.run(image.preprocess(frame)) for frame in frames.images]
    if task == "segment":
        segmenter = Segment(image=image)
        iou = class_iou(confusion(np.stack([segmenter.postprocess(o).array() for o in outputs]), frames.masks))
        per_class = {f"iou_{SEGMENT_CLASSES[c]}": _rounded(iou[c]) for c in np.flatnonzero(~np.isnan(iou))}
        return {"miou": _rounded(np.nanmean(iou)), **per_class, "frames": float(len(frames))}, []
    detector = detect.Detect(image=image, classes=len(TARGET_CLASSES))
    matches = match([detector.decode(output, LOWEST) for output in outputs], frames)
    shown = matches.at(detect.THRESHOLD)
    return {
        "ap50": _rounded(mean_average_precision(matches)), "precision": _rounded(shown.precision),
        "recall": _rounded(shown.recall), "threshold": detect.THRESHOLD, "truths": float(len(matches.truths)),
        "frames": float(len(frames)),
    }, error_model(shown)


def _shape(corners: NDArray) -> NDArray:
    """Centre x, y, width and height of x0, y0, x1, y1."""
    return np.concatenate([(corners[:2] + corners[2:]) / 2, corners[2:] - corners[:2]])


def _covered(box: NDArray, others: NDArray) -> bool:
    """Whether half of `box` [1, 4] or more lies on one of `others` [n, 4]."""
    sides = (np.minimum(box[:, 2:], others[:, 2:]) - np.maximum(box[:, :2], others[:, :2])).clip(0.0)
    return bool((sides.prod(1) >= 0.5 * (box[:, 2:] - box[:, :2]).prod()).any())


def _rounded(value: float) -> float:
    return round(float(value), 4)
