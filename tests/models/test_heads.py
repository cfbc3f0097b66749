"""Heads of detectors, on outputs written by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.heads import READINGS, reading_of
from models.heads.boxes import Candidates, detections
from models.store import ModelError
from swarm.core.protocol.world import Detection, Detections
from swarm.core.settings.cards import TensorSpec

BOX = Detection(1, 0.75, 10.0, 20.0, 30.0, 60.0)
F32 = np.float32


def specs(*outputs: tuple[str, NDArray]) -> list[TensorSpec]:
    return [TensorSpec(name=name, dtype=array.dtype.name, shape=list(array.shape)) for name, array in outputs]


def read(name: str, labels: int, *outputs: tuple[str, NDArray]) -> Detections:
    """What the reading that fits makes of the outputs, in a picture of 100 x 100 px."""
    assert reading_of(specs(*outputs), labels, name if name == "yolo8_rows" else "") == name      # else two fit
    reading = READINGS[name]
    places = reading.places(specs(*outputs), labels)
    assert places is not None
    candidates = reading.read([outputs[k][1] for k in places], labels)
    return detections(candidates, 0.4, 100.0, 100.0, share=reading.share, once=reading.once)


ROWS = np.array([[20, 40, 20, 40, 0.25, 0.75], [21, 40, 20, 40, 0.0, 0.5], [80, 80, 10, 10, 0.1, 0.2]], F32)[None]
OBJECTS = np.array([[20, 40, 20, 40, 0.75, 0.5, 1.0], [80, 80, 10, 10, 0.5, 0.25, 0.5], [9, 9, 2, 2, 0, 1, 1]],
                   F32)[None]
CORNERS = np.array([[10, 20, 30, 60, 0.75, 1], [0, 0, 0, 0, 0, 0], [1, 1, 9, 9, 0.9, 7]], F32)[None]
SHARES = np.array([[0.1, 0.2, 0.3, 0.6], [0.11, 0.2, 0.3, 0.6], [0.5, 0.5, 0.6, 0.6]], F32)[None]


@pytest.mark.parametrize(("name", "labels", "outputs"), [
    ("yolo8", 2, [("output0", np.concatenate([ROWS, np.zeros((1, 5, 6), F32)], 1).transpose(0, 2, 1))]),
    ("yolo8_rows", 2, [("output0", np.concatenate([ROWS, np.zeros((1, 5, 6), F32)], 1))]),
    ("yolo5", 2, [("output0", OBJECTS)]),
    ("yolo_nms", 3, [("output0", CORNERS)]),
    ("ssd", 2, [("boxes", SHARES), ("scores", np.array([[0.25, 0.75], [0.1, 0.5], [0.2, 0.3]], F32)[None])]),
    ("ssd", 2, [("scores", np.array([[0, 0.25, 0.75], [1, 0, 0], [1, 0, 0]], F32)[None]), ("boxes", SHARES)]),
    ("ssd_nms", 2, [("boxes", SHARES), ("labels", np.array([[1, 0, 9]])), ("scores", np.array([[0.75, 0, 1]], F32))]),
    ("ssd_nms_yx", 2, [
        ("detection_boxes", SHARES[..., [1, 0, 3, 2]]), ("detection_classes", np.array([[2, 1, 1]], F32)),
        ("detection_scores", np.array([[0.75, 0.9, 0.9]], F32)), ("num_detections", np.array([1], F32))]),
])
def test_every_head_says_the_same_box(name: str, labels: int, outputs: list[tuple[str, NDArray]]) -> None:
    found = read(name, labels, *outputs)
    assert len(found.boxes) == 1                             # the weaker one beside it is left out
    box = found.boxes[0]
    assert (box.label, box.score) == (1, 0.75)
    assert [box.x0_px, box.y0_px, box.x1_px, box.y1_px] == pytest.approx([10, 20, 30, 60], abs=1e-4)


@pytest.mark.parametrize(("labels", "name", "outputs"), [
    (3, "", [("y", np.zeros((1, 9, 20), F32))]),             # 5 classes, not 3
    (2, "yolo5", [("y", np.zeros((1, 6, 20), F32))]),        # it is one of v8
    (2, "", [("y", np.zeros((2, 6, 20), F32))]),
    (2, "", [("boxes", SHARES), ("scores", np.zeros((1, 4, 2), F32))]),
    (2, "yolo9000", [("y", np.zeros((1, 6, 20), F32))]),
])
def test_outputs_that_do_not_fit_the_labels_are_refused(
    labels: int, name: str, outputs: list[tuple[str, NDArray]]
) -> None:
    with pytest.raises(ModelError, match=r"no detector of|is not known"):
        reading_of(specs(*outputs), labels, name)


@pytest.mark.parametrize(("labels", "fitting"), [(1, "yolo5, yolo_nms"), (2, "yolo8_rows, yolo_nms")])
def test_where_several_readings_fit_none_is_guessed(labels: int, fitting: str) -> None:
    with pytest.raises(ModelError, match=f"several readings fit {labels} labels: {fitting}; --reading"):
        reading_of(specs(("output0", CORNERS)), labels)


@pytest.mark.parametrize(("name", "outputs"), [
    ("yolo_nms", [CORNERS]), ("ssd_nms", [SHARES, np.array([[1, -1, 9]]), np.array([[0.75, 0, 1]], F32)])])
def test_rows_that_fill_up_are_no_boxes_at_any_threshold(name: str, outputs: list[NDArray]) -> None:
    found = detections(READINGS[name].read(outputs, 3), 0.0, 100.0, 100.0, once=True)
    assert {box.label for box in found.boxes} <= {0, 1}


def test_scores_that_are_no_shares_are_refused_and_nan_is_no_box() -> None:
    corners, labels = np.array([[0, 0, 9, 9.0], [0, 0, np.nan, 9]]), np.array([0, 0])
    with pytest.raises(ValueError, match="scores from -2 to 5; a graph that ends with Sigmoid"):
        detections(Candidates(corners, np.array([5.0, -2]), labels), 0.4, 10, 10)
    assert detections(Candidates(corners, np.array([np.nan, 0.9]), labels), 0.4, 10, 10) == Detections([])
