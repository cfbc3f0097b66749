"""Balanced splits against every split that there is."""

from itertools import combinations, pairwise

import numpy as np
import pytest

from models.build.cut.partition import SLACK, Cut, balanced, cuts, stages_worth
from models.build.graph.graph import Graph
from tests.models.build.dags import dag

SEEDS = range(12)


def drawn(seed: int) -> tuple[Graph, list[Cut], list[float]]:
    """A graph with a few cuts, and what the nodes before each of them and all of them take."""
    graph = Graph(dag(seed, 9))
    found = cuts(graph)
    return graph, found, np.cumsum(np.random.default_rng(seed).integers(0, 20, len(found) + 1)).astype(float).tolist()


def stages_of(points: tuple[int, ...], cost: list[float]) -> list[float]:
    """What each stage between these cuts, by their places in the list, takes."""
    ends = [0.0, *(cost[i] for i in points), cost[-1]]
    return [end - start for start, end in pairwise(ends)]


@pytest.mark.parametrize("shortest", [0.0, 0.5])
@pytest.mark.parametrize("k", [2, 3, 4])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_split_is_the_lightest_of_the_best_balanced(seed: int, k: int, shortest: float) -> None:
    graph, found, cost = drawn(seed)
    chosen = tuple(found.index(cut) for cut in balanced(graph, k, cost, shortest))
    splits: dict[tuple[int, ...], list[float]] = {}
    for stages in range(k, 0, -1):
        every = {points: stages_of(points, cost) for points in combinations(range(len(found)), stages - 1)}
        splits = {points: took for points, took in every.items() if min(took) >= shortest * cost[-1] / stages}
        if splits:
            break
    limit = (1 + SLACK) * min(max(took) for took in splits.values())
    light = min(sum(found[i].bytes for i in points) for points, took in splits.items() if max(took) <= limit)
    assert max(splits[chosen]) <= limit
    assert sum(found[i].bytes for i in chosen) == light


def test_a_graph_without_cuts_stays_whole() -> None:
    graph = Graph(dag(0, 9))
    assert balanced(graph, 1) == []
    assert len(balanced(graph, 1000)) == len(cuts(graph))


def test_costs_that_are_not_of_this_graph_are_refused() -> None:
    graph, found, cost = drawn(1)
    with pytest.raises(ValueError, match=f"{len(cost) + 1} costs for {len(found)} cuts and the whole"):
        balanced(graph, 2, [0.0, *cost])


@pytest.mark.parametrize(("fp32_ms", "stages"), [(0.1, 2), (0.76, 2), (1.53, 4), (3.12, 8), (54.2, 8)])
def test_a_short_run_has_few_stages(fp32_ms: float, stages: int) -> None:
    assert stages_worth(fp32_ms) == stages
