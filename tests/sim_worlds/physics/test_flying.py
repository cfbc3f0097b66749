"""Quadrotors in both kinds of physics: they hover, go where they are told, and stop at what is in the way."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from sim_worlds.environment import Environment
from sim_worlds.physics import STEP_S, UPDATE_EVERY
from sim_worlds.physics.bodies import Ramps
from sim_worlds.physics.motion import Motion
from sim_worlds.physics.solids import box, place_thing
from sim_worlds.robots import QUADROTOR
from swarm.core.protocol.world import Pose
from swarm.core.settings.process_files import RobotSpec
from tests.sim_worlds.rooms import room

BOTH = pytest.mark.parametrize("physics", ["dynamic", "kinematic"])
RADIUS_M, HEIGHT_M = QUADROTOR.radius_m, QUADROTOR.height_m


def quads(physics: Any, *poses: Pose, environment: Environment | None = None) -> Motion:
    fleet = [RobotSpec(name=f"q{k}", kind="quadrotor", physics=physics) for k in range(len(poses))]
    return Motion(environment or room(poses), fleet, render=False)


def run(motion: Motion, seconds: float) -> None:
    for _ in range(round(seconds / motion.dt_s)):
        motion.step()


def fly(motion: Motion, robot: int, *velocity: float) -> None:
    motion.fly_all(np.array([velocity]), np.array([robot]))


def test_commands_in_whole_numbers_are_those_in_fractions() -> None:
    ramps = Ramps([QUADROTOR])
    ramps.command(np.array([[40, 0, 0, 1]]), np.array([0]))
    assert ramps.commands.tolist() == [[QUADROTOR.v_max_mps, 0.0, 0.0, 1.0]]


@BOTH
def test_it_hovers_where_it_starts(physics: str) -> None:
    motion = quads(physics, Pose(0.5, 0.0, 0.4), Pose(0.5, 2.0, 0.0, 1.7))
    run(motion, 2.0)
    np.testing.assert_allclose(
        motion.places, [[0.5, 0.0, 0.4, 1.0, 0.0, 0.0], [0.5, 2.0, 0.0, 1.7, 0.0, 0.0]], atol=2e-3)
    assert motion.contacts.episodes == 0
    motion.close()


def test_one_whose_mass_was_drawn_hovers_and_climbs_as_it_is_told() -> None:
    fleet = [RobotSpec(name=f"q{mass}", kind="quadrotor", physics="dynamic", mass=mass) for mass in (0.6, 1.4)]
    motion = Motion(room([Pose(0.0, -1.0, 0.0), Pose(0.0, 1.0, 0.0)]), fleet, render=False)
    run(motion, 2.0)
    np.testing.assert_allclose(motion.places[:, 3], 1.0, atol=2e-3)
    for robot in (0, 1):
        fly(motion, robot, 0.5, 0.0, 0.2, 0.0)
    run(motion, 2.0)
    np.testing.assert_allclose([*motion.speeds[:, 0], *motion.left_up[:, 1]], [0.5, 0.5, 0.2, 0.2], atol=0.02)
    motion.close()


@BOTH
def test_a_velocity_is_in_its_level_frame(physics: str) -> None:
    motion = quads(physics, Pose(0.0, -2.0, math.pi / 2))    # looks north
    fly(motion, 0, 0.8, -0.4, 0.2, 0.0)
    run(motion, 2.0)
    before = motion.places[0].copy()
    run(motion, 1.0)
    moved = motion.places[0] - before
    np.testing.assert_allclose(moved[:2], [0.4, 0.8], atol=0.02)     # its right is east
    assert moved[3] == pytest.approx(0.2, abs=0.01)
    np.testing.assert_allclose([*motion.speeds[0], *motion.left_up[0]], [0.8, 0.0, -0.4, 0.2], atol=0.02)
    motion.close()


@BOTH
def test_it_turns_at_its_rate_and_flies_round(physics: str) -> None:
    motion = quads(physics, Pose(0.0, 0.0, 0.0))
    fly(motion, 0, 0.6, 0.0, 0.0, 0.8)
    run(motion, 2.0)
    heading, places = motion.at[0, 2], []
    run(motion, 1.0)
    assert math.remainder(motion.at[0, 2] - heading - 0.8, 2 * math.pi) == pytest.approx(0.0, abs=0.02)
    for _ in range(70):
        run(motion, 0.1)
        places.append(motion.at[0, :2].copy())
    x, y = np.array(places).T
    (a, b, c), *_ = np.linalg.lstsq(np.stack([2 * x, 2 * y, np.ones(70)], axis=1), x * x + y * y, rcond=None)
    assert math.sqrt(c + a * a + b * b) == pytest.approx(0.6 / 0.8, rel=0.05)
    motion.close()


@BOTH
def test_it_stops_at_a_wall_the_floor_and_the_ceiling(physics: str) -> None:
    motion = quads(physics, Pose(2.5, 0.0, 0.0))
    fly(motion, 0, 0.8, 0.0, 0.0, 0.0)
    run(motion, 3.0)
    assert motion.at[0, 0] == pytest.approx(4.0 - RADIUS_M, abs=0.06)
    assert motion.places[0, 3] == pytest.approx(1.0, abs=0.1)
    assert motion.contacts.bumped[0]
    fly(motion, 0, -0.8, 0.0, 0.0, 0.0)
    run(motion, 1.5)
    assert motion.at[0, 0] < 3.2
    fly(motion, 0, 0.0, 0.0, -9.0, 0.0)
    run(motion, 3.0)
    before = motion.contacts.episodes
    assert motion.places[0, 3] == pytest.approx(HEIGHT_M / 2, abs=0.01)
    fly(motion, 0, 0.0, 0.0, 9.0, 0.0)
    run(motion, 4.0)
    assert motion.places[0, 3] == pytest.approx(2.4 - HEIGHT_M / 2, abs=0.02)
    assert motion.contacts.episodes == before + 1            # the ceiling; landing is none
    motion.close()


@BOTH
def test_one_flies_over_a_table_and_not_through_it(physics: str) -> None:
    table = place_thing("table", [box(0.0, 0.0, 0.0, 0.8, 0.8, 0.7, (0.5, 0.4, 0.3))], 0.0, 0.0, 0.0)
    poses = Pose(-2.0, 0.0, 0.0, 0.4), Pose(-1.5, 0.3, 0.0, 1.2)
    for pose in poses:
        motion = quads(physics, pose, environment=room([pose], clutter=[table]))
        fly(motion, 0, 0.8, 0.0, 0.0, 0.0)
        run(motion, 4.0)
        if pose.z_m < 0.7:
            assert motion.at[0, 0] == pytest.approx(-0.4 - RADIUS_M, abs=0.08)
            assert motion.contacts.bumped[0]
        else:
            assert motion.at[0, 0] > 1.2
            assert not motion.contacts.bumped[0]
        motion.close()


@BOTH
def test_two_at_different_heights_pass_each_other_and_at_one_height_do_not(physics: str) -> None:
    for z_m in (1.3, 1.0):
        motion = quads(physics, Pose(-1.0, 0.0, 0.0, 1.0), Pose(1.0, 0.0, math.pi, z_m))
        for robot in range(2):
            fly(motion, robot, 0.5, 0.0, 0.0, 0.0)
        run(motion, 4.0)
        passed = bool(motion.at[0, 0] > motion.at[1, 0])
        assert passed == (z_m - 1.0 > HEIGHT_M)
        assert (motion.contacts.episodes > 0) != passed
        motion.close()


@BOTH
def test_one_that_sinks_on_a_rover_stops_above_it(physics: Any) -> None:
    poses = Pose(0.0, 0.0, 0.0), Pose(0.1, 0.0, 0.0, 1.0)
    fleet = [RobotSpec(name="r", kind="rover", physics=physics), RobotSpec(name="q", kind="quadrotor", physics=physics)]
    motion = Motion(room(poses), fleet, render=False)
    fly(motion, 1, 0.0, 0.0, -0.4, 0.0)
    for _ in range(30):
        run(motion, 0.1)
        if motion.contacts.bumped[1]:
            break
    assert motion.contacts.bumped.all()
    assert motion.places[1, 3] > 0.19 + HEIGHT_M / 2 - 0.01
    if physics == "kinematic":                               # and drives away from under it
        motion.drive(0, 0.4, 0.0)
        run(motion, 2.5)
        assert motion.at[0, 0] > 0.6
        run(motion, 1.0)
        assert motion.places[1, 3] == pytest.approx(HEIGHT_M / 2, abs=0.01)
    motion.close()


def test_two_that_approach_from_above_and_below_share_the_gap() -> None:
    motion = quads("kinematic", Pose(0.0, 0.0, 0.0, 0.8), Pose(0.1, 0.0, 0.0, 1.6))
    fly(motion, 0, 0.0, 0.0, 0.5, 0.0)
    fly(motion, 1, 0.0, 0.0, -0.5, 0.0)
    run(motion, 3.0)
    low, high = motion.places[:, 3]
    assert high - low == pytest.approx(HEIGHT_M, abs=1e-6)
    assert low + high == pytest.approx(2.4, abs=1e-6)
    assert motion.contacts.bumped.all()


def test_a_crowd_in_the_air_never_overlaps() -> None:
    draw = np.random.default_rng(4)
    poses = [Pose(-3.0 + k % 5 * 1.5, -3.0 + k // 5 * 1.5, 0.0, float(draw.uniform(0.3, 2.0))) for k in range(25)]
    motion = quads("kinematic", *poses)
    first, second = np.triu_indices(25, 1)
    for _ in range(120):
        motion.fly_all(draw.uniform((-1.5, -1.5, -1.0, -1.5), (1.5, 1.5, 1.0, 1.5), (25, 4)), np.arange(25))
        run(motion, 0.15)
        apart = np.hypot(*(motion.at[first, :2] - motion.at[second, :2]).T) > 2 * RADIUS_M - 1e-9
        above = np.abs(motion.places[first, 3] - motion.places[second, 3]) > HEIGHT_M - 1e-6
        assert (apart | above).all()
        assert np.abs(motion.at[:, :2]).max() < 4.0 - RADIUS_M + 0.06
        assert (motion.places[:, 3] >= HEIGHT_M / 2 - 1e-9).all()
        assert (motion.places[:, 3] <= 2.4 - HEIGHT_M / 2 + 1e-9).all()
    assert motion.contacts.episodes > 20


def test_a_kinematic_one_speeds_up_along_a_straight_line() -> None:
    motion = quads("kinematic", Pose(0.0, 0.0, 0.0))
    fly(motion, 0, 3.0, 4.0, 0.0, 0.0)                       # 5 m/s; it can do 1.5 in this direction
    motion.step()
    np.testing.assert_allclose([motion.speeds[0, 0], motion.left_up[0, 0]], np.array([0.6, 0.8]) * 3.0 / 60)
    run(motion, 1.0)
    np.testing.assert_allclose([motion.speeds[0, 0], motion.left_up[0, 0]], [0.9, 1.2])


def test_a_dynamic_one_wants_what_the_ramps_of_a_kinematic_one_give() -> None:
    motion, ramps = quads("dynamic", Pose(0.0, 0.0, 0.0)), Ramps([QUADROTOR])
    for command in np.random.default_rng(2).uniform(-2.0, 2.0, (8, 1, 4)):
        motion.fly_all(command, np.array([0]))
        ramps.command(command[:, [0, 3, 1, 2]], np.array([0]))
        for _ in range(12):
            run(motion, UPDATE_EVERY * STEP_S)
            ramps.speeds[:] = ramps.after(UPDATE_EVERY * STEP_S)
            np.testing.assert_allclose(motion._ramps.speeds, ramps.speeds, atol=1e-12)
    motion.close()


def test_a_dynamic_one_tilts_to_accelerate_and_rights_itself_after_a_crash() -> None:
    motion = quads("dynamic", Pose(0.0, 0.0, 0.0))
    fly(motion, 0, 1.5, 0.0, 0.0, 0.0)
    run(motion, 0.3)
    assert motion.places[0, 5] > 0.15                        # nose down
    assert abs(motion.places[0, 4]) < 0.01
    fly(motion, 0, 1.5, 1.5, 0.0, 1.0)
    run(motion, 5.0)                                         # into a corner
    fly(motion, 0, 0.0, 0.0, 0.0, 0.0)
    run(motion, 2.0)
    assert np.abs(motion.places[0, 4:]).max() < 0.02
    motion.close()


def test_a_dynamic_flight_repeats_exactly() -> None:
    ends = []
    for _ in range(2):
        motion = quads("dynamic", Pose(0.0, 0.0, 0.0), Pose(1.0, 0.1, 3.0))
        fly(motion, 0, 1.0, 0.2, 0.1, 0.3)
        run(motion, 2.0)
        ends.append(motion.places.tolist())
        motion.close()
    assert ends[0] == ends[1]
