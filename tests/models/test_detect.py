"""Detection post-processing on maps painted by hand."""

import msgspec
import numpy as np
import pytest

from models.camera_input import ImageInput
from models.heads.boxes import overlaps
from models.store import ARTEFACTS, ModelError, load_card
from models.tasks import detect, task
from models.tasks.detect import Detect
from swarm.core.protocol.world import Detection, Detections, Mask
from swarm.core.settings.cards import Card, TensorSpec

DETECTOR = Detect(image=ImageInput(name="image", height_px=72, width_px=96), classes=3)
SHIPPED = {name: load_card(name, ARTEFACTS) for name in ("detector", "segmenter")}


def maps(*peaks: tuple[int, int, int, float, tuple[float, float, float, float]]) -> list[np.ndarray]:
    """Scores and boxes of an empty frame but for peaks: label, row, column, score, box."""
    scores, boxes = np.zeros((1, 3, 18, 24), np.float32), np.zeros((1, 4, 18, 24), np.float32)
    for label, row, column, score, box in peaks:
        scores[0, label, row, column] = score
        boxes[0, :, row, column] = box
    return [scores, boxes]


def test_an_empty_frame_has_no_detections() -> None:
    assert DETECTOR.postprocess(maps()) == Detections([])


def test_boxes_come_best_first_with_their_class() -> None:
    found = DETECTOR.postprocess(maps((0, 2, 3, 0.5, (4, 2, 20, 18)), (2, 10, 12, 0.75, (40, 30, 60, 50))))
    assert found == Detections([Detection(2, 0.75, 40, 30, 60, 50), Detection(0, 0.5, 4, 2, 20, 18)])


def test_what_scores_below_the_threshold_is_dropped() -> None:
    weak = maps((1, 5, 5, detect.THRESHOLD - 0.01, (10, 10, 30, 30)))
    assert DETECTOR.postprocess(weak) == Detections([])
    assert len(DETECTOR.decode(weak, 0.1).boxes) == 1


def test_a_box_that_is_no_number_is_left_out() -> None:
    found = DETECTOR.postprocess(maps((0, 2, 3, 0.5, (4, 2, 20, 18)), (2, 10, 12, 0.75, (40, np.nan, 60, 50))))
    assert found == Detections([Detection(0, 0.5, 4, 2, 20, 18)])


def test_of_two_overlapping_boxes_of_a_class_the_stronger_stays() -> None:
    box, shifted = (10, 10, 30, 30), (12, 10, 32, 30)
    same = DETECTOR.postprocess(maps((1, 4, 4, 0.75, box), (1, 4, 6, 0.5, shifted)))
    assert same == Detections([Detection(1, 0.75, *box)])
    other = DETECTOR.postprocess(maps((1, 4, 4, 0.75, box), (0, 4, 6, 0.5, shifted)))
    assert [b.label for b in other.boxes] == [1, 0]


def test_boxes_are_clipped_to_the_frame() -> None:
    found = DETECTOR.postprocess(maps((0, 0, 0, 0.5, (-5, -5, 200, 200))))
    assert found.boxes[0] == Detection(0, 0.5, 0, 0, 96, 72)


def test_overlaps_by_hand() -> None:
    a, b = np.array([[0, 0, 10, 10.0]]), np.array([[0, 0, 10, 10.0], [5, 0, 15, 10], [20, 20, 30, 30]])
    assert overlaps(a, b)[0] == pytest.approx([1.0, 50 / 150, 0.0])


@pytest.mark.parametrize("outputs", [maps()[:1] * 2, [np.zeros((1, 2, 18, 24)), maps()[1]], [np.zeros(3), np.zeros(3)]])
def test_maps_of_another_shape_are_refused(outputs: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match="expected scores"):
        DETECTOR.postprocess(outputs)


