from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Any

import msgspec
import numpy as np
import pytest

from sim_worlds import scenarios
from sim_worlds.scenarios.search_rescue import scenario as search_rescue
from sim_worlds.scenarios.search_rescue.building import generate
from sim_worlds.scenarios.search_rescue.scenario import SearchRescue
from sim_worlds.sensors.suite import LIDAR
from sim_worlds.world_interface import World
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Drive, Report
from swarm.core.settings.process_files import RobotSpec
from tests.patience import HANG_S


def claim(label: str, x_m: float, y_m: float) -> Report:
    return Report(kind="claim", values={"label": label, "x_m": x_m, "y_m": y_m})


def world(physics: Any = "kinematic", robots: int = 3, seed: int = 3, *, render: bool = False) -> SearchRescue:
    fleet = [RobotSpec(name=f"rover_{i}", kind="rover", physics=physics) for i in range(robots)]
    return search_rescue.build(fleet, seed, render=render)


def measure(w: World, name: str) -> float:
    """A measure of the mission, by its name."""
    return next(m.value for m in w.mission().measures if m.name == name)


def run(w: World, seconds: float) -> None:
    for _ in range(round(seconds / w.dt_s)):
        w.step()


@pytest.mark.parametrize("physics", ["dynamic", "kinematic"])
def test_a_command_ends_after_its_time_to_live(physics: str) -> None:
    with world(physics) as w:
        w.act("rover_0", Drive(v_mps=0.4, w_radps=0.0, ttl_s=0.5))
        run(w, 0.45)
        assert w.observe("rover_0", frame=False).v_mps == pytest.approx(0.4, rel=0.1)
        run(w, 0.6)
        assert w.observe("rover_0", frame=False).v_mps == pytest.approx(0.0, abs=0.01)
        w.act("rover_0", Drive(v_mps=0.4, w_radps=0.0, ttl_s=math.nan))
        run(w, 0.1)
        assert w.observe("rover_0", frame=False).v_mps == pytest.approx(0.0, abs=0.01)


def test_a_new_command_replaces_the_old_and_its_time() -> None:
    w = world()
    for _ in range(4):
        w.act("rover_0", Drive(v_mps=0.2, w_radps=0.0, ttl_s=0.3))
        run(w, 0.25)
        assert w.observe("rover_0", frame=False).v_mps == pytest.approx(0.2)


def test_claims_are_judged_once_each() -> None:
    w = world()
    t = w.environment.targets[0]
    other = next(x for x in w.environment.targets if x.label != t.label)
    near = claim(t.label, t.x_m + 0.5, t.y_m - 0.5)
    assert w.judge("rover_0", claim(t.label, t.x_m + 0.8, t.y_m)) == "wrong"
    assert w.judge("rover_0", claim(other.label, t.x_m, t.y_m)) == "wrong"
    assert w.judge("rover_0", claim("ghost", t.x_m, t.y_m)) == "wrong"
    run(w, 0.5)
    assert w.judge("rover_1", near) == "found"
    assert w.judge("rover_2", near) == "duplicate"
    assert [measure(w, name) for name in ("targets", "found", "wrong_claims", "duplicate_claims")] == [12, 1, 3, 1]
    assert measure(w, "found_auc") == 0.0
    found = [x for x in w.scene().marks if x.done_by]
    assert [(x.done_by, x.done_at_s) for x in found] == [("rover_1", pytest.approx(0.5))]
    run(w, 1.5)
    assert measure(w, "found_auc") == 0.0                    # three wrong ones cost more: see test_claims


def test_a_removed_robot_stands_still() -> None:
    w = world()
    w.act("rover_0", Drive(v_mps=0.4, w_radps=0.0, ttl_s=9.0))
    run(w, 0.2)
    w.remove("rover_0")
    run(w, 0.3)
    before = w.observe("rover_0", frame=False).pose
    w.act("rover_0", Drive(v_mps=0.4, w_radps=0.0, ttl_s=9.0))
    run(w, 0.5)
    assert w.observe("rover_0", frame=False).pose == before


def test_observations_count_up_and_frames_come_when_asked_for() -> None:
    with world("dynamic", render=True) as w:
        one, two = w.observe("rover_0", frame=True), w.observe("rover_0", frame=False)
        assert (one.sequence, two.sequence, w.observe("rover_1", frame=False).sequence) == (1, 2, 1)
        assert one.frame is not None
        assert one.frame.shape == (72, 96, 3)
        assert one.frame.std() > 5
        assert two.frame is None
        assert one.age_s == 0.0
        assert one.scan.shape == (64,)
        assert w.renderer.startswith("TinyRenderer")


