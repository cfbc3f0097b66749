"""Pseudo-median, interval and test beside published tables, worked examples and counting by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wilcoxon

from swarm.experiments.statistics import signed_ranks as module
from swarm.experiments.statistics.signed_ranks import ALPHA, LEAST, estimate, p_values, rank_of_end, signed_ranks

CRITICAL = {6: 0, 7: 2, 8: 3, 9: 5, 10: 8, 11: 10, 12: 13, 13: 17, 14: 21, 15: 25, 16: 29, 17: 34, 18: 40, 19: 46,
            20: 52}
CRITICAL_1 = {8: 0, 9: 1, 10: 3, 11: 5, 12: 7, 13: 9, 14: 12, 15: 15, 16: 19, 17: 23, 18: 27, 19: 32, 20: 37}
"""The largest rank sum that is significant at 5 and at 1 %, two-sided (McCornack, J. Am. Stat. Assoc. 60, 1965)."""

BEFORE = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
AFTER = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
"""Depression scores (Hollander and Wolfe, table 3.1)."""

DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
"""Crossed less self-fertilised maize, eighths of an inch (Fisher, The Design of Experiments, chapter 3)."""

VALUES = st.one_of(st.integers(-4, 4).map(float), st.floats(-1e3, 1e3).map(lambda x: round(x, 3)),
                   st.sampled_from([math.inf, -math.inf]))


def by_hand(differences: list[float]) -> float:
    """Two-sided p by trying every flip of the signed ranks."""
    magnitudes = [abs(d) for d in differences]
    ranks = [sum(m < own for m in magnitudes) + (sum(m == own for m in magnitudes) + 1) / 2 for own in magnitudes]
    kept = [(rank, d > 0) for rank, d in zip(ranks, differences, strict=True) if d]
    off = abs(sum(rank if up else -rank for rank, up in kept))
    all_flips = list(itertools.product((1, -1), repeat=len(kept)))
    beyond = sum(abs(sum(s * rank for s, (rank, _) in zip(signs, kept, strict=True))) >= off for signs in all_flips)
    return beyond / len(all_flips)


@pytest.mark.parametrize(("alpha", "table"), [(0.05, CRITICAL), (0.01, CRITICAL_1)])
def test_the_ends_are_those_of_wilcoxons_table(alpha: float, table: dict[int, int]) -> None:
    assert {n: rank_of_end(n, alpha) - 1 for n in table} == table
    assert rank_of_end(min(table) - 1, alpha) == 0


def test_six_values_are_the_fewest_that_bear_a_verdict() -> None:
    assert p_values(np.arange(1.0, LEAST + 1)) == 2 / 64 <= ALPHA
    assert p_values(np.arange(1.0, LEAST)) == 2 / 32 > ALPHA
    assert np.isnan(estimate(np.arange(1.0, LEAST)).low)


def test_the_depression_scores_are_as_in_the_book() -> None:
    """p 0.039, estimate -0.46, interval of 96.1 % from -0.786 to -0.010."""
    differences = np.array(AFTER) - np.array(BEFORE)
    assert p_values(differences) == pytest.approx(0.0390625)
    assert [float(x) for x in estimate(differences)] == pytest.approx([-0.46, -0.786, -0.010])


def test_darwins_maize() -> None:
    """The negative ranks are 10 and 14; R gives p 0.04126 for this sum of 24, and the t test 0.0497."""
    differences = np.array(DARWIN, float)
    assert -signed_ranks(differences).clip(max=0).sum() == 2 * 24
    assert p_values(differences) == pytest.approx(0.04126, abs=5e-6)
    assert estimate(differences).low > 0


def test_three_differences_by_hand() -> None:
    assert p_values(np.array([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0], [1.0, 2.0, -3.0], [0.0, 1.0, 2.0], [0.0, 0.0, 0.0]])) \
        == pytest.approx([2 / 8, 2 / 8, 1.0, 2 / 4, 1.0])
    found = estimate(np.array([1.0, 2.0, 6.0]))                  # averages: 1, 1.5, 2, 3.5, 4, 6
    assert found.value == 2.75


def test_infinite_differences_are_ranked() -> None:
    better = np.array([math.inf, 3.0, 5.0, 4.0, 1.0, 2.0])
    assert p_values(better) == 2 / 64
    assert [float(x) for x in estimate(better)] == [3.5, 1.0, math.inf]          # 15 of 21 averages are finite
    better[1] = math.inf                                                         # 10 of 21
    assert [float(x) for x in estimate(better)] == [math.inf, 1.0, math.inf]
    one_off = np.array([-math.inf, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert p_values(one_off) == pytest.approx(by_hand(one_off.tolist()))
    assert p_values(one_off) == p_values(np.array([-7.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))


def test_opposite_infinities_do_not_average_to_anything() -> None:
    found = estimate(np.array([-math.inf, math.inf]))
    assert np.isnan(found.value)
    mixed = estimate(np.array([math.inf, -math.inf, 1.0, 2.0, 3.0, 4.0, 5.0]))
    assert (mixed.value, mixed.low, mixed.high) == (3.0, -math.inf, math.inf)


@given(st.lists(VALUES, min_size=1, max_size=9))
def test_p_is_the_share_of_all_flips(values: list[float]) -> None:
    assert float(p_values(np.array(values))) == pytest.approx(by_hand(values), abs=1e-12)


@given(st.lists(st.integers(-10**6, 10**6).map(float).filter(bool), min_size=6, max_size=25, unique_by=abs))
def test_p_is_scipys_and_the_interval_leaves_out_zero_when_it_is_small(values: list[float]) -> None:
    differences = np.array(values)
    p, found = float(p_values(differences)), estimate(differences)
    assert p == pytest.approx(wilcoxon(differences, method="exact").pvalue)
    assert (p <= ALPHA) == (not found.low <= 0 <= found.high)
    assert found.low <= found.value <= found.high


@given(st.lists(st.integers(-50, 50).map(float), min_size=6, max_size=12), st.integers(-9, 9))
def test_the_estimate_moves_with_the_values_and_mirrors(values: list[float], by: int) -> None:
    given_values = np.array(values)
    once, moved, mirrored = (np.array(estimate(x)) for x in (given_values, given_values + by, -given_values))
    assert moved == pytest.approx(once + by)
    assert mirrored == pytest.approx(-once[[0, 2, 1]])
    assert p_values(-given_values) == p_values(given_values)


def test_beyond_the_counted_ones_the_normal_distribution_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 200 values, with ties, zeros and a lean: the rank of the ends within 0.1 %, p within 2 %."""
    samples = np.random.default_rng(5).integers(-20, 24, (6, 200)).astype(float)
    exact, end = p_values(samples), rank_of_end(200)
    monkeypatch.setattr(module, "MOST_EXACT", 100)
    assert p_values(samples) == pytest.approx(exact, rel=0.02)
    assert exact.min() < 0.1 < exact.max()
    assert rank_of_end(200) == pytest.approx(end, rel=1e-3)
    assert p_values(np.zeros(200)) == 1.0


def test_many_samples_at_once_are_the_same_as_one_by_one() -> None:
    rng = np.random.default_rng(3)
    many = rng.integers(-3, 6, (2, 50, 9)).astype(float)
    assert p_values(many).shape == estimate(many).low.shape == (2, 50)
    for k, one in enumerate(many[1]):
        assert p_values(many)[1, k] == p_values(one)
        assert estimate(many).high[1, k] == estimate(one).high
