"""The heads of the YOLO family, as their exporters write them.

`yolo8`: versions 8, 9 and 11, one output [1, 4 + classes, boxes]: centre, size, scores. `yolo8_rows`: the same,
transposed. `yolo5`: versions 5 to 7, [1, boxes, 5 + classes]: centre, size, objectness, scores. `yolo_nms`: version 10,
or suppression in the graph, [1, boxes, 6]: corners, score, class. All in pixels of the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.heads.boxes import Candidates, Reading, around, strongest
from swarm.core.settings.cards import TensorSpec


def _only(outputs: Sequence[TensorSpec]) -> list[int]:
    """The shape of the only output, without the batch axis; empty: it is none of one input."""
    match [spec.shape for spec in outputs if spec.dtype.startswith("float")]:
        case [[1, a, b]] if len(outputs) == 1:
            return [a, b]
        case _:
            return []


def _columns(outputs: Sequence[NDArray[Any]], labels: int) -> Candidates:
    return _rows([outputs[0].transpose(0, 2, 1)], labels)


def _rows(outputs: Sequence[NDArray[Any]], labels: int) -> Candidates:
    rows = outputs[0][0]
    return strongest(around(rows[:, :4]), rows[:, 4:])


def _with_objectness(outputs: Sequence[NDArray[Any]], labels: int) -> Candidates:
    rows = outputs[0][0]
    return strongest(around(rows[:, :4]), rows[:, 5:] * rows[:, 4:5])


def _suppressed(outputs: Sequence[NDArray[Any]], labels: int) -> Candidates:
    """Rows that fill up the output may have any class; those of one that the labels do not have are left out."""
    rows = outputs[0][0]
    kinds = np.rint(np.nan_to_num(rows[:, 5])).astype(np.intp)
    real = (kinds >= 0) & (kinds < labels)
    return Candidates(rows[real, :4], rows[real, 4], kinds[real])


READINGS = {
    "yolo8": Reading(lambda outputs, labels: [0] if _only(outputs)[:1] == [4 + labels] else None, _columns,
                     lambda labels: f"[1, {4 + labels}, boxes]"),
    "yolo5": Reading(lambda outputs, labels: [0] if _only(outputs)[1:] == [5 + labels] else None, _with_objectness,
                     lambda labels: f"[1, boxes, {5 + labels}]"),
    "yolo8_rows": Reading(lambda outputs, labels: [0] if _only(outputs)[1:] == [4 + labels] else None, _rows,
                          lambda labels: f"[1, boxes, {4 + labels}]"),
    "yolo_nms": Reading(lambda outputs, labels: [0] if _only(outputs)[1:] == [6] else None, _suppressed,
                        lambda labels: "[1, boxes, 6]", once=True),
}