def test_the_mask_is_the_classes() -> None:
    classes = np.arange(6, dtype=np.uint8).reshape(1, 2, 3) % 5
    mask = task(SHIPPED["segmenter"]).postprocess([classes])
    assert (mask.array() == classes[0]).all()   # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ValueError, match="expected classes"):
        task(SHIPPED["segmenter"]).postprocess([classes.astype(np.float32)])


@pytest.mark.parametrize("name", SHIPPED)
def test_only_a_frame_of_the_camera_is_taken(name: str) -> None:
    frame, preprocess = np.zeros((72, 96, 3), np.uint8), task(SHIPPED[name]).preprocess
    assert preprocess(frame)["image"].shape == (1, 72, 96, 3)
    wrongs: list[np.ndarray] = [frame[:71], frame.astype(np.float32), frame[None]]
    for wrong in wrongs:
        with pytest.raises(ValueError, match="a frame must be uint8"):
            preprocess(wrong)


def card(task_name: str, inputs: list[TensorSpec], outputs: list[TensorSpec]) -> Card:
    """A card with other tensors than the shipped models have."""
    return msgspec.structs.replace(SHIPPED["detector"], task=task_name, inputs=inputs, outputs=outputs)


def tensor(name: str, dtype: str, *shape: int) -> TensorSpec:
    return TensorSpec(name=name, dtype=dtype, shape=list(shape))


LARGE = tensor("pixels", "uint8", 1, 120, 160, 3)


def test_a_detector_of_another_camera_and_of_other_classes_has_them_from_its_card() -> None:
    solve = task(card("detect", [LARGE], [tensor("scores", "float32", 1, 5, 30, 40),
                                          tensor("boxes", "float32", 1, 4, 30, 40)]))
    frame = np.full((120, 160, 3), 7, np.uint8)
    assert (solve.preprocess(frame)["pixels"] == frame[None]).all()
    with pytest.raises(ValueError, match=r"must be uint8 \[120, 160, 3\], found uint8 \[72, 96, 3\]"):
        solve.preprocess(frame[:72, :96])
    scores, boxes = np.zeros((1, 5, 30, 40), np.float32), np.zeros((1, 4, 30, 40), np.float32)
    scores[0, 4, 3, 39], boxes[0, :, 3, 39] = 0.75, (140, 10, 170, 130)
    assert solve.postprocess([scores, boxes]) == Detections([Detection(4, 0.75, 140, 10, 160, 120)])
    with pytest.raises(ValueError, match=r"expected scores \[1, 5, h, w\]"):
        solve.postprocess([scores[:, :3], boxes])


def test_a_segmenter_of_another_camera_takes_its_frames() -> None:
    solve = task(card("segment", [LARGE], [tensor("classes", "uint8", 1, 120, 160)]))
    assert solve.preprocess(np.zeros((120, 160, 3), np.uint8))["pixels"].shape == (1, 120, 160, 3)
    mask = solve.postprocess([np.full((1, 120, 160), 200, np.uint8)])
    assert mask == Mask(height=120, width=160, cells=bytes([200]) * 120 * 160)


@pytest.mark.parametrize(("name", "inputs", "outputs", "message"), [
    ("detect", [tensor("x", "float32", 1, 3, 8, 8)], SHIPPED["detector"].outputs, "inputs: found .*one input, uint8"),
    ("detect", [LARGE, LARGE], SHIPPED["detector"].outputs, "inputs: found .*one input, uint8"),
    ("detect", [LARGE], SHIPPED["segmenter"].outputs, "outputs: found .*boxes"),
    ("segment", [LARGE], SHIPPED["detector"].outputs, "outputs: found .*classes, uint8"),
    ("segment", [LARGE], [tensor("classes", "int64", 1, 8, 8)], "outputs: found .*classes, uint8"),
])
def test_a_card_that_does_not_fit_its_task_is_refused(
    name: str, inputs: list[TensorSpec], outputs: list[TensorSpec], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        task(card(name, inputs, outputs))


def test_an_unknown_task_lists_the_known() -> None:
    with pytest.raises(ModelError, match="classify, detect, segment"):
        task(card("dance", [LARGE], []))
