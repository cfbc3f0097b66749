"""Intervals beside values from tables and from counting by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from swarm.telemetry.figures.stats import needed, quantile, quantile_interval, share_interval


@pytest.mark.parametrize(("hits", "of", "low", "high"), [
    (8, 10, 0.4902, 0.9433),             # Agresti and Coull, 1998, give this interval of 8 of 10
    (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (950, 1000, 0.9347, 0.9619),
])
def test_the_interval_of_a_share_is_wilsons(hits: int, of: int, low: float, high: float) -> None:
    assert share_interval(hits, of) == pytest.approx((low, high), abs=5e-5)


def test_a_share_of_nothing_has_no_interval() -> None:
    assert share_interval(0, 0) is None


@pytest.mark.parametrize(("q", "least"), [(0.5, 6), (0.95, 72), (0.99, 368), (0.05, 72)])
def test_a_quantile_needs_so_many_values(q: float, least: int) -> None:
    assert needed(q) == least
    values = np.arange(float(least))
    found = quantile(values, q)
    assert found is not None
    assert found.value == pytest.approx(q * (least - 1))
    assert math.isfinite(found.interval.low + found.interval.high)
    assert quantile(values[1:], q) is None
    assert math.inf in [abs(end) for end in quantile_interval(values[1:], q)]


def test_the_interval_of_a_median_is_that_of_the_tables() -> None:
    """Of 20 values in order, the 6th to the 15th (Conover, table A3: 95.9 %)."""
    assert quantile_interval(np.arange(1.0, 21.0), 0.5) == (6.0, 15.0)


def test_a_quantile_among_frames_without_a_result_is_infinite() -> None:
    few = np.array([*range(96), *[math.inf] * 4], float)         # 4 % have none: p95 lies at place 94.05
    found = quantile(few, 0.95)
    assert found is not None
    assert found.value == pytest.approx(94.05)
    assert found.interval.low < 94 < found.interval.high == math.inf
    for without in (5, 6, 50):
        found = quantile(np.array([*range(100 - without), *[math.inf] * without], float), 0.95)
        assert found is not None
        assert found.value == math.inf


def test_the_interval_of_a_tail_covers_it_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    true = -math.log(0.05)                                       # of the exponential distribution
    covered = [low <= true <= high for low, high in (
        quantile_interval(np.sort(rng.exponential(size=200)), 0.95) for _ in range(300))]
    assert np.mean(covered) >= 0.93
