from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest

from sim_worlds.physics.motion import Motion
from sim_worlds.robots import KINDS
from swarm.core.protocol.world import Pose
from swarm.core.settings.process_files import RobotSpec
from tests.sim_worlds.rooms import room

KIND_AND_PHYSICS = [(k, p) for k in ("rover", "carrier") for p in ("dynamic", "kinematic")]


def alone(kind: str, physics: Any, pose: Pose = Pose(0.0, 0.0, 0.3)) -> Motion:  # noqa: B008
    return Motion(room([pose]), [RobotSpec(name="r", kind=kind, physics=physics)], render=False)


def run(motion: Motion, seconds: float) -> None:
    for _ in range(round(seconds / motion.dt_s)):
        motion.step()


@pytest.mark.parametrize(("kind", "physics"), KIND_AND_PHYSICS)
def test_a_commanded_velocity_is_reached_and_held(kind: str, physics: str) -> None:
    top = KINDS[kind]
    for v, w in ((top.v_max_mps, 0.0), (-0.3, 0.0), (0.0, top.w_max_radps), (0.4, 0.8), (0.0, -0.5)):
        motion = alone(kind, physics, Pose(-2.0, 0.0, 0.0))
        motion.drive(0, v, w)
        run(motion, 0.8)
        before = motion.pose(0)
        run(motion, 1.0)
        after = motion.pose(0)
        got_v, got_w = motion.speeds[0]
        assert got_v == pytest.approx(v, rel=0.1, abs=0.01)
        assert got_w == pytest.approx(w, rel=0.1, abs=0.02)
        turned = math.remainder(after.heading_rad - before.heading_rad - w, 2 * math.pi)
        assert abs(turned) <= 0.1 * abs(w) + 0.01
        if w == 0.0:
            assert after.x_m - before.x_m == pytest.approx(v, rel=0.1)
            assert abs(after.y_m) < 0.02
        if v == 0.0:
            assert math.hypot(after.x_m + 2.0, after.y_m) < 0.05
        if motion.bullet is not None:
            assert motion.bullet.upright(0) > 0.99
        motion.close()


@pytest.mark.parametrize(("kind", "physics"), KIND_AND_PHYSICS)
def test_it_stops_as_its_platform_does(kind: str, physics: str) -> None:
    motion = alone(kind, physics, Pose(-2.0, 0.0, 0.0))
    motion.drive(0, 0.46, 0.0)
    run(motion, 1.0)
    begin_m = motion.at[0, 0]
    motion.drive(0, 0.0, 0.0)
    run(motion, 1.0)
    assert motion.at[0, 0] - begin_m == pytest.approx(0.46 ** 2 / (2 * 0.9), rel=0.05)
    motion.close()


def test_wheels_slip_on_ice() -> None:
    ice = 0.05
    motion = Motion(replace(room([Pose(-2.0, 0.0, 0.0)]), floor_friction=ice),
                    [RobotSpec(name="r", kind="rover", physics="dynamic")], render=False)
    motion.drive(0, 0.46, 0.0)
    run(motion, 2.5)
    begin_m = motion.at[0, 0]
    motion.drive(0, 0.0, 0.0)
    run(motion, 2.0)
    assert motion.at[0, 0] - begin_m == pytest.approx(0.46 ** 2 / (2 * ice * 9.81), rel=0.05)
    motion.close()


@pytest.mark.parametrize(("kind", "physics"), KIND_AND_PHYSICS)
def test_a_hard_stop_and_reversal_do_not_flip_it(kind: str, physics: str) -> None:
    motion = alone(kind, physics)
    for v in (1.0, -1.0, 1.0, 0.0):
        motion.drive(0, v, 0.0)
        for _ in range(12):
            run(motion, 0.05)
            assert motion.bullet is None or motion.bullet.upright(0) > 0.97
    run(motion, 0.5)
    assert abs(motion.speeds[0][0]) < 0.01
    motion.close()


@pytest.mark.parametrize(("kind", "physics"), KIND_AND_PHYSICS)
@pytest.mark.parametrize("corner", [False, True])
def test_a_robot_pressed_against_a_wall_gets_out(kind: str, physics: str, corner: bool) -> None:
    motion = alone(kind, physics, Pose(3.3, 3.3, math.pi / 4) if corner else Pose(3.0, 0.0, 0.4))
    motion.drive(0, 1.0, 0.0)
    run(motion, 2.5)
    assert motion.contacts.bumped[0]
    assert motion.contacts.episodes >= 1
    radius = KINDS[kind].radius_m
    pressed = motion.pose(0)
    assert 4.0 - radius - 0.06 <= pressed.x_m <= 4.0 - radius + 0.06
    motion.drive(0, 0.0, 0.0)                                # it pushes while it slows down
    run(motion, 0.6)
    motion.drive(0, 0.0, 1.2)                                # it can turn where it stands
    run(motion, 1.0)
    turned = math.remainder(motion.pose(0).heading_rad - pressed.heading_rad, 2 * math.pi)
    assert turned > 0.8
    motion.drive(0, 0.0, -1.2)
    run(motion, turned / 1.2)
    motion.drive(0, -0.4, 0.0)                               # and reverse
    run(motion, 2.0)
    assert motion.pose(0).x_m < pressed.x_m - 0.3
    motion.close()


