"""Power beside theory, and pilots that tell nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from swarm.experiments.statistics.power import MOST, power, seeds_needed, spread_between

NORMAL = norm.ppf((np.arange(199) + 0.5) / 199)          # a large pilot without chance
PILOT = np.array([0.3, -1.1, 0.8, 0.1, -0.4, 1.6, -0.9, 0.2])


def test_a_known_spread_needs_the_seeds_of_the_book() -> None:
    """34 pairs for half a standard deviation with the t test (noncentral t); 1 / 0.955 as many with ranks."""
    needed = seeds_needed(NORMAL, 0.5, spread=1.0)
    assert needed is not None
    assert needed.seeds == pytest.approx(34 / 0.955, abs=2)
    assert needed.power == pytest.approx(0.8, abs=0.03)


def test_without_a_difference_the_power_is_the_size_of_the_test() -> None:
    """The test at 6 seeds has a size of 2 / 64, at 10 of 50 / 1024."""
    assert power(NORMAL, 0.0, 6) == pytest.approx(2 / 64, abs=0.012)
    assert power(NORMAL, 0.0, 10) == pytest.approx(50 / 1024, abs=0.015)
    assert power(NORMAL, 9.0, 6) == 1.0


def test_a_small_pilot_asks_for_more_seeds_than_its_spread_does() -> None:
    own = float(np.std(PILOT, ddof=1))
    uncertain, certain = seeds_needed(PILOT, 0.8), seeds_needed(PILOT, 0.8, spread=own)
    assert uncertain is not None
    assert certain is not None
    assert uncertain.seeds is not None
    assert certain.seeds is not None
    assert certain.seeds < uncertain.seeds < 2 * certain.seeds
    assert (uncertain.pilot, uncertain.difference, uncertain.family) == (8, 0.8, 1)
    between = spread_between(PILOT)
    assert between
    assert between.low < own < between.high
    assert seeds_needed(PILOT, 0.8) == uncertain


def test_the_spread_is_less_certain_than_a_normal_one() -> None:
    """A variance of 8 values has 2 / (2 / 7 + 1 / 8) = 4.87 degrees of freedom: chi-squared from 1.55 to 9.06."""
    between, own = spread_between(PILOT), float(np.std(PILOT, ddof=1))
    assert between == pytest.approx((own * (4.870 / 9.06) ** 0.5, own * (4.870 / 1.55) ** 0.5), rel=0.01)


def test_a_family_needs_more_and_six_seeds_cannot_do_it() -> None:
    alone, family = seeds_needed(PILOT, 1.5), seeds_needed(PILOT, 1.5, family=10)
    assert alone is not None
    assert family is not None
    assert alone.seeds is not None
    assert family.seeds is not None
    assert family.seeds > alone.seeds
    assert power(PILOT, 1e6, 6, family=2) == 0.0
    assert power(PILOT, 1e6, 7, family=2) == 1.0
    enormous = seeds_needed(PILOT, 1e6)
    assert enormous is not None
    assert enormous.seeds == 6


def test_more_seeds_and_larger_differences_have_more_power() -> None:
    powers = [power(PILOT, 0.5, n) or 0.0 for n in (6, 12, 24, 48)]
    assert powers == sorted(powers)
    assert (power(PILOT, 0.2, 20) or 0.0) < (power(PILOT, 0.4, 20) or 0.0)


def test_the_sign_counts_where_the_pilot_is_skewed() -> None:
    skewed = np.array([-0.5, -0.5, -0.4, -0.4, -0.3, -0.2, 0.1, 0.6, 1.5, 3.9])
    upward, downward = power(skewed, 0.8, 12), power(skewed, -0.8, 12)
    assert upward is not None
    assert downward is not None
    assert upward > downward + 0.1


def test_what_500_seeds_cannot_show_has_no_number() -> None:
    needed = seeds_needed(PILOT, 0.001, draws=100)
    assert needed is not None
    assert (needed.seeds, needed.power) == (None, None)
    assert (power(PILOT, 0.001, MOST, draws=100) or 0.0) < 0.8


@pytest.mark.parametrize("pilot", [
    [], [1.0, 2.0, 3.0, 4.0, 5.0], [1.0] * 9, [np.inf] * 9, [*range(5), np.inf, np.inf], [*range(6), *[np.inf] * 20]])
def test_a_pilot_that_tells_nothing(pilot: list[float]) -> None:
    assert power(np.array(pilot), 0.5, 20) is None
    assert seeds_needed(np.array(pilot), 0.5) is None
    assert spread_between(np.array(pilot)) is None


def test_an_infinite_difference_of_the_pilot_costs_power() -> None:
    some = np.array([*PILOT, np.inf, -np.inf])
    assert 0.0 < (power(some, 1.0, 12) or 0.0) < (power(PILOT, 1.0, 12) or 0.0)
