"""Randomised places and robots: drawn by seed, and what was drawn shows in looks, friction, masses and noise."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from sim_worlds import scenarios
from sim_worlds.physics.surroundings import varied
from sim_worlds.robots import QUADROTOR, ROVER, FlyingKind
from sim_worlds.robots.brought.body import kind_for
from sim_worlds.sensors.suite import CAMERA, noisier, noisy
from sim_worlds.world_server import drawn_of
from swarm.core.protocol.sensors import Lidar, Localisation, Odometry, SensorSuite
from swarm.core.protocol.world import Drive, Pose
from swarm.core.settings import randomise
from swarm.core.settings.process_files import RobotSpec, WorldFile
from swarm.core.settings.randomise import AS_BUILT, Randomise, Surroundings
from tests.sim_worlds.rooms import room

ALL = Randomise(mass=0.2, friction=(0.5, 1.0), light=0.3, colour=0.3, texture=0.3, noise=0.5)


def test_draws_are_within_their_ranges_and_keyed_by_seed_and_robot() -> None:
    places = [randomise.surroundings(ALL, seed) for seed in range(200)]
    frictions = [place.floor_friction for place in places if place.floor_friction is not None]
    assert 0.5 <= min(frictions) < 0.55 < 0.95 < max(frictions) <= 1.0
    bright = [place.brightness for place in places]
    assert 0.7 <= min(bright) < 0.75 < 1.25 < max(bright) <= 1.3
    assert randomise.surroundings(ALL, 7) == places[7]
    masses = [randomise.mass(ALL, seed, robot) for seed in range(100) for robot in ("a", "b")]
    assert 0.8 <= min(masses) < 0.82 < 1.18 < max(masses) <= 1.2
    assert len(set(masses)) == 200
    only_light = msgspec.structs.replace(ALL, friction=None, mass=0.0)
    assert randomise.surroundings(only_light, 7).brightness == places[7].brightness
    assert randomise.noise(only_light, 7, "a") == randomise.noise(ALL, 7, "a")


def test_nothing_randomised_is_a_place_as_it_was_built() -> None:
    assert randomise.surroundings(randomise.NOTHING, 7) == AS_BUILT
    assert (randomise.mass(randomise.NOTHING, 7, "a"), randomise.noise(randomise.NOTHING, 7, "a")) == (1.0, 1.0)
    assert drawn_of(file(AS_BUILT, 1.0)) == []


def test_the_kind_of_a_rigid_body_has_the_mass_that_was_drawn() -> None:
    """So that batteries and the control of quadrotors go by it; kinematic robots have no mass."""
    robot = RobotSpec(name="a", kind="quadrotor", physics="dynamic", mass=1.5)
    kind = kind_for(robot)
    assert isinstance(kind, FlyingKind)
    assert kind.mass_kg == pytest.approx(1.5 * QUADROTOR.mass_kg)
    assert kind.inertia_kgm2 == pytest.approx([1.5 * one for one in QUADROTOR.inertia_kgm2])
    assert kind_for(msgspec.structs.replace(robot, physics="kinematic")) is QUADROTOR
    rover = kind_for(RobotSpec(name="a", kind="rover", physics="dynamic", mass=0.5))
    assert rover.mass_kg == pytest.approx(0.5 * ROVER.mass_kg)


def file(place: Surroundings, factor: float) -> WorldFile:
    return WorldFile(version=1, swarm="s", scenario="patrol", surroundings=place,
                     robots=[RobotSpec(name="a", kind="rover", mass=factor, noise=factor)])


def test_what_was_drawn_is_told() -> None:
    place = Surroundings(floor_friction=0.5, light=(1.0, 0.0, 2.0), brightness=1.1, colour=0.2, seed=3)
    assert drawn_of(file(place, 1.25)) == [
        {"brightness": 1.1, "colour": 0.2, "texture": 0.0, "seed": 3, "floor_friction": 0.5, "lamp_x": 1.0,
         "lamp_y": 0.0, "lamp_z": 2.0}, {"robot": "a", "mass": 1.25, "noise": 1.25}]


def test_a_varied_place_has_the_same_solids_in_other_colours() -> None:
    before = room([Pose(0.0, 0.0, 0.0)])
    drawn = randomise.surroundings(ALL, 3)
    after = varied(before, drawn)
    assert after == varied(before, drawn)
    assert (after.floor_friction, after.light) == (drawn.floor_friction, drawn.light)
    assert [wall.x_m for wall in after.walls] == [wall.x_m for wall in before.walls]
    for new, old in zip(after.walls, before.walls, strict=True):
        assert new.colour != old.colour
        assert all(0.7 * b <= a <= min(1.3 * b, 1.0) for a, b in zip(new.colour, old.colour, strict=True))


def test_the_noise_of_all_sensors_has_the_factor() -> None:
    suite = noisier(noisy(SensorSuite({"camera": CAMERA, "lidar": Lidar(beams=4, range_m=6.0), "w": Odometry()})), 1.5)
    assert [sensor.noise_m for sensor in suite.sensors.values() if isinstance(sensor, Lidar | Localisation)] == [
        pytest.approx(0.015), pytest.approx(0.075)]
    (wheels,) = suite.all(Odometry).values()
    assert (wheels.error_m_per_m, wheels.error_rad_per_rad) == (pytest.approx(0.03), pytest.approx(0.075))
    assert suite.camera == CAMERA


@pytest.mark.parametrize("drawn", [Surroundings(colour=0.5, seed=1), Surroundings(texture=0.5, seed=1),
                                   Surroundings(light=(0.0, 1.0, 1.0)),
                                   Surroundings(brightness=0.6)])
def test_frames_show_colours_patterns_the_lamp_and_its_brightness(drawn: Surroundings) -> None:
    fleet = [RobotSpec(name="a", kind="rover", physics="kinematic")]
    frames = []
    for place in (AS_BUILT, drawn, drawn):
        with scenarios.build("patrol", fleet, 3, surroundings=place) as world:
            frame = world.observe("a", frame=True).frame
            assert frame is not None
            frames.append(frame.astype(float))
    assert np.abs(frames[0] - frames[1]).mean() > 1.0
    assert (frames[1] == frames[2]).all()


def started_m(friction: float | None = None, mass: float = 1.0) -> float:
    """How far a rover comes in 0.6 s from standstill."""
    fleet = [RobotSpec(name="a", kind="rover", mass=mass)]
    with scenarios.build("patrol", fleet, 3, render=False, surroundings=Surroundings(floor_friction=friction)) as world:
        world.act("a", Drive(v_mps=0.46, w_radps=0.0, ttl_s=9.0))
        places = [world.places()]
        for _ in range(round(0.6 / world.dt_s)):
            world.step()
        places.append(world.places())
    before, after = (place for place in places if place is not None)
    return float(np.hypot(*(after[0] - before[0])))


def test_rigid_bodies_feel_friction_and_mass() -> None:
    pytest.importorskip("pybullet")
    usual_m = started_m()
    assert usual_m == pytest.approx(0.46 * 0.6 - 0.118, abs=0.01)       # it speeds up by 0.9 m/s2
    assert started_m(friction=0.02) < 0.5 * usual_m                     # its wheels slip
    assert started_m(mass=10.0) < 0.6 * usual_m                         # its motor is too weak for its ramp
