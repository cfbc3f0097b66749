"""SwarmLab's measures by hand: three robots in a row, two pairs, one alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim_worlds.scenarios.formation import metrics

ROW = np.array([(0.0, 0.0), (1.0, 0.0), (2.0, 0.0)])
PAIRS = np.array([(0.0, 0.0), (1.0, 0.0), (9.0, 0.0), (9.0, 1.0)])
EAST, NORTH, STILL = (0.4, 0.0), (0.0, 0.2), (0.0, 0.0)


def test_robots_at_most_the_reach_apart_are_neighbours_and_nobody_is_its_own() -> None:
    assert metrics.within_reach(ROW, 1.0).tolist() == [[False, True, False], [True, False, True], [False, True, False]]
    assert metrics.within_reach(ROW, 2.0).sum() == 6
    assert not metrics.within_reach(ROW, 0.9).any()


@pytest.mark.parametrize(("velocities", "reach_m", "expected"), [
    ([EAST, (0.1, 0.0), EAST], 2.0, 1.0),                    # the speed does not matter
    ([EAST, NORTH, EAST], 1.0, 0.0),                         # a right angle with each neighbour
    ([EAST, NORTH, EAST], 2.0, (0.5 + 0.0 + 0.5) / 3),       # the first and the last see each other
    ([EAST, (-0.4, 0.0), EAST], 1.0, -1.0),
    ([EAST, STILL, EAST], 1.0, 0.0),                         # a robot that stands has no direction
    ([EAST, NORTH, EAST], 0.5, 1.0),                         # nobody has a neighbour
])
def test_order_is_the_mean_cosine_with_the_neighbours(
        velocities: list[tuple[float, float]], reach_m: float, expected: float) -> None:
    assert metrics.order(np.array(velocities), metrics.within_reach(ROW, reach_m)) == pytest.approx(expected)


def test_safety_counts_the_pairs_that_touch() -> None:
    assert metrics.safety(ROW, np.array([0.5, 0.4, 0.4]), 0.0) == 1.0
    assert metrics.safety(ROW, np.array([0.6, 0.5, 0.4]), 0.0) == pytest.approx(2 / 3)
    assert metrics.safety(ROW, np.array([0.5, 0.4, 0.4]), 0.15) == pytest.approx(2 / 3)
    assert metrics.safety(ROW[:1], np.array([0.5]), 0.0) == 1.0


def test_union_counts_the_groups() -> None:
    assert metrics.union(metrics.within_reach(ROW, 1.0)) == 1.0
    assert metrics.union(metrics.within_reach(PAIRS, 1.0)) == pytest.approx(2 / 3)
    assert metrics.union(metrics.within_reach(PAIRS, 0.5)) == 0.0
    assert metrics.union(metrics.within_reach(PAIRS[:1], 1.0)) == 1.0


def test_a_long_row_is_one_group() -> None:
    row = np.column_stack([[3.0, 1.0, 4.0, 0.0, 5.0, 2.0], np.zeros(6)])
    assert metrics.union(metrics.within_reach(row, 1.0)) == 1.0
    assert metrics.connectivity(metrics.within_reach(row, 1.0)) == pytest.approx((2 - 2 * math.cos(math.pi / 6)) / 6)


def test_connectivity_is_the_second_eigenvalue_of_the_laplacian_by_the_robots() -> None:
    assert metrics.connectivity(metrics.within_reach(ROW, 1.0)) == pytest.approx(1 / 3)      # a path of three: 0, 1, 3
    assert metrics.connectivity(metrics.within_reach(ROW, 2.0)) == pytest.approx(1.0)        # all reach all: 0, 3, 3
    assert metrics.connectivity(metrics.within_reach(PAIRS, 1.0)) == pytest.approx(0.0)
    assert metrics.connectivity(metrics.within_reach(ROW[:1], 1.0)) == 1.0


def test_several_flocks_at_once_are_measured_as_one_by_one() -> None:
    rng = np.random.default_rng(3)
    xy, velocities = rng.uniform(-4.0, 4.0, (5, 7, 2)), rng.uniform(-0.4, 0.4, (5, 7, 2))
    radii_m, near = rng.uniform(0.1, 0.3, (5, 7)), metrics.within_reach(xy, 3.0)
    for k in range(5):
        assert (near[k] == metrics.within_reach(xy[k], 3.0)).all()
        assert metrics.order(velocities, near)[k] == metrics.order(velocities[k], near[k])
        assert metrics.safety(xy, radii_m, 0.4)[k] == metrics.safety(xy[k], radii_m[k], 0.4)
        assert metrics.union(near)[k] == metrics.union(near[k])
        assert metrics.connectivity(near)[k] == metrics.connectivity(near[k])
    assert (metrics.union(near) < 1.0).any()
