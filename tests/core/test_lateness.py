"""Quantiles of lateness against sorted values, at the edges of the bins and beyond them."""

from __future__ import annotations

import math
import random

import pytest

from swarm.core.policy.lateness import BIN_NS, BINS, Lateness


def test_lateness_is_told_by_the_upper_edge_of_its_bin_and_none_as_none() -> None:
    late = Lateness()
    assert late.quantile_ms(0.99) == 0.0
    late.add(0)
    assert late.quantile_ms(1.0) == 0.0
    late.add(4_320_000)
    assert late.quantile_ms(0.5) == 0.0
    assert late.quantile_ms(0.51) == pytest.approx(4.4)
    late.add(4_400_000)                                      # an edge belongs to the bin below it
    assert late.quantile_ms(1.0) == pytest.approx(4.4)


@pytest.mark.parametrize("q", [0.5, 0.99, 0.999, 1.0])
def test_a_quantile_is_at_most_one_bin_too_large(q: float) -> None:
    late, draw = Lateness(), random.Random(1)
    values = [round(draw.expovariate(1 / 6e6)) for _ in range(20_000)]
    for value in values:
        late.add(value)
    exact = sorted(values)[math.ceil(q * len(values)) - 1]
    assert exact <= round(late.quantile_ms(q) * 1e6) < exact + BIN_NS


def test_what_lies_beyond_the_bins_or_below_nothing_counts_too() -> None:
    late = Lateness()
    for value in (-BIN_NS, 0, BIN_NS, BINS * BIN_NS):
        late.add(value)
    assert [late.quantile_ms(q) for q in (0.5, 0.75, 1.0)] == [0.0, 0.1, 2000.0]
    for _ in range(100):
        late.add(7_000_000_000)
    assert late.quantile_ms(0.99) == 7000.0
    late.clear()
    assert (late.quantile_ms(1.0), late.longest_ns) == (0.0, 0)
