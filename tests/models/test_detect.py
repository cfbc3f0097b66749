"""Detection post-processing on maps painted by hand."""

import numpy as np
import pytest

from models.store import ModelError
from models.tasks import detect, task
from swarm.core.protocol.world import Detection, Detections


def maps(*peaks: tuple[int, int, int, float, tuple[float, float, float, float]]) -> list[np.ndarray]:
    """Scores and boxes of an empty frame but for peaks: label, row, column, score, box."""
    scores, boxes = np.zeros((1, 3, 18, 24), np.float32), np.zeros((1, 4, 18, 24), np.float32)
    for label, row, column, score, box in peaks:
        scores[0, label, row, column] = score
        boxes[0, :, row, column] = box
    return [scores, boxes]


def test_an_empty_frame_has_no_detections() -> None:
    assert detect.postprocess(maps()) == Detections([])


def test_boxes_come_best_first_with_their_class() -> None:
    found = detect.postprocess(maps((0, 2, 3, 0.5, (4, 2, 20, 18)), (2, 10, 12, 0.75, (40, 30, 60, 50))))
    assert found == Detections([Detection(2, 0.75, 40, 30, 60, 50), Detection(0, 0.5, 4, 2, 20, 18)])


def test_what_scores_below_the_threshold_is_dropped() -> None:
    weak = maps((1, 5, 5, detect.THRESHOLD - 0.01, (10, 10, 30, 30)))
    assert detect.postprocess(weak) == Detections([])
    assert len(detect.decode(weak, 0.1).boxes) == 1


def test_of_two_overlapping_boxes_of_a_class_the_stronger_stays() -> None:
    box, shifted = (10, 10, 30, 30), (12, 10, 32, 30)
    same = detect.postprocess(maps((1, 4, 4, 0.75, box), (1, 4, 6, 0.5, shifted)))
    assert same == Detections([Detection(1, 0.75, *box)])
    other = detect.postprocess(maps((1, 4, 4, 0.75, box), (0, 4, 6, 0.5, shifted)))
    assert [b.label for b in other.boxes] == [1, 0]


def test_boxes_are_clipped_to_the_frame() -> None:
    found = detect.postprocess(maps((0, 0, 0, 0.5, (-5, -5, 200, 200))))
    assert found.boxes[0] == Detection(0, 0.5, 0, 0, 96, 72)


def test_overlaps_by_hand() -> None:
    a, b = np.array([[0, 0, 10, 10.0]]), np.array([[0, 0, 10, 10.0], [5, 0, 15, 10], [20, 20, 30, 30]])
    assert detect.overlaps(a, b)[0] == pytest.approx([1.0, 50 / 150, 0.0])


@pytest.mark.parametrize("outputs", [maps()[:1] * 2, [np.zeros((1, 2, 18, 24)), maps()[1]], [np.zeros(3), np.zeros(3)]])
def test_maps_of_another_shape_are_refused(outputs: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match="expected scores"):
        detect.postprocess(outputs)


def test_the_mask_is_the_classes() -> None:
    classes = np.arange(6, dtype=np.uint8).reshape(1, 2, 3) % 5
    mask = task("segment").postprocess([classes])
    assert (mask.array() == classes[0]).all()   # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ValueError, match="expected classes"):
        task("segment").postprocess([classes.astype(np.float32)])


@pytest.mark.parametrize("name", ["detect", "segment"])
def test_only_a_frame_of_the_camera_is_taken(name: str) -> None:
    frame = np.zeros((72, 96, 3), np.uint8)
    assert task(name).preprocess(frame)["image"].shape == (1, 72, 96, 3)
    wrongs: list[np.ndarray] = [frame[:71], frame.astype(np.float32), frame[None]]
    for wrong in wrongs:
        with pytest.raises(ValueError, match="a frame must be uint8"):
            task(name).preprocess(wrong)


def test_an_unknown_task_lists_the_known() -> None:
    with pytest.raises(ModelError, match="detect, segment"):
        task("dance")
