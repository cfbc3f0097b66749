"""Perfect, as the models are, halved: by hand, and paired view by view."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import cast, get_args

import msgspec
import numpy as np
import pytest

from agents.runtime.sessions import read_offer
from models.store import load_card
from swarm.bench.support.rig import HOST
from swarm.core.policy.draw import uniform
from swarm.core.protocol.world import Detection
from swarm.core.settings.cards import SizeError
from swarm.core.settings.launch_file import Quality
from swarm.virtual.perception import Perception, classify, detect, segment, tensors
from swarm.virtual.stamps import Views
from tests.virtual.perception.test_detect import truth, view
from tests.virtual.perception.test_segment import THINGS, VIEW, pixels

QUALITIES: tuple[Quality, ...] = get_args(Quality)
DETECTOR, SEGMENTER = load_card("detector"), load_card("segmenter")
ROW = SizeError(from_px=6.0, to_px=73.0, recall=0.8, precision=0.8, centre_std_px=1.0, size_std_px=1.0, truths=600)
VIEWS = 1000


def by_hand(quality: Quality) -> detect.Detector:
    """A detector with one row: 600 true boxes in 1200 frames, so 0.5 * 0.8 * 0.25 = 0.1 false ones a frame."""
    variants = {"int8": msgspec.structs.replace(DETECTOR.variants["int8"], error_model=[ROW])}
    return detect.make(msgspec.structs.replace(DETECTOR, variants=variants), quality)


def drawn(**values: float) -> Callable[..., float]:
    """Draws by their first name; all others are 0.5."""
    return lambda name, *rest: values.get(name, 0.5)


def kind(boxes: list[Detection]) -> str:
    """Of the box of a target of 20 px: a poor one is half as large again."""
    assert len(boxes) <= 1
    return ("right" if boxes[0].y1_px - boxes[0].y0_px == 20.0 else "poor") if boxes else "missed"


def test_half_the_recall_and_twice_the_false_boxes_by_hand() -> None:
    """0.8 * (1 / 0.8 - 1) = 0.2 false boxes for each true one; 0.4 * (1 / 0.5 - 1) = 0.4."""
    half = detect.halved(ROW)
    assert (half.recall, half.precision) == (0.4, pytest.approx(0.5))
    assert (half.centre_std_px, half.size_std_px, half.truths) == (1.0, 1.0, 600)
    sure = detect.halved(msgspec.structs.replace(ROW, precision=1.0))
    assert (sure.recall, sure.precision) == (0.4, 1.0)       # twice no false box


@pytest.mark.parametrize(("found", "halved", "model"), [
    (0.39, "right", "right"), (0.41, "poor", "right"), (0.69, "poor", "right"), (0.74, "missed", "right"),
    (0.79, "missed", "right"), (0.81, "missed", "poor"), (0.94, "missed", "poor"), (0.97, "missed", "missed")])
def test_one_number_decides_what_becomes_of_a_target_in_all_qualities(found: float, halved: str, model: str) -> None:
    """Right below the recall; 0.75 of the false boxes, 0.15 and 0.3 of the true ones, lie on targets."""
    kinds = {quality: kind(by_hand(quality)("int8", view(truth(20.0)), drawn(found=found, false=0.9)).boxes)
             for quality in QUALITIES}
    assert kinds == {"perfect": "right", "model": model, "halved": halved}


@pytest.mark.parametrize(("false", "counts"), [(0.02, (0, 1, 1)), (0.04, (0, 0, 1)), (0.06, (0, 0, 0))])
def test_where_no_target_is_a_false_box_of_the_model_stays_and_as_many_come(
    false: float, counts: tuple[int, ...]
) -> None:
    """0.25 of 0.1 false boxes a frame, and of 0.2."""
    made = [len(by_hand(quality)("int8", view(), drawn(false=false)).boxes) for quality in QUALITIES]
    assert tuple(made) == counts


def test_perfect_boxes_are_the_truth_and_none_of_a_damaged_frame() -> None:
    detector = detect.make(DETECTOR, "perfect")
    seen = [truth(30.0), truth(3.0, 1), truth(20.0, 2, unoccluded=0.05)]
    made = detector("int8", view(*seen), drawn(found=0.999, false=0.0, x=0.9, h=0.9)).boxes
    assert made == [Detection(box.label, 1.0, box.x0_px, box.y0_px, box.x1_px, box.y1_px) for box in seen]
    assert detector("int8", None, drawn()).boxes == []


@pytest.mark.parametrize("variant", ["int8", "small_int8"])       # the best and the worst
def test_targets_found_in_a_worse_quality_are_found_in_a_better_one(variant: str) -> None:
    """On the shipped cards: of large and of small targets, wholly and hardly visible."""
    targets = [truth(30.0, 0), truth(7.0, 1), truth(20.0, 2, unoccluded=0.4), truth(4.0, 3)]
    detectors = [detect.make(DETECTOR, quality) for quality in QUALITIES]
    shares = np.zeros((3, 4))
    for n in range(VIEWS):
        for k, one in enumerate(targets):
            draw = partial(uniform, 3, n)
            hit = [bool([box for box in detector(variant, view(one), draw).boxes
                         if abs((box.x0_px + box.x1_px) / 2 - (12.0 + 18.0 * k)) < 8.0]) for detector in detectors]
            if not any(draw("false", row) < 0.05 for row in range(5)):           # no box elsewhere in any of them
                assert hit[0] >= hit[1] >= hit[2]
            shares[:, k] += np.array(hit) / VIEWS
    assert shares[0] == pytest.approx([1.0] * 4)
    assert shares[2, 0] == pytest.approx(shares[1, 0] / 2.0, abs=0.05)


def test_things_shown_in_a_worse_mask_are_shown_in_a_better_one_and_half_as_often_in_halved() -> None:
    segmenters = [segment.make(SEGMENTER, quality) for quality in QUALITIES]
    shown = np.zeros((3, len(THINGS)))
    for n in range(VIEWS):
        masks = [segmenter("int8", VIEW, partial(uniform, 3, n)).array() for segmenter in segmenters]
        assert np.array_equal(masks[0], pixels()[1])
        there = np.array([[mask[36, 20 * number] == kind for number, kind in THINGS.items()] for mask in masks])
        assert (there[0] >= there[1]).all()
        assert (there[1] >= there[2]).all()
        shown += there / VIEWS
    assert shown[2] == pytest.approx(shown[1] / 2.0, abs=0.04)


def test_a_half_shown_thing_has_the_iou_that_the_module_says() -> None:
    """0.9 is a share of 1.8 / 1.9 views; half of it an IoU of 0.9 / 1.9 / (2 - 0.9 / 1.9) = 9 / 29."""
    share = segment.SHOWN["halved"](1.8 / 1.9)
    assert share / (2.0 - share) == pytest.approx(9 / 29)
    assert [segment.SHOWN[quality](0.5) for quality in QUALITIES] == [1.0, 0.5, 0.25]


def test_where_nothing_is_known_of_errors_all_qualities_are_alike() -> None:
    card = cast("object", SimpleNamespace(labels=["a", "b"], outputs=DETECTOR.outputs))
    for task in (classify, tensors):
        made = [task.make(card, quality)("int8", None, drawn()) for quality in QUALITIES]     # type: ignore[arg-type]
        assert made[0] == made[1] == made[2]


def test_the_robots_of_a_run_have_the_quality_that_they_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    offer, given = read_offer(["detector", "segmenter"], HOST, None), list[Quality]()
    monkeypatch.setattr(detect, "make", lambda card, quality: given.append(quality))
    monkeypatch.setattr(segment, "make", lambda card, quality: given.append(quality))
    Perception(offer, Views(), 3, "halved")
    assert given == ["halved", "halved"]
    Perception(offer, Views(), 3)
    assert given[2:] == ["model", "model"]


