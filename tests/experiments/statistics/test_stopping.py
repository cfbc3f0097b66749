"""Looking often: levels beside published ones, and seeds added by the rule."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from swarm.experiments.statistics.comparison import compare, more_seeds
from swarm.experiments.statistics.signed_ranks import estimate, p_values
from swarm.experiments.statistics.stopping import StopWhen

RULE = StopWhen(half_width=1.0, first=10, batch=5, most=25)


@pytest.mark.parametrize(("looks", "each", "level"), [(2, 40, 0.0294), (3, 40, 0.0221), (5, 24, 0.0158)])
def test_the_level_is_pococks(looks: int, each: int, level: float) -> None:
    """Pocock, 1977, table 1, for many values; the drawn paths know it to a few percent."""
    rule = StopWhen(half_width=1.0, first=each, batch=each, most=looks * each)
    assert len(rule.looks) == looks
    assert rule.alpha == pytest.approx(level, rel=0.06)
    assert rule.adjusted(np.array([rule.alpha]))[0] <= 0.05 < rule.adjusted(np.array([rule.alpha * 1.2]))[0]


def test_a_single_look_costs_nothing() -> None:
    rule = StopWhen(half_width=1.0, first=10, most=10)
    assert rule.alpha == 50 / 1024                               # T = 8 at ten values
    assert rule.adjusted(np.array([50 / 1024]))[0] == pytest.approx(50 / 1024, abs=0.004)


def test_more_looks_cost_more() -> None:
    levels = [StopWhen(half_width=1.0, first=10, batch=batch, most=40).alpha for batch in (30, 10, 5, 1)]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] > 1.3 * levels[-1] > 0.05 / 31


def test_two_looks_by_hand() -> None:
    """At six seeds p is 1/32 if all signs agree; at seven, if all agree but perhaps that of the smallest.

    Of the paths with the first, the seventh sign agrees in 1/2, else it is the smallest in 1/7: both have 1/32 x 4/7.
    """
    rule = StopWhen(half_width=1.0, first=6, most=7, batch=1)
    assert rule.alpha == 1 / 32
    assert rule.adjusted(np.array([1 / 32]))[0] == pytest.approx(1 / 32 + 1 / 32 - 1 / 32 * 4 / 7, abs=0.004)


def test_the_looks_of_a_rule() -> None:
    assert RULE.looks == (10, 15, 20, 25)
    assert StopWhen(half_width=1.0, first=10, batch=7, most=25).looks == (10, 17, 24, 25)
    assert [RULE.last(n) for n in (9, 10, 14, 25, 30)] == [0, 10, 10, 25, 25]
    assert [RULE.after(n) for n in (0, 10, 14, 25)] == [10, 15, 15, 25]


@pytest.mark.parametrize(("given", "says"), [
    ({"half_width": 0}, "> 0.0"), ({"half_width": 1, "most": 201}, "<= 200"), ({"half_width": 1, "batch": 0}, ">= 1"),
    ({"half_width": 1, "first": 5}, ">= 6"), ({"half_width": 1, "first": 50, "most": 20}, "most: 20 seeds; at least"),
    ({"half_width": 1, "fist": 9}, "unknown field `fist`"), ({}, "half_width"),
])
def test_a_wrong_rule_is_told(given: dict[str, float], says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        msgspec.convert(given, StopWhen)


def test_a_comparison_takes_the_seeds_of_the_last_look() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(0.5, 1.0, 18), rng.normal(0.0, 1.0, 18)
    found = compare(a, b, "higher", RULE)
    assert (found.n, found.waiting) == (15, 3)
    apart = (a - b)[:15]
    assert found.interval == tuple(estimate(apart, RULE.alpha)[1:])
    assert found.p == RULE.adjusted(p_values(apart)) > p_values(apart)
    plain = compare(a[:15], b[:15], "higher").interval
    assert plain
    assert found.interval
    assert found.interval.low < plain.low < plain.high < found.interval.high


def test_below_the_first_look_there_is_nothing_to_say() -> None:
    found = compare(range(9), [0] * 9, "higher", RULE)
    assert (found.n, found.waiting, found.difference, found.p) == (0, 9, None, None)
    assert more_seeds([found], RULE) == 1


def test_seeds_are_added_until_all_are_narrow_or_enough_have_flown() -> None:
    narrow = [0.1 * (k % 3) for k in range(25)]
    wide = [10.0 * (-1) ** k + k for k in range(25)]

    def added(flown: int, *sides: list[float]) -> int:
        return more_seeds([compare(side[:flown], [0.0] * flown, "lower", RULE) for side in sides], RULE)

    assert [added(n, narrow) for n in (0, 10, 12)] == [10, 0, 0]
    assert [added(n, narrow, wide) for n in (0, 10, 12, 20, 25)] == [10, 5, 3, 5, 0]
    assert more_seeds([], RULE) == 0


def test_a_seed_without_a_figure_is_flown_again_but_not_for_ever() -> None:
    wide: list[float | None] = [10.0 * (-1) ** k for k in range(25)]
    gaps = [None if k < 2 else figure for k, figure in enumerate(wide)]
    assert more_seeds([compare(gaps[:10], [0.0] * 10, "lower", RULE)], RULE) == 2
    assert more_seeds([compare(gaps, [0.0] * 25, "lower", RULE)], RULE) == 0
    nothing = compare([None] * 25, [0.0] * 25, "lower", RULE)
    assert more_seeds([nothing], RULE) == 0
    assert nothing.half_width == math.inf
