"""A simulated segmenter misses whole things, at the rate that its IoU says."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import cast

import msgspec
import numpy as np
import pytest

from models.store import ModelError, load_card
from sim_worlds.classes import CLUTTER, FLOOR, ROBOT, SEGMENT_CLASSES, TARGET, WALL
from sim_worlds.sensors.true_view import TrueView
from swarm.core.policy.draw import uniform
from swarm.virtual.perception import segment

CARD = load_card("segmenter")
HEIGHT, WIDTH = CARD.outputs[0].shape[1:3]
FRAMES = 3000
THINGS = {1: CLUTTER, 2: TARGET, 3: ROBOT}


def pixels() -> tuple[np.ndarray, np.ndarray]:
    """Wall above, floor below, and three things that stand across the horizon."""
    numbers = np.zeros((HEIGHT, WIDTH), np.int32)
    classes = np.full((HEIGHT, WIDTH), WALL, np.uint8)
    classes[HEIGHT // 2:] = FLOOR
    for number, kind in THINGS.items():
        where = slice(HEIGHT // 2 - 10, HEIGHT // 2 + 10), slice(20 * number, 20 * number + 10)
        numbers[where], classes[where] = number, kind
    return numbers, classes


VIEW = cast(TrueView, SimpleNamespace(pixels=pixels))


def masks(variant: str) -> list[np.ndarray]:
    made = segment.make(CARD)
    return [made(variant, VIEW, partial(uniform, 3, n)).array() for n in range(FRAMES)]


@pytest.mark.parametrize("variant", ["int8", "fp32"])
def test_a_class_is_missed_at_the_rate_of_its_iou(variant: str) -> None:
    """With as many false pixels as missed ones, IoU = shown / (shown + 2 missed)."""
    seen = masks(variant)
    for number, kind in THINGS.items():
        shown = float(np.mean([mask[HEIGHT // 2, 20 * number] == kind for mask in seen]))
        iou = CARD.variants[variant].metrics[f"iou_{SEGMENT_CLASSES[kind]}"]
        assert shown / (2.0 - shown) == pytest.approx(iou, abs=0.035)


def test_what_is_not_missed_is_the_truth_and_a_missed_thing_is_wall_above_floor() -> None:
    _, truth = pixels()
    whole, nothing = truth.copy(), truth.copy()
    for number in THINGS:
        nothing[:HEIGHT // 2, 20 * number:20 * number + 10] = WALL
        nothing[HEIGHT // 2:, 20 * number:20 * number + 10] = FLOOR
    for mask in masks("int8")[:200]:
        assert ((mask == whole) | (mask == nothing)).all()
        for number in THINGS:
            column = mask[HEIGHT // 2 - 10:HEIGHT // 2 + 10, 20 * number]
            assert set(column.tolist()) in ({THINGS[number]}, {WALL, FLOOR})


def test_a_damaged_frame_shows_wall_only() -> None:
    mask = segment.make(CARD)("int8", None, partial(uniform, 3, 0))
    assert (mask.height, mask.width) == (HEIGHT, WIDTH)
    assert (mask.array() == WALL).all()


def test_a_card_that_does_not_state_the_iou_of_a_class_is_refused_by_name() -> None:
    metrics = {k: v for k, v in CARD.variants["int8"].metrics.items() if k != "iou_target"}
    variants = {**CARD.variants, "int8": msgspec.structs.replace(CARD.variants["int8"], metrics=metrics)}
    with pytest.raises(ModelError, match="model 'segmenter' int8: has no metric 'iou_target', which virtual time"):
        segment.make(msgspec.structs.replace(CARD, variants=variants))
