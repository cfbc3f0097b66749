"""The plans of a run: what is merged, who is where, and which arrows are drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarm.core.policy.plan import Placement
from swarm.telemetry.file_types import PlanRecord, Poses
from swarm.telemetry.report import svg
from swarm.telemetry.report.plans import tables
from swarm.telemetry.report.plans.changes import changes
from swarm.telemetry.report.plans.maps import ARROWS, MAPS, places, plan_maps, ways
from swarm.telemetry.report.runfiles import Run


def placed(robot: str, *where: str, variant: str = "int8") -> Placement:
    return Placement(agent=robot, stream="detect", variant=variant, where=list(where))


def plan(at_s: float, *placements: Placement, why: str = "") -> PlanRecord:
    return PlanRecord(at_s=at_s, epoch=int(at_s), lease_s=3.0, placements=list(placements), solver="s", solve_s=0.01,
                      why=why)


def test_plans_that_place_all_alike_are_one() -> None:
    found = changes([
        plan(1.0, placed("a", "b")), plan(2.0, placed("a", "b")), plan(3.0, placed("a", "b", variant="fp32")),
        plan(4.0, placed("a", "c"), placed("b", "b")), plan(5.0, placed("a", "c"))])
    assert [(change.plan.at_s, change.moved) for change in found] == [
        (1.0, [("a", "detect")]), (3.0, [("a", "detect")]), (4.0, [("a", "detect"), ("b", "detect")]),
        (5.0, [("b", "detect")])]
    table, left_out = tables.plans(found)
    assert (len(table.rows), left_out) == (4, 0)
    assert table.rows[1][3] == "int8 → fp32 on b: a detect"


def test_the_table_says_what_moved_and_why() -> None:
    table, _ = tables.plans(changes([
        plan(1.0, placed("a", "b"), why="the first plan"), plan(2.0, placed("a", "c"), why="b is lost")]))
    assert [row[2:4] for row in table.rows] == [
        ["the first plan", "the first plan"], ["b is lost", "b → c: a detect"]]


@pytest.mark.parametrize(("where", "drawn"), [
    (("a",), []), (("b",), [("a", "b")]), (("a", "a", "b", "c"), [("a", "b"), ("b", "c")]),
    (("b", "c"), [("a", "b"), ("b", "c")])])
def test_arrows_lead_from_the_owner_along_the_stages(where: tuple[str, ...], drawn: list[tuple[str, str]]) -> None:
    assert ways(placed("a", *where)) == drawn


def test_robots_are_where_they_were_when_the_plan_came() -> None:
    paths = [Poses(time_s=float(t), robots={"a": [float(t), 0.0, 0.0]} | ({"b": [0.0, float(t), 0.0]} if t < 3 else {}))
             for t in range(6)]
    assert places(paths, 3.4) == {"a": (4.0, 0.0), "b": (0.0, 2.0)}      # the next record; b was last seen at 2 s
    assert places(paths, -1.0)["a"] == (0.0, 0.0)
    assert places(paths, 99.0)["a"] == (5.0, 0.0)


def test_the_plans_that_moved_most_are_drawn_in_order_of_time() -> None:
    robots = [f"r{n}" for n in range(ARROWS + 20)]
    paths = [Poses(time_s=0.0, robots={name: [float(n), 1.0, 0.0] for n, name in enumerate(robots)})]
    few = [plan(float(n), placed("r0", f"r{n}")) for n in range(1, MAPS + 3)]
    many = plan(99.0, *(placed(name, "r1") for name in robots))
    with svg.styled():
        made = plan_maps(Run(folder=Path(), plans=[*few, many], paths=paths))
    assert len(made) == MAPS
    assert [drawing.label.split(",")[0] for drawing in made] == [
        *(f"Plan {n} on the map" for n in range(1, MAPS)), "Plan 99 on the map"]
    axes = made[-1].figure.axes[0]
    assert axes.get_title(loc="left") == "99.0 s, plan 99: 170 streams moved (20 are not drawn)\nno reason was recorded"
    assert plan_maps(Run(folder=Path(), plans=few)) == []
