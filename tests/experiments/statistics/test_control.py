"""The noise floor of a policy against itself."""

from __future__ import annotations

import math

import numpy as np
import pytest

from swarm.experiments.statistics import control
from swarm.experiments.statistics.control import noise_floor
from swarm.experiments.statistics.signed_ranks import estimate


def test_chance_exceeds_the_floor_in_five_percent_of_all_flips() -> None:
    rng = np.random.default_rng(5)
    first, second = rng.normal(10.0, 1.0, 8), rng.normal(10.0, 1.0, 8)
    floor = noise_floor(first, second)
    assert floor.chance is not None
    flips = np.array([[1.0 if bits >> k & 1 else -1.0 for k in range(8)] for bits in range(256)])
    shown = np.abs(estimate(flips * (first - second)).value)
    assert np.mean(shown > floor.chance) <= 0.05 < np.mean(shown >= floor.chance)
    assert floor.half_width == floor.comparison.half_width
    assert abs(floor.comparison.difference or math.inf) < floor.chance


def test_above_twelve_seeds_flips_are_drawn_to_the_same_end(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    figures = rng.normal(0.0, 1.0, (2, 11))
    exact = noise_floor(*figures).chance
    monkeypatch.setattr(control, "FLIPPED", 10)
    drawn = noise_floor(*figures).chance
    assert drawn == noise_floor(*figures).chance
    assert drawn == pytest.approx(exact, rel=0.15)


def test_the_floor_grows_with_the_noise_and_falls_with_the_seeds() -> None:
    rng = np.random.default_rng(7)
    few, many = rng.normal(0.0, 1.0, (2, 8)), rng.normal(0.0, 1.0, (2, 40))
    floor, lower = noise_floor(*few).chance, noise_floor(*many).chance
    assert floor is not None
    assert lower is not None
    assert lower < floor
    assert noise_floor(*(3.0 * few)).chance == pytest.approx(3.0 * floor)


def test_few_missing_and_infinite_figures() -> None:
    few = noise_floor([1, 2, 3, None, 4, 5], [1, 1, 1, 1, 1, 1])
    assert (few.half_width, few.chance, few.comparison.n, few.comparison.missing) == (None, None, 5, 1)
    same = noise_floor([1.0] * 6, [1.0] * 6)
    assert (same.half_width, same.chance, same.comparison.p) == (0.0, 0.0, 1.0)
    never = noise_floor([math.inf, math.inf, math.inf, 1, 2, 3], [1, 2, 3, 4, 5, 6])
    assert never.chance == math.inf
