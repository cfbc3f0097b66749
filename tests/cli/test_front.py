"""The front of a family: which variants are on it, and what a step along it costs."""

from __future__ import annotations

import pytest

from swarm.cli.front import Point, beaten_by, fastest_forms, front, steps

TEACHER, STUDENT, SMALL = (
    Point("int8", 0.94, 12.0, 500), Point("student", 0.93, 6.0, 300), Point("small", 0.90, 2.0, 100))


def test_the_front_runs_from_the_accurate_to_the_fast() -> None:
    assert front([SMALL, TEACHER, STUDENT]) == [TEACHER, STUDENT, SMALL]


def test_what_is_slower_larger_and_less_accurate_is_not_on_it() -> None:
    worse = Point("fp32", 0.93, 7.0, 300)
    assert front([worse, STUDENT, SMALL]) == [STUDENT, SMALL]
    assert beaten_by(worse, [worse, STUDENT, SMALL]) == "student"
    assert beaten_by(STUDENT, [worse, STUDENT, SMALL]) == ""


def test_a_smaller_file_alone_keeps_a_variant_on_it() -> None:
    assert Point("packed", 0.93, 7.0, 299) in front([Point("packed", 0.93, 7.0, 299), STUDENT])


def test_equals_are_both_on_it() -> None:
    assert len(front([STUDENT, STUDENT._replace(variant="twin")])) == 2


def test_of_each_network_the_fastest_form_is_a_point() -> None:
    points = [Point("fp32", 0.95, 30.0, 900), TEACHER, Point("student_fp32", 0.93, 13.0, 600), STUDENT]
    networks = {"fp32": "fp32", "int8": "fp32", "student_fp32": "student_fp32", "student": "student_fp32"}
    assert fastest_forms(points, networks) == [TEACHER, STUDENT]


def test_a_step_says_what_it_gains_and_loses() -> None:
    first, second = steps([TEACHER, STUDENT, SMALL])
    assert first[:2] == ("int8", "student")
    assert first[2:] == pytest.approx((2.0, 500 / 300, 0.01))
    assert second[2:] == pytest.approx((3.0, 3.0, 0.03))
    assert steps([TEACHER]) == []
