"""The bench of Vicsek's model: its step and its order by hand, and a wrong model is told."""

from __future__ import annotations

import argparse
import math

import numpy as np
import pytest

from swarm.bench import vicsek

RNG = np.random.default_rng(1)


def test_order_by_hand() -> None:
    assert vicsek.order(np.array([0.7, 0.7, 0.7])) == pytest.approx(1.0)
    assert vicsek.order(np.array([0.0, math.pi])) == pytest.approx(0.0)
    assert vicsek.order(np.array([0.0, math.pi / 2])) == pytest.approx(math.sqrt(0.5))


def test_a_robot_takes_the_mean_heading_of_those_within_the_radius() -> None:
    places = np.array([[2.0, 2.0], [2.9, 2.0], [4.0, 2.0]])       # the second sees the first, and not the third
    headings = np.array([0.0, math.pi / 2, 3.0])
    assert vicsek.mean_headings(places, headings) == pytest.approx([math.pi / 4, math.pi / 4, 3.0])


def test_headings_are_averaged_as_directions_and_across_the_sides() -> None:
    places = np.array([[0.1, 1.0], [4.9, 1.0]])                   # 0.2 apart, across the side
    turned = vicsek.mean_headings(places, np.array([3.0, -3.0]))
    assert np.cos(turned) == pytest.approx([-1.0, -1.0])


def test_a_step_moves_by_the_new_heading_and_wraps() -> None:
    places, headings = vicsek.moved(np.array([[4.99, 1.0]]), np.array([0.0]), 0.0, RNG)
    assert places == pytest.approx(np.array([[0.02, 1.0]]))
    assert headings == pytest.approx([0.0])
    turned = [vicsek.moved(np.array([[1.0, 1.0]]), np.array([0.0]), 2.0, RNG)[1][0] for _ in range(200)]
    assert -1.0 <= min(turned) < -0.9
    assert 0.9 < max(turned) <= 1.0
    (place,), (heading,) = vicsek.moved(np.array([[1.0, 1.0]]), np.array([0.0]), 2.0, RNG)
    assert place == pytest.approx([1.0 + 0.03 * np.cos(heading), 1.0 + 0.03 * np.sin(heading)])


def test_the_tolerance_is_two_standard_deviations_and_003_at_least() -> None:
    far = vicsek.row_of(1.0, 0.50, [0.54, 0.54])
    assert (far["deviation"], far["tolerance"], far["within"]) == (0.04, 0.03, False)
    spread = vicsek.row_of(1.0, 0.50, [0.52, 0.56])               # a sample's deviation of 0.0283
    assert (spread["deviation"], spread["tolerance"], spread["within"]) == (0.04, 0.0566, True)


def test_a_model_with_twice_the_noise_is_not_within(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vicsek, "SEEDS", 2)
    monkeypatch.setattr(vicsek, "SETTLE_STEPS", 150)
    monkeypatch.setattr(vicsek, "MEASURED_STEPS", 50)
    monkeypatch.setattr(vicsek, "REFERENCE", {2.0: 0.95})         # the order at half that noise
    figures = vicsek.run(argparse.Namespace(), lambda _: None)
    assert not figures["within"]
    assert vicsek.as_text(figures).endswith("all within their tolerances: no")
