"""The heads of single-shot detectors: boxes in shares of the picture.

`ssd`: boxes [1, boxes, 4] as corners, and scores [1, boxes, classes], or one class more, the first: the background.
`ssd_nms`: suppression in the graph: boxes [1, boxes, 4], classes and scores [1, boxes], and perhaps how many count.
`ssd_nms_yx`: the same with y before x, and classes from 1, as TensorFlow writes them (`detection_boxes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.heads.boxes import Candidates, Reading, strongest
from swarm.core.settings.cards import TensorSpec

TENSORFLOW = "detection_boxes"
WITH_Y_FIRST = "ssd_nms_yx"


def _raw_places(outputs: Sequence[TensorSpec], labels: int) -> list[int] | None:
    """Boxes, scores. With four classes or three and a background both look alike: then boxes are named so."""
    shapes = [spec.shape for spec in outputs]
    if len(shapes) != 2 or any(len(shape) != 3 or shape[0] != 1 for shape in shapes) or shapes[0][1] != shapes[1][1]:
        return None
    fitting = [[boxes, scores] for boxes, scores in ((0, 1), (1, 0))
               if shapes[boxes][2] == 4 and shapes[scores][2] in (labels, labels + 1)]
    named = [places for places in fitting if "box" in outputs[places[0]].name.lower()]
    return (named or fitting or [None])[0]


def _raw(outputs: Sequence[NDArray[Any]], labels: int) -> Candidates:
    return strongest(outputs[0][0], outputs[1][0][:, outputs[1].shape[2] - labels:])


def _nms_places(outputs: Sequence[TensorSpec], labels: int) -> list[int] | None:
    """Boxes, classes, scores, and the count if there is one. Classes are integers, or named so."""
    boxes = [k for k, spec in enumerate(outputs) if len(spec.shape) == 3 and spec.shape[0] == 1 and spec.shape[2] == 4]
    if len(boxes) != 1:
        return None
    count = outputs[boxes[0]].shape[1]
    rows = [k for k, spec in enumerate(outputs) if spec.shape == [1, count] and k != boxes[0]]
    more = [k for k, spec in enumerate(outputs) if k not in (*boxes, *rows)]
    if count == 1 and len(rows) == 3:
        rows, more = rows[:2], rows[2:]
    classes = [k for k in rows if outputs[k].dtype.startswith(("int", "uint"))] or [
        k for k in rows if any(word in outputs[k].name.lower() for word in ("class", "label"))]
    if len(rows) != 2 or len(classes) != 1 or any(outputs[k].shape not in ([1], [1, 1], []) for k in more):
        return None
    return [boxes[0], classes[0], next(k for k in rows if k != classes[0]), *more[:1]]


def _nms(outputs: Sequence[NDArray[Any]], labels: int) -> Candidates:
    boxes, classes, scores = (output[0] for output in outputs[:3])
    counted = int(outputs[3].reshape(-1)[0]) if len(outputs) > 3 else len(scores)
    kinds = np.rint(np.nan_to_num(classes)).astype(np.intp)
    real = (np.arange(len(scores)) < counted) & (kinds >= 0) & (kinds < labels)
    return Candidates(boxes[real], scores[real], kinds[real])


def _nms_yx(outputs: Sequence[NDArray[Any]], labels: int) -> Candidates:
    return _nms([outputs[0][..., [1, 0, 3, 2]], outputs[1] - 1, *outputs[2:]], labels)


def _is_tensorflow(outputs: Sequence[TensorSpec]) -> bool:
    return any(TENSORFLOW in spec.name for spec in outputs)


READINGS = {
    "ssd": Reading(_raw_places, _raw,
                   lambda labels: f"boxes [1, boxes, 4] and scores [1, boxes, {labels} or {labels + 1}]", share=True),
    WITH_Y_FIRST: Reading(
        lambda outputs, labels: _nms_places(outputs, labels) if _is_tensorflow(outputs) else None, _nms_yx,
        lambda labels: "detection_boxes [1, boxes, 4], detection_classes and detection_scores [1, boxes]",
        share=True, once=True),
    "ssd_nms": Reading(_nms_places, _nms, lambda labels: "boxes [1, boxes, 4], classes and scores [1, boxes]",
                       share=True, once=True),
}
