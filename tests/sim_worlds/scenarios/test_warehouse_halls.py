"""A large fleet has a warehouse of several halls, each like that of a smaller fleet, and one desk."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from sim_worlds.classes import TARGET_CLASSES
from sim_worlds.environment import ROBOT_RADIUS_M
from sim_worlds.occupancy import Grid
from sim_worlds.scenarios.warehouse import scenario as warehouse
from sim_worlds.scenarios.warehouse.floor import IN_ONE_HALL, MOST_ROBOTS, plans_for
from sim_worlds.scenarios.warehouse.scenario import HANDLE_S, Warehouse
from swarm.core.protocol.world import Report
from swarm.core.settings.process_files import RobotSpec
from tests.sim_worlds.scenarios.closed_loop import fly

FLEET = IN_ONE_HALL + 1              # four halls


def world(robots: int = FLEET, **first: Any) -> Warehouse:
    """first: settings of the first robot."""
    fleet = [RobotSpec(name=f"rover_{i}", kind="rover", physics="kinematic", **(first if i == 0 else {}))
             for i in range(robots)]
    return warehouse.build(fleet, 3, render=False)


def ask(w: Warehouse, robot: str, kind: str, **values: float | str) -> str:
    return w.judge(robot, Report(kind=kind, values=values))


@pytest.mark.parametrize("robots", [61, 100, 333, 999, MOST_ROBOTS])
def test_halls_are_alike_and_the_place_is_about_square(robots: int) -> None:
    plans = plans_for(robots)
    shares = [plan.aisles for plan in plans]
    assert sum(shares) == robots
    assert max(shares) - min(shares) <= 1
    assert max(shares) <= IN_ONE_HALL
    assert [plan.hall for plan in plans] == list(range(1, len(plans) + 1))
    assert all(len(plan.words()) <= 64 for plan in plans)
    deep_m = plans[-1].middle_m - plans[0].middle_m + 8.7
    assert 0.7 < deep_m / (max(shares) * plans[0].pitch_m) < 1.4


def test_no_way_leads_from_a_hall_into_another_and_each_bay_of_a_hall_can_be_reached() -> None:
    w = world()
    grid = Grid(size_m=w.environment.size_m, resolution_m=0.1)
    free = ~grid.rasterise(w.environment.solids(), ROBOT_RADIUS_M)
    for hall in w.halls:
        steps = grid.steps_from(free, *hall.plan.docks()[0])
        for other in w.halls:
            places = [*map(other.plan.access, range(other.plan.count)), *other.plan.docks()]
            assert {bool(steps[grid.index(y), grid.index(x)] >= 0) for x, y in places} == {other is hall}


def test_each_hall_has_goods_of_each_class_on_its_own_pallets() -> None:
    w = world()
    targets = w.environment.targets
    assert sorted(target for hall in w.halls for target in hall.stock.values()) == list(range(len(targets)))
    for hall in w.halls:
        assert len(hall.stock) == pytest.approx(hall.plan.count / 4, abs=2)
        assert len(set(Counter(targets[target].label for target in hall.stock.values()).values())) == 1
        assert {targets[target].label for target in hall.stock.values()} == {*TARGET_CLASSES}
        assert all((targets[k].x_m, targets[k].y_m) == hall.plan.middle(bay) for bay, k in hall.stock.items())


def test_a_robot_is_told_of_its_hall_and_picks_and_delivers_there() -> None:
    w = world()
    last = f"rover_{FLEET - 1}"
    assert {ask(w, name, "plan").split()[-1] for name in w.names[:16]} == {"1"}
    assert ask(w, last, "plan").split()[-1] == "4"
    label, (first, *_, hall) = ask(w, last, "order"), w.halls
    bay = hall.bays_with(label, w.environment.targets)[0]
    w.motion.at[FLEET - 1, :2] = first.plan.access(bay)
    assert ask(w, last, "pick", bay=float(bay), label=label) == "refused"        # the bay of this number elsewhere
    w.motion.at[FLEET - 1, :2] = hall.plan.access(bay)
    assert w.goal(last) == hall.plan.access(bay)
    stocks = [dict(one.stock) for one in w.halls]
    (due,) = w.due_reports(last)
    assert due == Report(kind="pick", values={"bay": bay, "label": label})
    assert w.judge(last, due) == "picked"
    assert [one.stock == before for one, before in zip(w.halls, stocks, strict=True)] == [True, True, True, False]
    assert len(hall.stock) == len(stocks[3])                 # one like it has come, in the same hall
    for _ in range(round((HANDLE_S + 0.1) / w.dt_s)):
        w.step()
    w.motion.at[FLEET - 1, :2] = first.plan.docks()[0]
    assert ask(w, last, "deliver") == "refused"
    w.motion.at[FLEET - 1, :2] = hall.plan.docks()[3]
    assert ask(w, last, "deliver") == "delivered"
    assert w.desk.delivered == 1


def test_a_robot_that_starts_in_another_hall_is_told_of_that_one() -> None:
    x, y = plans_for(FLEET)[2].access(0)
    assert ask(world(spawn=(x, y)), "rover_0", "plan").split()[-1] == "3"


@pytest.mark.long
def test_a_team_in_several_halls_picks_in_each() -> None:
    w = world()

    def halls() -> set[int]:
        return {w._hall[w.index(mark.done_by)].plan.hall for mark in w.scene().marks if mark.done_by}

    fly(w, "warehouse", 25.0, until=lambda: len(halls()) == 4)
    assert halls() == {1, 2, 3, 4}
    assert w.motion.contacts.episodes == 0


@pytest.mark.long
def test_a_thousand_robots_have_a_warehouse() -> None:
    w = world(MOST_ROBOTS)
    assert w.environment.size_m < 160.0
    w.act_all(np.tile([0.4, 0.0], (MOST_ROBOTS, 1)), 99.0)   # all drive north, into the aisles
    for _ in range(round(4.0 / w.dt_s)):
        w.step()
    for name in w.names:
        assert ask(w, name, "order") in TARGET_CLASSES
    assert float((w.motion.at[:, 1] - [pose.y_m for pose in w.environment.spawns]).min()) > 1.2
