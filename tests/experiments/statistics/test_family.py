"""Holm's adjustment by hand, and verdicts over a family."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.experiments.statistics.comparison import compare
from swarm.experiments.statistics.family import holm, verdicts


def test_holm_by_hand() -> None:
    """In order 0.005 x 4, 0.01 x 3, 0.03 x 2, and 0.04 is not below the one before."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_comparison_without_a_p_is_not_of_the_family() -> None:
    assert holm([None, 0.03, None, 0.02]) == pytest.approx([None, 0.04, None, 0.04])
    assert holm([None]) == [None]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_p_and_bonferroni_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = np.array(holm(p_values), float)
    given_p = np.array(p_values)
    assert np.all(given_p <= adjusted)
    assert np.all(adjusted <= np.minimum(given_p * given_p.size, 1.0))
    assert np.all(np.diff(adjusted[np.argsort(given_p, kind="stable")]) >= 0)


def test_the_family_raises_the_bar() -> None:
    """Six seeds alone show a difference with p 0.031; two such comparisons need 0.025 of one of them."""
    clear = compare(range(11, 17), [10] * 6, "higher")
    assert verdicts([clear]) == ["better"]
    assert verdicts([clear, clear]) == ["no difference shown"] * 2
    clearer = compare(range(11, 18), [10] * 7, "lower")          # p 0.016
    none = compare([1, 2, 3], [1, 2, 3], "lower")
    assert verdicts([clear, none, clearer]) == ["better", "too few seeds", "worse"]
