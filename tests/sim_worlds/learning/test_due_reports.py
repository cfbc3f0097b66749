"""Agents that only move are rewarded: the environment makes their reports, and says where the next one is due."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("pettingzoo", reason="pip install 'swarm-edge-runtime[gym]'")

from sim_worlds import parallel_env, scenarios
from sim_worlds.engine import Engine
from sim_worlds.learning.options import value_of
from sim_worlds.learning.world_env import WorldEnv
from sim_worlds.scenarios.convoy.scenario import DEPOT_REACH_M
from sim_worlds.scenarios.search_rescue.claims import CLAIM_FROM_M
from sim_worlds.scenarios.warehouse.scenario import Warehouse
from swarm.core.protocol.world import Report
from swarm.core.settings.process_files import RobotSpec

EACH = pytest.mark.parametrize("name", scenarios.available())


def engine_of(env: WorldEnv) -> Engine:
    assert isinstance(env.world, Engine)
    return env.world


def started(name: str, **options: object) -> WorldEnv:
    env = parallel_env(name, **options)
    env.reset(seed=3)
    return env


def put(world: Engine, x_m: float, y_m: float, heading_rad: float = 0.0) -> None:
    """The first robot is elsewhere at once."""
    world.motion.at[0] = x_m, y_m, heading_rad


@EACH
def test_a_robot_that_follows_its_goals_is_rewarded(name: str) -> None:
    env = started(name, robots=1)
    world, return_ = engine_of(env), 0.0
    (robot,) = env.agents
    if world.goal(robot) is None and not world.due_reports(robot):
        env.close()
        pytest.skip(f"{name} has no goals")
    for _ in range(100):
        goal = world.goal(robot)
        if goal is not None and name != "formation":         # its way counts, and not where it ends
            put(world, *goal)
        ahead = np.array([1.0 if name == "formation" else 0.0, 0.0], np.float32)
        observed, rewards, *_ = env.step({robot: ahead})
        return_ += rewards[robot]
        assert observed[robot]["goal"][0] == (world.goal(robot) is not None)
    mission = world.mission()
    assert return_ == pytest.approx(value_of(mission, mission.headline))     # the rewards add up to the headline
    assert return_ > 0.0
    env.close()


def test_without_automatic_reports_nothing_is_reported() -> None:
    env = started("patrol", reports=False)
    put(engine_of(env), *engine_of(env).goal("rover_0") or ())
    assert env.step({})[1] == {"rover_0": 0.0, "rover_1": 0.0}
    env.close()


def test_a_goal_is_told_in_the_frame_in_which_its_robot_believes_to_be() -> None:
    """Its localisation has noise of 0.05 m and 0.02 rad."""
    env = started("patrol")
    world = engine_of(env)
    start = world.environment.spawns[0]
    put(world, start.x_m + 1.0, start.y_m - 2.0, math.pi / 2)        # the first corner is 1 m east of the start
    assert env.step({})[0]["rover_0"]["goal"] == pytest.approx([1.0, 2.0, 0.0], abs=0.25)
    put(world, start.x_m + 1.0, start.y_m - 2.0, 0.0)
    assert env.step({})[0]["rover_0"]["goal"] == pytest.approx([1.0, 0.0, 2.0], abs=0.25)
    env.close()


def before_a_target(world: Engine) -> tuple[int, tuple[float, float, float]]:
    """A target far from the middle, and a place from which the first robot's camera shows it well."""
    blocked, targets = world.environment.occupancy(0.1, 0.3), world.environment.targets
    for k in sorted(range(len(targets)), key=lambda k: -math.hypot(targets[k].x_m, targets[k].y_m)):
        target = targets[k]
        for turn in np.linspace(0.0, 2 * math.pi, 16, endpoint=False).tolist():
            x, y = target.x_m - 1.5 * math.cos(turn), target.y_m - 1.5 * math.sin(turn)
            ix, iy = (int((v + world.environment.size_m / 2) / 0.1) for v in (x, y))
            if not blocked[iy, ix]:
                put(world, x, y, turn)
                world.step()
                if any(box.target == k and box.counts for box in world.view(world.names[0]).boxes()):
                    return k, (x, y, turn)
    pytest.fail("no target can be seen")


def test_a_searcher_claims_what_its_camera_shows() -> None:
    env = started("search_rescue", robots=1, reward="found")
    world = engine_of(env)
    target, (x, y, turn) = before_a_target(world)
    put(world, x, y, turn + math.pi)                         # with its back to it
    assert env.step({})[4]["rover_0"]["found"] == 0.0
    put(world, x, y, turn)
    _, rewards, _, _, infos = env.step({})
    assert rewards["rover_0"] == infos["rover_0"]["found"] == 1.0
    assert infos["rover_0"]["wrong_claims"] == infos["rover_0"]["duplicate_claims"] == 0.0
    assert world.scene().marks[target].done_by == "rover_0"
    put(world, x, y, turn)
    assert env.step({})[4]["rover_0"]["duplicate_claims"] == 0.0
    assert CLAIM_FROM_M > 1.5
    env.close()


def test_a_robot_of_a_convoy_reports_at_the_depot_what_it_has_seen() -> None:
    env = started("convoy", robots=1)
    world = engine_of(env)
    start = world.motion.at[0].tolist()
    _, place = before_a_target(world)
    assert math.hypot(*place[:2]) > DEPOT_REACH_M
    put(world, *place)
    assert env.step({})[4]["rover_0"]["delivered"] == 0.0
    put(world, *start)
    infos = env.step({})[4]
    assert infos["rover_0"]["delivered"] >= 1.0
    assert infos["rover_0"]["wrong_claims"] == 0.0
    assert env.step({})[1]["rover_0"] > 0.0                  # the share over time grows from then on
    env.close()


def test_an_order_is_picked_and_delivered_by_going_there() -> None:
    env = started("warehouse", robots=1)
    world = engine_of(env)
    env.step({})                                             # it gets its order
    picked_at = world.goal("rover_0")
    assert picked_at is not None
    put(world, *picked_at)
    env.step({})
    dock = world.goal("rover_0")
    assert dock not in (None, picked_at)
    for _ in range(25):                                      # it lifts the good
        env.step({})
    put(world, *dock or ())
    assert env.step({})[4]["rover_0"]["delivered"] == 1.0
    assert world.mission().measures[3].name == "wrong_picks"
    assert (world.mission().measures[3].value, world.mission().measures[4].value) == (0.0, 0.0)      # none was refused
    env.close()


def test_a_robot_whose_battery_is_empty_reports_nothing_and_keeps_no_order() -> None:
    fleet = [RobotSpec(name=name, kind="rover", physics="kinematic", battery_wh=wh)
             for name, wh in (("weak", 0.001), ("well", None))]
    env = started("warehouse", robots=fleet)
    assert isinstance(env.world, Warehouse)
    desk = env.world.desk
    env.step({})
    assert desk.held("weak") is not None
    for _ in range(10):                                      # 3.6 J are half a second of a drive, away from the dock
        env.step({"weak": np.array([1.0, 0.0], np.float32)})
    assert env.world.batteries()["weak"].empty
    assert (desk.held("weak"), desk.held("well") is None) == (None, False)
    env.close()


def test_reports_of_ones_own_count_beside_the_automatic_ones() -> None:
    env = started("patrol", robots=1)
    world = engine_of(env)
    x, y = world.goal("rover_0") or (math.nan, math.nan)
    put(world, x, y)
    env.report("rover_0", Report(kind="corner", values={"x_m": x, "y_m": y}))
    assert env.step({})[1]["rover_0"] == 2.0
    env.close()
