from __future__ import annotations

import random

from sim_worlds.lag_histogram import BIN_MS, BINS, LagHistogram


def test_lags_are_told_by_the_upper_edge_of_their_bin() -> None:
    lags = LagHistogram()
    assert lags.quantile_ms(0.99) == 0.0
    lags.add(4.3)
    assert lags.quantile_ms(0.99) == 4.5
    draw = random.Random(1)
    values = [draw.expovariate(1 / 6.0) for _ in range(20_000)]
    for value in values:
        lags.add(value)
    exact = sorted(values)[int(0.99 * len(values))]
    assert exact - BIN_MS <= lags.quantile_ms(0.99) <= exact + BIN_MS


def test_lags_beyond_the_bins_and_below_nothing_count_too() -> None:
    lags = LagHistogram()
    for value in (-1.0, 0.0, BIN_MS, BINS * BIN_MS):
        lags.add(value)
    assert [lags.quantile_ms(q) for q in (0.5, 0.75, 1.0)] == [BIN_MS, BIN_MS, BINS * BIN_MS]
    for _ in range(100):
        lags.add(7_000.0)
    assert lags.quantile_ms(0.99) == 7_000.0