def test_a_bump_is_told_once_and_collisions_are_counted() -> None:
    w = world(robots=2)
    w.act("rover_0", Drive(v_mps=0.6, w_radps=0.0, ttl_s=60.0))
    run(w, 15.0)
    assert w.observe("rover_0", frame=False).bumped
    assert not w.observe("rover_0", frame=False).bumped
    assert measure(w, "collisions") >= 1


def test_coverage_grows_as_robots_look() -> None:
    w = world()
    assert measure(w, "coverage") == 0.0
    w.observe("rover_0", frame=False)
    first = measure(w, "coverage")
    assert 0.005 < first < 0.2
    w.act("rover_0", Drive(v_mps=0.6, w_radps=0.0, ttl_s=60.0))
    run(w, 3.0)
    w.observe("rover_0", frame=False)
    assert measure(w, "coverage") > first


@pytest.mark.parametrize("beams", [0, 16, 256])
def test_coverage_is_that_of_the_bodies_own_lidar(beams: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sensors = {"lidar": msgspec.structs.replace(LIDAR, beams=beams)} if beams else {}
    usual = world(robots=1)
    monkeypatch.setattr(SearchRescue, "suite", SensorSuite(dict(sensors)))
    own = world(robots=1)
    for w in usual, own:
        w.observe("rover_0", frame=False)
    assert measure(own, "coverage") == pytest.approx(measure(usual, "coverage") if beams else 0.0, rel=0.25)


def test_bad_fleets_and_names_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        search_rescue.build([], 1)
    with pytest.raises(ValueError, match="share a name"):
        search_rescue.build([RobotSpec(name="a", kind="rover"), RobotSpec(name="a", kind="rover")], 1)
    with pytest.raises(ValueError, match="no kind 'tank'"):
        search_rescue.build([RobotSpec(name="a", kind="tank")], 1)
    magic: Any = "magic"
    with pytest.raises(ValueError, match="no physics 'magic'"):
        search_rescue.build([RobotSpec(name="a", kind="rover", physics=magic)], 1)
    with pytest.raises(ValueError, match="no robot 'zoe'"):
        world().observe("zoe", frame=False)


def test_the_scene_is_plain_data_and_names_the_finder() -> None:
    w = world()
    t = w.environment.targets[0]
    w.judge("rover_0", claim(t.label, t.x_m, t.y_m))
    scene = w.scene()
    json.dumps(msgspec.to_builtins(scene))
    assert [mark.done_by for mark in scene.marks] == ["rover_0"] + [None] * 11
    assert [robot.name for robot in scene.robots] == w.names


def test_a_kinematic_world_needs_no_pybullet() -> None:
    code = ("import sys; sys.modules['pybullet'] = None\n"
            "from sim_worlds.scenarios import load\nfrom swarm.core.settings.process_files import RobotSpec\n"
            "fleet = [RobotSpec(name='a', kind='rover', physics='kinematic')]\n"
            "w = load('search_rescue').build(fleet, 1, render=False)\n"
            "w.step(); assert w.observe('a', frame=True).frame is None; w.view('a').boxes()")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=HANG_S)


def test_two_dynamic_worlds_of_a_seed_stay_identical() -> None:
    ends = []
    for _ in range(2):
        with world("dynamic", robots=8) as w:
            for i, name in enumerate(w.names):
                w.act(name, Drive(v_mps=0.5, w_radps=0.2 * (i - 4), ttl_s=9.0))
            run(w, 1.5)
            ends.append([w.observe(n, frame=False) for n in w.names])
    for a, b in zip(*ends, strict=True):
        assert (a.pose, a.bumped) == (b.pose, b.bumped)
        assert np.array_equal(a.scan, b.scan)


def test_robots_start_where_the_fleet_says_if_they_can_stand_there() -> None:
    scenario = scenarios.load("search_rescue")
    building = generate(3, 2)
    x_m, y_m = building.spawns[0].x_m, building.spawns[0].y_m
    here = RobotSpec(name="a", kind="rover", physics="kinematic", spawn=(x_m + 0.1, y_m))
    with scenario.build([here], 3, render=False) as world:
        assert world.scene().robots[0].x_m == pytest.approx(x_m + 0.1)
    wall = next(w for w in building.walls if max(abs(w.x_m), abs(w.y_m)) < 9)
    with pytest.raises(ValueError, match="a wall is"):
        scenario.build([RobotSpec(name="a", kind="rover", spawn=(wall.x_m, wall.y_m))], 3, render=False)
    with pytest.raises(ValueError, match="a and b would start in the same place"):
        scenario.build([here, RobotSpec(name="b", kind="rover", spawn=here.spawn)], 3, render=False)
    scenario.check_spawn(3, 2, "rover", x_m, y_m)
    with pytest.raises(ValueError, match="outside"):
        scenario.check_spawn(3, 2, "rover", 99.0, 0.0)
