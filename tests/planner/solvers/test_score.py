"""The order of plans: priorities first, as far as a simulation can tell them apart."""

from __future__ import annotations

from swarm.planner.solvers.score import EQUAL, best_of, is_better


def test_a_priority_outweighs_all_that_follows() -> None:
    assert is_better((0.10, 0.9, 5.0), (0.10 + 2 * EQUAL, 0.0, 0.0))
    assert not is_better((0.10 + 2 * EQUAL, 0.0, 0.0), (0.10, 0.9, 5.0))


def test_what_cannot_be_told_apart_is_decided_by_the_next_priority_and_then_by_the_rest() -> None:
    assert is_better((0.10 + EQUAL / 2, 0.2, 9.0), (0.10, 0.9, 0.0))
    assert is_better((0.10 + EQUAL / 2, 0.2, 1.0), (0.10, 0.2, 2.0))
    assert not is_better((0.10, 0.2, 2.0), (0.10, 0.2, 2.0))               # equal: the first stays


def test_the_best_of_many_is_within_the_tolerance_of_the_least_misses_of_all() -> None:
    """Steps that are too small to be told from each other do not add up to a large one."""
    stairs = [(0.1 + n * 0.8 * EQUAL, 1.0 - n, 0.0) for n in range(10)]
    assert best_of(stairs) == 1
