"""Figures that cannot be drawn are refused by name, before anything has run."""

from __future__ import annotations

from typing import Any

import pytest

from swarm.core.settings.errors import BadInput
from swarm.core.settings.experiment_file import Figure
from swarm.experiments.results.figures.check import Facts, check, chosen, facts_of
from tests.experiments.results import fakes

CELLS = [{"robots": n, fakes.DELAY: delay, "board": board} for n in (4, 8) for delay in (5, 50) for board in ("a",)]
FACTS = Facts(CELLS, "policy", ["local", "planner"], list(fakes.METRICS), ["detect", "map"])
ONE = {"robots": 4, fakes.DELAY: 5}


def figure(**keys: Any) -> Figure:
    return Figure(name="f1", **keys)


GOOD = [
    figure(kind="cdf", where=ONE), figure(kind="cdf", stream="map", where=ONE | {"policy": "planner"}),
    figure(kind="line", metric="on_time_ratio", x="robots", where={fakes.DELAY: 50}),
    figure(kind="box", metric="on_time_ratio", where=ONE), figure(kind="box", metric="on_time_ratio", x="policy",
                                                                 where=ONE),
    figure(kind="box", metric="on_time_ratio", x="robots", where={fakes.DELAY: 50}),
    figure(kind="wins", metric="on_time_ratio", x="robots", y=fakes.DELAY),
    figure(kind="pareto", metric="on_time_ratio", x="latency_ms.p95_all"),
]
BAD: list[tuple[dict[str, Any], str]] = [
    ({"kind": "line", "metric": "speed", "x": "robots"}, "metric: 'speed' is no metric of this experiment; one of "),
    ({"kind": "line", "x": "robots"}, "metric: a line figure needs it; name its metric and x"),
    ({"kind": "line", "metric": "on_time_ratio", "x": "size"}, "x: 'size' is no axis that it can show; one of robots"),
    ({"kind": "line", "metric": "on_time_ratio", "x": "policy"}, "x: 'policy' is no axis that it can show"),
    ({"kind": "line", "metric": "on_time_ratio", "x": "board"}, "x: the axis board has the value a; an axis of num"),
    ({"kind": "line", "metric": "on_time_ratio", "x": "robots"},
     "it would mix points of links.rover:carrier.delay_ms 5 and 50; choose one: where: {links."),
    ({"kind": "cdf"}, "it would mix points of links"),
    ({"kind": "cdf", "stream": "depth", "where": ONE}, "stream: 'depth' is no stream of this experiment; one of de"),
    ({"kind": "cdf", "metric": "on_time_ratio", "where": ONE}, "metric: a cdf figure has no use for it; it has str"),
    ({"kind": "wins", "metric": "on_time_ratio", "x": "robots"}, "y: a wins figure needs it; name its metric, x and"),
    ({"kind": "wins", "metric": "on_time_ratio", "x": "robots", "y": "robots"}, "y: 'robots' is no other axis"),
    ({"kind": "pareto", "metric": "on_time_ratio", "x": "on_time_ratio"}, "x: 'on_time_ratio' is no other metric"),
    ({"kind": "box", "metric": "on_time_ratio", "where": {"size": 1}}, "where: 'size' is no axis of this experiment"),
    ({"kind": "box", "metric": "on_time_ratio", "where": {"robots": 5}}, "where.robots: 5 is not among its values;"),
    ({"kind": "box", "metric": "on_time_ratio", "where": {"policy": "random"}}, "where.policy: random is not among"),
]


def test_figures_that_can_be_drawn_are_accepted() -> None:
    for one in GOOD:
        check([one], FACTS)


@pytest.mark.parametrize(("keys", "told"), BAD, ids=[told[:40] for _, told in BAD])
def test_a_figure_that_cannot_be_drawn_is_named(keys: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput) as refused:
        check([figure(**keys)], FACTS, "x.yaml")
    assert str(refused.value).startswith("x.yaml: figure f1: ")
    assert told in str(refused.value)


def test_values_that_are_in_no_cell_together_leave_nothing() -> None:
    zipped = FACTS._replace(cells=[{"robots": 4, fakes.DELAY: 5}, {"robots": 8, fakes.DELAY: 50}])
    check([figure(kind="line", metric="on_time_ratio", x="robots")], zipped)         # they go together: none is mixed
    with pytest.raises(BadInput, match="no point has all these values"):
        check([figure(kind="box", metric="on_time_ratio", where={"robots": 4, fakes.DELAY: 50})], zipped)


def test_who_wins_needs_two_arms() -> None:
    wins = figure(kind="wins", metric="on_time_ratio", x="robots", y=fakes.DELAY)
    with pytest.raises(BadInput, match="nothing is compared"):
        check([wins], FACTS._replace(arms=["local", "local (again)"]))


def test_two_figures_of_one_name_are_refused() -> None:
    with pytest.raises(BadInput, match="there is another figure of this name"):
        check([GOOD[0], GOOD[1]], FACTS)


def test_an_experiment_that_has_run_has_the_same_facts() -> None:
    facts = facts_of(fakes.results())
    assert facts == FACTS._replace(cells=[{k: v for k, v in cell.items() if k != "board"} for cell in CELLS],
                                   streams=None, flown=facts.flown)
    assert {(cell["robots"], arm) for cell, arm in facts.flown or []} == {
        (n, arm) for n in (4, 8) for arm in ("local", "planner")}
    assert facts.axes == ["robots", fakes.DELAY, "policy"]


def test_a_figure_shows_valid_points_only_and_the_control_with_its_arm() -> None:
    made = fakes.without(fakes.results(arms=["local", "planner", "local (again)"]), 3)
    rows = chosen(figure(kind="box", metric="on_time_ratio", where=ONE | {"policy": "local"}), made)
    assert [(row.arm, row.seed) for row in rows] == [
        (arm, seed) for seed in (1, 2, 4, 5, 6) for arm in ("local", "local (again)")]
