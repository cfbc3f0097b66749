"""Outcomes in words, and as they travel."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from swarm.core.protocol.found import FOUND_MAX, counted, in_words
from swarm.core.protocol.world import (
    MOST_ARRAY_BYTES,
    ArrayNames,
    Classes,
    ClassScore,
    Detection,
    Detections,
    Mask,
    NamedArray,
    Outcome,
    Tensors,
    in_parts,
    named_array,
    of_parts,
)
from swarm.telemetry.report.sections import labels

LABELS = ("floor", "person", "big dog")
BOXES = Detections([Detection(label, 0.5, 0, 0, 1, 1) for label in (2, 1, 1, 7)])
CLASSES = Classes([ClassScore(2, 0.75), ClassScore(0, 0.25)])
ARRAYS = Tensors([named_array("sums", np.arange(6, dtype=np.float32).reshape(2, 3)), named_array("n", np.array(3))])


@pytest.mark.parametrize(("outcome", "said"), [
    (BOXES, "person 2, big dog 1, class 7 1"), (Detections([]), ""), (CLASSES, "big dog 1"), (Classes([]), ""),
    (Mask(1, 4, bytes([1, 0, 0, 0])), "floor 1, person 1"), (ARRAYS, "sums 1, n 1")])
def test_an_outcome_is_said_by_its_labels(outcome: Outcome, said: str) -> None:
    assert in_words(outcome, LABELS) == said


def test_words_are_counted_again_and_bounded() -> None:
    said = "person 2, big dog 1, class 7 1, floor"
    assert counted(said) == [("person", 2), ("big dog", 1), ("class 7", 1), ("floor", 1)]
    for name in ("zone 3", "output 0", "class 7"):           # a number at its end is the name's own
        assert counted(in_words(Classes([ClassScore(0, 1.0)]), [name])) == [(name, 1)]
    many = Detections([Detection(label, 0.5, 0, 0, 1, 1) for label in range(200)])
    assert 200 < len(in_words(many, ["label"] * 200)) <= FOUND_MAX


def test_the_report_counts_the_labels_of_each_stream() -> None:
    run = SimpleNamespace(streams=["look", "walls"], requests={
        "stream": ["look", "walls", "look", "look"], "found": ["person 2, dog 1", "sums", "person 1", ""]})
    assert labels(run).rows == [                              # pyright: ignore[reportArgumentType]
        ["look", "person", "2", "3"], ["look", "dog", "1", "1"], ["walls", "sums", "1", "1"]]


@pytest.mark.parametrize("outcome", [BOXES, CLASSES, ARRAYS, Tensors([]), Mask(1, 2, b"\0\1")])
def test_an_outcome_is_the_same_after_its_way(outcome: Outcome) -> None:
    assert of_parts(*in_parts(outcome)) == outcome


@pytest.mark.parametrize(("header", "arrays"), [
    (ArrayNames(["a"]), []), (ArrayNames(["a", "b"]), [np.zeros(1)]), (CLASSES, [np.zeros(1)]),
    (ArrayNames(["a"]), [np.zeros(MOST_ARRAY_BYTES, np.uint8), np.zeros(1)]),
    (ArrayNames(["a"]), [np.zeros(MOST_ARRAY_BYTES + 1, np.uint8)]), (None, [np.zeros((0, 5), np.uint8)]),
])
def test_parts_that_are_no_outcome(header: ArrayNames | Classes | None, arrays: list[np.ndarray]) -> None:
    assert of_parts(header, arrays) is None


def test_a_mask_has_cells() -> None:
    with pytest.raises(ValueError, match="0 cells"):
        Mask(0, 5, b"")


@pytest.mark.parametrize("of", [("object", [1], b"8" * 8), ("uint8", [2], b"1"), ("float32", [1, 2], b"1" * 4)])
def test_bytes_that_are_no_array_are_refused(of: tuple[str, list[int], bytes]) -> None:
    with pytest.raises(ValueError, match="are no"):
        NamedArray("x", *of)
