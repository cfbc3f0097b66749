"""Where robots start: at places where they can stand, whoever chose these."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from sim_worlds.environment import Environment
from sim_worlds.physics.solids import box, place_thing
from sim_worlds.physics.starts import with_requested_spawns
from swarm.core.protocol.world import Pose
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import RobotSpec
from tests.sim_worlds.rooms import room

CRATE = place_thing("crate", [box(0.0, 0.0, 0.0, 1.0, 1.0, 1.0, (0.5, 0.5, 0.5))], 2.0, 2.0, 0.0)
PLACE = room([Pose(-2.0, -2.0, 0.0), Pose(0.0, 0.0, 0.0), Pose(0.0, 2.0, 0.0)], clutter=[CRATE])
FLEET = [RobotSpec(name=f"rover_{k}", kind="rover") for k in range(2)]


def with_second(pose: Pose) -> Environment:
    return replace(PLACE, spawns=(PLACE.spawns[0], pose, PLACE.spawns[2]))


@pytest.mark.parametrize(("pose", "why"), [
    (Pose(math.nan, 0.0, 0.0), r"start at \(nan, 0\), 0 m up, heading 0: this is no pose of finite numbers"),
    (Pose(0.0, 0.0, math.inf), "heading inf: this is no pose of finite numbers"),
    (Pose(1e9, 0.0, 0.0), r"start at \(1e\+09, 0\), .*: this is outside the floor, which spans \+-4\.2 m"),
    (Pose(3.9, 0.0, 0.0), "a wall is there"),
    (Pose(2.0, 2.2, 0.0), r"clutter \(crate\) is there"),
])
def test_a_spawn_of_the_environment_at_which_no_robot_can_stand_is_refused(pose: Pose, why: str) -> None:
    with pytest.raises(BadInput, match=r"^spawns\[1\] of the environment: rover_1 would " + f".*{why}; a free place"):
        with_requested_spawns(with_second(pose), FLEET)


def test_spawns_that_no_robot_uses_are_not_checked() -> None:
    nowhere = Pose(math.nan, 0.0, 0.0)
    assert with_requested_spawns(replace(PLACE, spawns=(*PLACE.spawns[:2], nowhere)), FLEET).spawns[2] is nowhere
    asked = [FLEET[0], RobotSpec(name="rover_1", kind="rover", spawn=(1.0, -1.0))]
    assert with_requested_spawns(with_second(Pose(2.0, 2.0, 0.0)), asked).spawns[1] == Pose(1.0, -1.0, 0.0)


def test_a_robot_that_flies_may_start_above_a_thing_and_not_in_it() -> None:
    quads = [RobotSpec(name=f"quad_{k}", kind="quadrotor") for k in range(2)]
    with_requested_spawns(with_second(Pose(2.0, 2.0, 0.0, 1.6)), quads)
    with pytest.raises(BadInput, match=r"quad_1 would start at \(2, 2\), 0\.5 m up, .*clutter \(crate\) is there"):
        with_requested_spawns(with_second(Pose(2.0, 2.0, 0.0, 0.5)), quads)


@pytest.mark.parametrize("size_m", [math.nan, math.inf, 0.0, -3.0, 501.0])
def test_a_place_without_a_sensible_size_is_refused(size_m: float) -> None:
    with pytest.raises(BadInput, match=r"^the environment: its size_m is [^;]*; metres, above 0 and up to 500$"):
        Environment(size_m=size_m, walls=())
