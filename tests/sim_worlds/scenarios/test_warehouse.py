from __future__ import annotations

import itertools
import json
from collections import Counter
from typing import Any

import msgspec
import numpy as np
import pytest

from sim_worlds.classes import TARGET_CLASSES
from sim_worlds.environment import ROBOT_RADIUS_M
from sim_worlds.occupancy import Grid
from sim_worlds.scenarios.warehouse import scenario as warehouse
from sim_worlds.scenarios.warehouse.desk import Desk
from sim_worlds.scenarios.warehouse.floor import AISLE_M, MOST_ROBOTS, FloorPlan, plans_for
from sim_worlds.scenarios.warehouse.scenario import HANDLE_S, Warehouse
from sim_worlds.scenarios.warehouse.standstill import Standstill
from swarm.core.protocol.world import Drive, Fly, Report
from swarm.core.settings.process_files import RobotSpec
from tests.sim_worlds.scenarios.closed_loop import fly


def world(physics: Any = "kinematic", robots: int = 3, seed: int = 3, *, render: bool = False) -> Warehouse:
    fleet = [RobotSpec(name=f"rover_{i}", kind="rover", physics=physics) for i in range(robots)]
    return warehouse.build(fleet, seed, render=render)


def plan(w: Warehouse) -> FloorPlan:
    return w.halls[0].plan


def stock(w: Warehouse) -> dict[int, int]:
    return w.halls[0].stock


def measure(w: Warehouse, name: str) -> float:
    return next(m.value for m in w.mission().measures if m.name == name)


def run(w: Warehouse, seconds: float) -> None:
    for _ in range(round(seconds / w.dt_s)):
        w.step()


def put(w: Warehouse, robot: int, at: tuple[float, float]) -> None:
    w.motion.at[robot, :2] = at


def pick(bay: float, label: str) -> Report:
    return Report(kind="pick", values={"bay": bay, "label": label})


def fetch(w: Warehouse, robot: str = "rover_0") -> tuple[str, int]:
    """Put a robot before a bay with what its order asks for. Returns label and bay."""
    label = w.judge(robot, Report(kind="order", values={}))
    bay = min(bay for bay, target in stock(w).items() if w.environment.targets[target].label == label)
    put(w, w.index(robot), plan(w).access(bay))
    return label, bay


DELIVER = Report(kind="deliver", values={})


@pytest.mark.parametrize("seed", range(5))
def test_a_quarter_of_the_bays_has_goods_as_many_of_each_class_and_each_can_move_to_each_bay(seed: int) -> None:
    w = world(robots=4, seed=seed)
    assert (plan(w).count, len(stock(w))) == (24, 6)
    assert Counter(t.label for t in w.environment.targets) == dict.fromkeys(TARGET_CLASSES, 2)
    for bay, target in stock(w).items():
        good = w.environment.targets[target]
        assert (good.x_m, good.y_m) == plan(w).middle(bay)
    for target in range(6):
        w.move_target(target, *plan(w).middle(0), w.environment.targets[target].yaw_rad)


def test_every_bay_and_dock_can_be_reached() -> None:
    w = world(robots=7)
    grid = Grid(size_m=w.environment.size_m, resolution_m=0.05)
    steps = grid.steps_from(~grid.rasterise(w.environment.solids(), ROBOT_RADIUS_M), *plan(w).docks()[0])
    places = [*map(plan(w).access, range(plan(w).count)), *plan(w).docks()]
    assert all(steps[grid.index(y), grid.index(x)] >= 0 for x, y in places)


def test_two_robots_do_not_pass_each_other_in_an_aisle_with_room_to_spare() -> None:
    w = world()
    x, y = plan(w).access(0)
    w.motion.at[0] = x, y, 0.0
    scan = w.scan_all()[0]
    assert float(scan.min()) == pytest.approx(AISLE_M / 2, abs=0.01)
    assert 2 * ROBOT_RADIUS_M < AISLE_M < 4 * ROBOT_RADIUS_M


def test_the_floor_grows_with_the_fleet_up_to_a_limit() -> None:
    assert [[hall.aisles for hall in plans_for(robots)] for robots in (1, 3, 4, 60, 61)] == [
        [3], [3], [4], [60], [16, 15, 15, 15]]
    with pytest.raises(ValueError, match="1001 robots, but the warehouse has room for 1000"):
        world(robots=MOST_ROBOTS + 1)


def test_the_desk_hands_out_the_oldest_order_and_takes_it_back() -> None:
    desk = Desk(3, 2)
    desk.receive(0.0)
    assert len(desk.orders) == 2
    first, second = desk.ask("a"), desk.ask("b")
    assert (first, second) == (desk.orders[0], desk.orders[1])
    assert desk.ask("a") is first
    assert desk.ask("c") is None
    desk.take_back("a")
    assert desk.ask("c") is first
    desk.receive(45.0)
    assert [order.received_s for order in desk.orders] == [0.0, 0.0, 20.0, 20.0, 40.0, 40.0]
    desk.deliver("c", 30.0)
    desk.deliver("b", 40.0)
    assert desk.delivered == 2
    # delivered for 15 s and 5 s until now; received for 45, 45, 25, 25, 5 and 5 s
    assert desk.delivered_auc(45.0) == pytest.approx(20.0 / 150.0)
    assert Desk(3, 2).delivered_auc(0.0) == 0.0


