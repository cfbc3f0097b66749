"""The measures behind the figures on the cards, against examples worked by hand."""

import numpy as np
import pytest

from models.build.train.evaluate import (
    average_precision,
    class_iou,
    confusion,
    error_model,
    match,
    mean_average_precision,
)
from models.build.train.frame_sets import Frames
from swarm.core.protocol.world import Detection, Detections


def frame(*boxes: tuple[int, float, float, float, float, bool]) -> Frames:
    """One frame with true boxes: label, x0, y0, x1, y1, counts."""
    return Frames(
        images=np.zeros((1, 72, 96, 3), np.uint8), masks=np.zeros((1, 72, 96), np.uint8),
        boxes=np.array([(0, *box) for box in boxes], np.float32).reshape(-1, 7),
    )


def test_average_precision_by_hand() -> None:
    # by score: hit, miss, hit, miss; 4 truths: recall 1/4 at precision 1, 2/4 at 2/3
    scores, hits = np.array([0.6, 0.9, 0.7, 0.8]), np.array([False, True, True, False])
    assert average_precision(scores, hits, 4) == pytest.approx(0.25 * 1 + 0.25 * 2 / 3)


def test_precision_is_made_monotone() -> None:
    # miss, hit, hit: precision at the hits 1/2 and 2/3, so the first counts with 2/3, too
    assert average_precision(np.array([3, 2, 1]), np.array([False, True, True]), 2) == pytest.approx(2 / 3)


def test_a_perfect_and_an_empty_answer() -> None:
    assert average_precision(np.array([1.0]), np.array([True]), 1) == 1.0
    assert average_precision(np.array([]), np.array([], bool), 3) == 0.0


def test_a_box_counts_once_and_only_in_its_class() -> None:
    truth = frame((0, 10, 10, 30, 30, True))
    found = Detections([Detection(0, 0.9, 10, 10, 30, 30), Detection(0, 0.8, 11, 10, 31, 30),
                        Detection(1, 0.7, 10, 10, 30, 30)])
    matches = match([found], truth)
    assert (matches.found[:, 3] >= 0).tolist() == [True, False, False]
    assert matches.recall == 1.0
    assert matches.precision == pytest.approx(1 / 3)
    assert mean_average_precision(matches) == 1.0       # the class without truth is left out


def test_what_falls_on_an_ignored_box_is_neither_hit_nor_miss() -> None:
    truth = frame((0, 10, 10, 30, 30, False), (0, 50, 10, 70, 30, True))
    found = Detections([Detection(0, 0.9, 10, 10, 30, 30), Detection(0, 0.8, 50, 10, 70, 30)])
    matches = match([found], truth)
    assert len(matches.found) == 1
    assert len(matches.truths) == 1
    assert matches.precision == matches.recall == 1.0


def test_the_error_model_measures_by_height() -> None:
    truth = frame((0, 10, 10, 30, 20, True), (1, 50, 10, 70, 50, True))
    found = Detections([Detection(0, 0.9, 12, 10, 32, 20)])        # 2 px to the right
    rows = error_model(match([found], truth))
    low, high = (next(row for row in rows if row.from_px <= height < row.to_px) for height in (10, 40))
    assert (low.recall, low.precision, low.truths) == (1.0, 1.0, 1)
    assert low.centre_std_px == pytest.approx(2**0.5, abs=1e-4)      # 2 px in x, 0 in y
    assert low.size_std_px == 0.0
    assert (high.recall, high.truths) == (0.0, 1)


def test_iou_by_hand() -> None:
    truth, found = np.array([[0, 0, 1, 1]], np.uint8), np.array([[0, 1, 1, 2]], np.uint8)
    iou = class_iou(confusion(found, truth))
    assert iou[:2] == pytest.approx([1 / 2, 1 / 3])
    assert np.isnan(iou[2:]).all()       # the truth has none of these
