"""Comparisons of two policies by hand: infinite, equal, missing and too few figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.experiments.statistics.comparison import compare, differences
from swarm.experiments.statistics.family import verdicts
from swarm.telemetry.figures.stats import Interval

FIGURES = st.lists(st.one_of(st.none(), st.just(math.inf), st.integers(0, 9).map(float)), min_size=12, max_size=12)


def test_six_seeds_that_all_agree() -> None:
    """Differences 1 to 6: 21 Walsh averages from 1 to 6 about 3.5; at six seeds the interval is the whole range."""
    found = compare([11, 12, 13, 14, 15, 16], [10] * 6, "higher")
    assert (found.n, found.missing, found.waiting) == (6, 0, 0)
    assert (found.difference, found.interval) == (3.5, Interval(1.0, 6.0))
    assert found.ratio == pytest.approx(math.sqrt(1.2 * 1.5))    # the 11th of the 21 averages of logarithms
    assert (found.won, found.p, found.leaning) == (1.0, 2 / 64, 1)
    assert found.half_width == 2.5
    assert verdicts([found]) == ["better"]
    assert verdicts([compare([11, 12, 13, 14, 15, 16], [10] * 6, "lower")]) == ["worse"]


def test_five_seeds_bear_no_verdict() -> None:
    found = compare([2, 3, 4, 5, 6], [1] * 5, "higher")
    assert (found.n, found.difference, found.won) == (5, 3.0, 1.0)
    assert (found.interval, found.p) == (None, None)
    assert found.half_width == math.inf
    assert verdicts([found]) == ["too few seeds"]


def test_no_seeds_say_nothing() -> None:
    found = compare([None, 1], [1, math.nan], "higher")
    assert (found.n, found.missing) == (0, 2)
    assert [found.difference, found.interval, found.ratio, found.won, found.p] == [None] * 5
    assert verdicts([found]) == ["too few seeds"]


def test_policies_that_are_all_alike() -> None:
    found = compare([3.0] * 8, [3.0] * 8, "lower")
    assert (found.difference, found.interval, found.ratio, found.p) == (0.0, Interval(0.0, 0.0), 1.0, 1.0)
    assert (found.won, found.leaning) == (0.0, 0)
    assert verdicts([found]) == ["no difference shown"]


def test_seeds_without_a_figure_are_left_out_on_both_sides() -> None:
    with_gaps = compare([1, None, 3, 4, 5, 6, 7, 9], [0, 9, 0, 0, 0, 0, 0, math.nan], "higher")
    assert (with_gaps.n, with_gaps.missing) == (6, 2)
    assert with_gaps.interval == compare([1, 3, 4, 5, 6, 7], [0] * 6, "higher").interval


def test_a_percentile_of_frames_that_never_came_is_the_worst() -> None:
    """Infinite at one side, the difference is infinite; at both, the two are alike."""
    never = math.inf
    found = compare([never, never, 40, never, 60, 50], [10, 20, 30, never, 30, 30], "lower")
    assert differences([never, 5, never], [never, never, 5]).tolist() == [0.0, -math.inf, math.inf]
    assert (found.won, found.leaning) == (0.0, -1)
    assert found.interval == Interval(0.0, never)
    assert found.p == 2 / 32                                     # the seed that is alike bears no sign
    certain = compare([never] * 6, [10, 20, 30, 20, 30, 30], "lower")
    assert (certain.difference, certain.ratio, certain.p) == (never, never, 2 / 64)
    assert (certain.half_width, found.half_width) == (0.0, never)
    assert verdicts([certain]) == ["worse"]


def test_a_ratio_of_shares_that_may_be_zero() -> None:
    found = compare([0.5] * 6, [0.0, 0.25, 0.25, 0.25, 0.25, 0.25], "higher")
    assert found.ratio == pytest.approx(2.0)
    assert compare([0.0, *[2.0] * 5], [0.0, *[1.0] * 5], "higher").ratio == pytest.approx(2.0)
    below = compare([-1.0, *[2.0] * 5], [1.0] * 6, "higher")
    assert (below.ratio, below.difference) == (None, 1.0)


def test_sides_of_unequal_length_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="2 figures against 1"):
        compare([1, 2], [1], "higher")


@given(FIGURES, FIGURES)
def test_the_other_way_round_everything_turns(a: list[float | None], b: list[float | None]) -> None:
    there, back = compare(a, b, "higher"), compare(b, a, "higher")
    assert (there.n, there.p, there.leaning) == (back.n, back.p, -back.leaning)
    assert compare(a, b, "lower").leaning == -there.leaning
    if there.difference is None:
        assert back.difference is None
    else:
        assert back.difference == -there.difference
    if there.interval and back.interval:
        assert back.interval == Interval(-there.interval.high, -there.interval.low)
    if there.ratio and back.ratio:
        assert there.ratio * back.ratio == pytest.approx(1.0) or math.inf in (there.ratio, back.ratio)
    if there.won is not None and back.won is not None:
        alike = sum(x == y for x, y in zip(a, b, strict=True) if x is not None and y is not None)
        assert there.won + back.won + alike / there.n == pytest.approx(1.0)


@given(FIGURES, FIGURES)
def test_the_order_of_the_seeds_does_not_count(a: list[float | None], b: list[float | None]) -> None:
    order = np.random.default_rng(len(a)).permutation(len(a))
    assert compare([a[k] for k in order], [b[k] for k in order], "lower") == compare(a, b, "lower")