def test_a_good_is_picked_and_delivered_once_and_one_like_it_arrives_elsewhere() -> None:
    w = world()
    label, bay = fetch(w)
    assert w.judge("rover_0", pick(float(bay), label)) == "picked"
    assert bay not in stock(w)
    assert len(stock(w)) == 6
    assert Counter(w.environment.targets[t].label for t in stock(w).values()) == dict.fromkeys(TARGET_CLASSES, 2)
    assert w.judge("rover_0", DELIVER) == "refused"                      # it is at no dock, and still lifts
    run(w, HANDLE_S + 0.1)
    assert w.judge("rover_0", pick(float(bay), label)) == "picked"       # the first verdict was lost
    put(w, 0, plan(w).access(max(stock(w))))
    assert w.judge("rover_0", pick(float(max(stock(w))), label)) == "refused"         # it has one
    put(w, 0, plan(w).docks()[2])
    assert [w.judge("rover_0", DELIVER) for _ in range(2)] == ["delivered", "delivered"]
    assert [measure(w, name) for name in ("delivered", "orders", "wrong_picks", "refused")] == [1, 3, 0, 2]
    at_s = w.time_s
    run(w, 4.0)
    assert measure(w, "delivered_auc") == pytest.approx((w.time_s - at_s) / (3 * w.time_s))
    (done,) = [mark for mark in w.scene().marks if mark.done_by]
    assert (done.label, done.done_by, (done.x_m, done.y_m)) == (label, "rover_0", plan(w).middle(bay))
    label, bay = fetch(w)
    run(w, HANDLE_S + 0.1)
    assert w.judge("rover_0", pick(float(bay), label)) == "picked"
    put(w, 0, plan(w).docks()[2])
    assert w.judge("rover_0", DELIVER) == "refused"                      # not at once: it still lifts this one
    json.dumps(msgspec.to_builtins(w.scene()))


@pytest.mark.parametrize(("verdict", "takes_s"), [("picked", HANDLE_S), ("wrong", 2 * HANDLE_S)])
def test_a_robot_that_handles_a_good_does_not_drive(verdict: str, takes_s: float) -> None:
    w = world()
    label, bay = fetch(w)
    if verdict == "wrong":
        bay = min(set(range(plan(w).count)) - stock(w).keys())
        put(w, 0, plan(w).access(bay))
    w.act("rover_0", Drive(v_mps=0.0, w_radps=1.0, ttl_s=20.0))
    assert w.judge("rover_0", pick(float(bay), label)) == verdict
    assert measure(w, "wrong_picks") == (verdict == "wrong")
    run(w, takes_s / 2)
    before = w.motion.at[0].copy()
    w.act("rover_0", Drive(v_mps=0.3, w_radps=1.0, ttl_s=0.5))
    run(w, 0.3)
    assert np.array_equal(w.motion.at[0], before)
    run(w, takes_s / 2)
    w.act("rover_0", Drive(v_mps=0.0, w_radps=1.0, ttl_s=0.5))
    run(w, 0.3)
    assert w.motion.at[0, 2] != before[2]


def test_a_robot_that_flies_stands_still_while_it_handles_a_good_too() -> None:
    w = warehouse.build([RobotSpec(name="quad", kind="quadrotor", physics="kinematic")], 3, render=False)
    label, bay = fetch(w, "quad")
    assert w.judge("quad", pick(bay, label)) == "picked"
    before = w.motion.at[0].tolist()
    w.act("quad", Fly(vx_mps=0.5, vy_mps=0.0, vz_mps=0.5, yaw_radps=0.0, ttl_s=99.0))
    run(w, HANDLE_S / 2)
    assert w.motion.at[0].tolist() == before
    run(w, HANDLE_S / 2 + 0.1)
    w.act("quad", Fly(vx_mps=0.5, vy_mps=0.0, vz_mps=0.5, yaw_radps=0.0, ttl_s=99.0))
    run(w, 0.5)
    assert w.motion.at[0].tolist() != before


