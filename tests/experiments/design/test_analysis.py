"""From rows to comparisons, beside figures by hand."""

from __future__ import annotations

import math

import pytest

from swarm.experiments.design.analysis import comparisons, more_seeds, paired
from swarm.experiments.statistics.stopping import StopWhen
from tests.experiments.files import row

ARMS = ["a", "b"]


def test_pairs_are_of_the_seeds_that_count_in_both_arms() -> None:
    rows = [row("a", 1, 1.0), row("b", 1, 2.0), row("a", 2, 3.0), row("b", 2, 9.0, valid=False), row("a", 3, 5.0),
            row("b", 4, 7.0), row("b", 5, 8.0), row("a", 5, None)]
    assert paired(rows, ARMS, "m") == {("{}", "b"): ([2.0, 8.0], [1.0, None])}


def test_a_comparison_by_hand() -> None:
    """Differences 1 to 6: the Walsh averages lie about 3.5, no sign-flip is more extreme: 2 / 2^6."""
    rows = [row(arm, seed, 10.0 + (seed if arm == "b" else 0)) for seed in range(1, 7) for arm in ARMS]
    one, = comparisons(rows, ARMS, {"m": "lower"})
    assert (one.arm, one.against, one.n) == ("b", "a", 6)
    assert (one.mean_arm, one.mean_against) == (13.5, 10.0)
    assert one.difference == 3.5
    assert one.interval == (1.0, 6.0)
    assert one.p == one.p_adjusted == 2 / 2**6
    assert (one.won, one.verdict) == (0.0, "worse")
    assert comparisons(rows, ARMS, {"m": "higher"})[0].verdict == "better"


def test_a_block_that_does_not_count_drops_both_sides() -> None:
    rows = [row(arm, seed, float(seed + (arm == "b"))) for seed in range(1, 8) for arm in ARMS]
    rows[2:4] = [row("a", 2, 1000.0, valid=False), row("b", 2, -1000.0, valid=False)]
    one, = comparisons(rows, ARMS, {"m": "higher"})
    assert (one.n, one.difference, one.mean_against) == (6, 1.0, pytest.approx((1 + 3 + 4 + 5 + 6 + 7) / 6))


def test_cells_and_metrics_are_one_family() -> None:
    rows = [row(arm, seed, seed + 10.0 * (arm == "b"), cell={"x": x}) for x in (1, 2) for seed in range(1, 9)
            for arm in ARMS]
    found = comparisons(rows, ARMS, {"m": "higher"})
    assert [one.cell for one in found] == [{"x": 1}, {"x": 2}]
    assert [one.p for one in found] == [2 / 2**8] * 2
    assert [one.p_adjusted for one in found] == [4 / 2**8] * 2


def test_infinite_figures_have_no_mean_but_a_difference() -> None:
    rows = [row(arm, seed, math.inf if arm == "b" and seed == 1 else float(seed)) for seed in range(1, 7)
            for arm in ARMS]
    one, = comparisons(rows, ARMS, {"m": "lower"})
    assert one.mean_arm is None
    assert one.mean_against == 3.5
    assert one.difference == 0.0


def test_too_few_seeds_have_no_verdict() -> None:
    rows = [row(arm, seed, 10.0 * (arm == "b")) for seed in range(1, 6) for arm in ARMS]
    one, = comparisons(rows, ARMS, {"m": "higher"})
    assert (one.n, one.p, one.interval, one.verdict) == (5, None, None, "too few seeds")


def test_seeds_are_added_while_an_interval_is_wide() -> None:
    rule = StopWhen(half_width=0.5, first=6, batch=4, most=30)
    wide = [row(arm, seed, 7.0 * (seed % 3) * (arm == "b")) for seed in range(1, 7) for arm in ARMS]
    assert more_seeds(wide, ARMS, "m", "higher", rule) == 4
    narrow = [row(arm, seed, 1.0 * (arm == "b")) for seed in range(1, 31) for arm in ARMS]
    assert more_seeds(narrow, ARMS, "m", "higher", rule) == 0