@pytest.mark.parametrize("physics", ["dynamic", "kinematic"])
def test_robots_that_meet_stop_each_other_in_one_episode(physics: Any) -> None:
    motion = Motion(room([Pose(-0.6, 0.0, 0.0), Pose(0.6, 0.0, math.pi)]),
                    [RobotSpec(name=n, kind="rover", physics=physics) for n in "ab"], render=False)
    for i in range(2):
        motion.drive(i, 0.5, 0.0)
    run(motion, 2.0)
    gap = motion.pose(1).x_m - motion.pose(0).x_m
    assert gap == pytest.approx(2 * KINDS["rover"].radius_m, abs=0.03)
    assert motion.contacts.bumped.all()
    assert motion.contacts.episodes == 1
    motion.close()


def test_a_dynamic_run_repeats_exactly() -> None:
    ends = []
    for _ in range(2):
        motion = Motion(room([Pose(0.0, 0.0, 0.0), Pose(1.0, 0.1, 3.0)]),
                        [RobotSpec(name="a", kind="rover"), RobotSpec(name="b", kind="carrier")], render=False)
        motion.drive(0, 0.6, 0.1)
        motion.drive(1, 0.6, 0.0)
        run(motion, 2.0)
        ends.append(tuple(motion.poses))
        motion.close()
    assert ends[0] == ends[1]


def test_a_command_is_clipped_and_one_that_is_not_a_number_is_a_stop() -> None:
    motion = alone("rover", "kinematic")
    for command, done in (((9.0, -9.0), [0.46, -1.9]), ((math.nan, 1.0), [0.0, 0.0]), ((0.4, math.inf), [0.0, 0.0])):
        motion.drive(0, *command)
        run(motion, 0.6)
        assert motion.speeds[0].tolist() == done


def test_a_kinematic_robot_and_a_rigid_one_see_each_other() -> None:
    motion = Motion(room([Pose(-0.8, 0.0, 0.0), Pose(0.8, 0.0, math.pi)]),
                    [RobotSpec(name="k", kind="rover", physics="kinematic"),
                     RobotSpec(name="d", kind="rover", physics="dynamic")], render=False)
    for i in range(2):
        motion.drive(i, 0.4, 0.0)
    run(motion, 3.0)
    assert motion.pose(1).x_m - motion.pose(0).x_m == pytest.approx(2 * KINDS["rover"].radius_m, abs=0.04)
    assert motion.contacts.bumped.all()
    motion.close()


@pytest.mark.parametrize("update_s", [1 / 60, 1 / 20])
@pytest.mark.parametrize("angle", [0.4, 0.8, 1.2])
def test_a_robot_slides_along_a_wall_by_its_speed_along_it(angle: float, update_s: float) -> None:
    motion = Motion(room([Pose(3.7, -3.0, angle)]), [RobotSpec(name="r", kind="rover", physics="kinematic")],
                    render=False, update_s=update_s)
    motion.drive(0, 0.4, 0.0)
    run(motion, 1.0)
    begin_m = motion.at[0, 1]
    run(motion, 4.0)
    assert motion.at[0, 1] - begin_m == pytest.approx(4.0 * 0.4 * math.sin(angle), rel=1e-6)
    assert motion.speeds[0, 0] == pytest.approx(0.4 * math.sin(angle) ** 2)


def test_a_robot_that_was_stopped_head_on_speeds_up_again() -> None:
    motion = Motion(room([Pose(-0.5, 0.0, 0.0), Pose(0.0, 0.0, math.pi / 2)]),
                    [RobotSpec(name=n, kind="rover", physics="kinematic") for n in "ab"], render=False)
    motion.drive(0, 0.4, 0.0)
    run(motion, 1.0)
    assert motion.speeds[0, 0] == 0.0
    motion.drive(1, 0.4, 0.0)                                # out of the way
    speeds = [0.0]
    for _ in range(120):
        motion.step()
        speeds.append(float(motion.speeds[0, 0]))
    assert speeds[-1] == pytest.approx(0.4)
    assert max(b - a for a, b in itertools.pairwise(speeds)) <= 0.9 * motion.dt_s + 1e-12