def test_reports_that_make_no_sense_are_refused_and_cost_nothing() -> None:
    w = world()
    label, bay = fetch(w)
    other = next(name for name in TARGET_CLASSES if name != label)
    x, y = plan(w).access(bay)
    senseless: tuple[dict[str, Any], ...] = (
        {}, {"bay": float(bay)}, {"bay": "a", "label": label}, {"bay": 99.0, "label": label},
        {"bay": float("nan"), "label": label}, {"bay": bay + 0.5, "label": label},
        {"bay": float(bay), "label": other}, {"bay": float(bay), "label": "ghost"})
    for values in senseless:
        assert w.judge("rover_0", Report(kind="pick", values=values)) == "refused"
    put(w, 0, (x, y + 0.5))
    assert w.judge("rover_0", pick(float(bay), label)) == "refused"
    put(w, 0, (x, y + 0.4))
    w.motion.speeds[0, 0] = 0.3
    assert w.judge("rover_0", pick(float(bay), label)) == "refused"      # it does not stand
    assert w.judge("rover_1", pick(float(bay), label)) == "refused"      # it has no order
    assert w.judge("rover_0", Report(kind="dance", values={})) == "refused"
    w.motion.speeds[0, 0] = 0.0
    assert measure(w, "refused") == 12
    assert w.judge("rover_0", pick(float(bay), label)) == "picked"
    with pytest.raises(ValueError, match="no robot"):
        w.judge("ghost", DELIVER)


def test_the_order_of_a_robot_that_is_gone_goes_to_another_one() -> None:
    w = world()
    label, bay = fetch(w)
    assert w.judge("rover_0", pick(float(bay), label)) == "picked"
    w.remove("rover_0")
    assert w.judge("rover_1", Report(kind="order", values={})) == label
    run(w, HANDLE_S + 0.1)
    put(w, 0, plan(w).docks()[0])
    w.restore("rover_0")
    assert w.judge("rover_0", DELIVER) == "refused"


def test_standstills_and_deadlocks_are_counted_once_while_they_last() -> None:
    at = np.array([[0.0, 0.0], [1.0, 0.0], [5.0, 0.0]])
    watch, work = Standstill(at), np.ones(3, bool)
    for tick in range(1, 15):
        watch.watch(at + np.array([0.0, 0.2 * (tick % 2)]), work, tick * 0.5)    # they wriggle
    assert (watch.deadlocks, watch.longest_s) == (1, 7.0)                # the third one stands alone
    at = at + np.array([[0.0, 0.0], [0.4, 0.0], [0.0, 0.0]])
    watch.watch(at, work, 7.5)
    assert watch.longest_s == 7.5
    for tick in range(16, 30):
        watch.watch(at, work, tick * 0.5)
    assert watch.deadlocks == 1                                          # they are 1.4 m apart now
    idle = Standstill(at)
    for tick in range(40):
        idle.watch(np.zeros((3, 2)), np.zeros(3, bool), tick * 0.5)
    assert (idle.deadlocks, idle.longest_s) == (0, 0.0)


@pytest.mark.parametrize("behaviour", ["warehouse", "warehouse_baseline"])
def test_a_robot_finds_a_good_lifts_it_and_delivers_it(behaviour: str) -> None:
    w = world(robots=1, seed=5)
    fly(w, behaviour, 40.0, until=lambda: measure(w, "delivered") > 0)
    assert measure(w, "delivered") == 1
    assert measure(w, "collisions") == 0


@pytest.mark.long
@pytest.mark.parametrize("physics", ["dynamic", "kinematic"])
def test_a_team_delivers_more_than_the_baseline_and_nobody_is_stuck(physics: str) -> None:
    gains = []
    for seed in (1, 2):
        shares = []
        for behaviour in ("warehouse", "warehouse_baseline"):
            w = world(physics, robots=4, seed=seed)
            fly(w, behaviour, 60.0, seed=seed)
            shares.append(measure(w, "delivered_auc"))
            if behaviour == "warehouse":
                assert measure(w, "longest_standstill_s") < 30.0
        gains.append(shares[0] - shares[1])
    assert sum(gains) > 0.0


def test_the_same_seed_gives_the_same_run() -> None:
    ends = [world(robots=2, seed=4), world(robots=2, seed=4)]
    for w in ends:
        fly(w, "warehouse", 4.0)
    assert [np.array_equal(a.motion.at, b.motion.at) for a, b in itertools.pairwise(ends)] == [True]


def test_a_robot_low_on_battery_charges_at_a_dock_before_it_takes_an_order() -> None:
    fleet = [RobotSpec(name=name, kind="rover", physics="kinematic", battery_wh=0.08, charge=0.19) for name in "ab"]
    w = warehouse.build(fleet, 3, render=False)
    put(w, 0, (plan(w).docks()[0][0], plan(w).south_m))        # a lane away from its dock; it has 55 J for the way
    charges: dict[str, float] = {}                           # with which each robot took its order

    def all_have_orders() -> bool:
        charges.update({name: battery.charge for name, battery in w.batteries().items()
                        if name not in charges and w.desk.held(name) is not None})
        return len(charges) == 2

    fly(w, "warehouse", 30.0, until=all_have_orders)
    assert all(0.75 < charge < 0.9 for charge in charges.values())
    assert set(charges) == {"a", "b"}
    assert all(battery.charged_j > 0.6 * 288.0 for battery in w.batteries().values())
