"""Named sensors of a suite: what they read is the truth, but for the noise, rate and latency that they state."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from sim_worlds.engine import Engine, mission_of
from sim_worlds.sensors.suite import CAMERA, IMU, LIDAR, PLACE, SUITE, check_suite, noisy
from swarm.core.protocol.scene import Mission
from swarm.core.protocol.sensors import (
    MOST_SENSORS,
    AnySensor,
    Contact,
    Imu,
    Lidar,
    Localisation,
    Odometry,
    Range,
    SensorSuite,
)
from swarm.core.protocol.world import Drive, Observation, Pose
from swarm.core.settings.process_files import RobotSpec
from tests.sim_worlds.rooms import room


class Room(Engine):
    """Two robots in a room."""

    def mission(self) -> Mission:
        return mission_of("nothing", {}, {})


def flown(seed: int = 1, *, every: int = 6, **sensors: AnySensor) -> tuple[Room, list[Observation]]:
    """A room whose robot `a` drove a curve for 4 s, and its observations: one each `every` steps of 1/60 s."""
    kind = type("Suite", (Room,), {"suite": SensorSuite(dict(sensors))})
    fleet = [RobotSpec(name=name, kind="rover", physics="kinematic") for name in "ab"]
    world = kind(room([Pose(-2.0, -1.0, 0.3), Pose(3.0, 3.0, 0.0)]), fleet, scenario="room", seed=seed, render=False)
    world.act("a", Drive(v_mps=0.4, w_radps=0.4, ttl_s=99.0))
    seen = []
    for step in range(240):
        world.step()
        if (step + 1) % every == 0:
            seen.append(world.observe("a", frame=False))
    return world, seen


def test_without_noise_every_sensor_reads_the_truth() -> None:
    world, seen = flown(nose=Range(range_m=9.0), side=Range(angle_rad=math.pi / 2, range_m=0.5), imu=Imu(),
                        wheels=Odometry(), place=Localisation(), lidar=LIDAR)
    last, at = seen[-1], world.motion.pose(0)
    assert last.pose == at
    nose, side, imu, wheels = (last.readings[name].values for name in ("nose", "side", "imu", "wheels"))
    assert nose[0] == pytest.approx(last.scan[LIDAR.beams // 2], abs=1e-5)
    assert side == (0.5,)
    assert imu == pytest.approx((0.0, 0.4 * 0.4, 0.4), abs=1e-9)
    assert seen[0].readings["imu"].values[0] == pytest.approx(0.9)      # it speeds up
    dx, dy = at.x_m + 2.0, at.y_m + 1.0
    assert wheels == pytest.approx((math.cos(0.3) * dx + math.sin(0.3) * dy, math.cos(0.3) * dy - math.sin(0.3) * dx,
                                    at.heading_rad - 0.3), abs=0.01)


def test_noise_is_as_large_as_stated_and_the_seed_s_own() -> None:
    noisy = {"lidar": Lidar(beams=64, range_m=6.0, noise_m=0.05), "place": Localisation(noise_m=0.1, noise_rad=0.02),
             "imu": Imu(noise_radps_per_rthz=0.1 * 0.1**0.5, bias_radps=2.0),
             "wheels": Odometry(error_m_per_m=0.1)}
    (world, seen), (_, again), (_, other) = flown(**noisy), flown(**noisy), flown(2, **noisy)
    true = flown(lidar=LIDAR, wheels=Odometry())[1]
    errors_m = np.concatenate([(one.scan - plain.scan)[plain.scan < 6.0]
                               for one, plain in zip(seen, true, strict=True)])
    assert np.std(errors_m) == pytest.approx(0.05, rel=0.1)
    off = np.array([(one.pose.x_m - plain.pose.x_m, one.pose.y_m - plain.pose.y_m)
                    for one, plain in zip(seen, true, strict=True)])
    assert off.std() == pytest.approx(0.1, rel=0.3)
    turns = np.array([one.readings["imu"].values[2] for one in seen[5:]]) - 0.4
    assert turns.std() == pytest.approx(0.1, rel=0.4)
    assert abs(turns.mean()) > 0.1                           # the bias does not average out
    drift = [math.dist(one.readings["wheels"].values[:2], plain.readings["wheels"].values[:2])
             for one, plain in zip(seen, true, strict=True)]
    assert 0.0 < drift[9] < drift[-1] < 0.4 * 4.0
    assert [one.readings for one in seen] == [one.readings for one in again]
    assert seen[-1].pose == again[-1].pose != other[-1].pose
    assert world.mission().measures == []


def test_an_observation_that_nobody_makes_shifts_no_noise() -> None:
    noisy = {"imu": Imu(noise_radps_per_rthz=0.1, walk_radps2_per_rthz=0.1, rate_hz=5.0),
             "place": Localisation(noise_m=0.1)}
    often, seldom = flown(every=6, **noisy)[1], flown(every=12, **noisy)[1]
    for one, same in zip(often[1::2], seldom, strict=True):
        assert one.pose == same.pose
        assert one.readings["imu"].values[1:] == same.readings["imu"].values[1:]


def test_a_slow_sensor_repeats_its_reading_and_says_how_old_it_is() -> None:
    _, seen = flown(nose=Range(range_m=9.0, rate_hz=2.0, latency_s=0.03))
    readings = [one.readings["nose"] for one in seen[4:14]]          # 0.5 to 1.4 s
    assert [len({reading.values for reading in half}) for half in (readings[:5], readings[5:])] == [1, 1]
    assert [reading.age_s for reading in readings] == pytest.approx([0.03, 0.13, 0.23, 0.33, 0.43] * 2)


def test_a_late_sensor_reads_what_was_its_latency_ago() -> None:
    sensors = {"nose": Range(range_m=20.0), "imu": Imu(), "wheels": Odometry()}
    late = {name: msgspec.structs.replace(sensor, latency_s=0.3) for name, sensor in sensors.items()}
    now, then = flown(**sensors)[1], flown(**late)[1]
    for name in sensors:
        np.testing.assert_allclose([one.readings[name].values for one in then[3:]],
                                   [one.readings[name].values for one in now[:-3]], rtol=1e-9)
        assert then[3].readings[name].values != now[3].readings[name].values
        assert then[-1].readings[name].age_s == 0.3
    assert then[0].readings["wheels"].values == (0.0, 0.0, 0.0)          # it stood at the start


def test_a_bumper_tells_of_touches_since_its_last_reading() -> None:
    """The robot drives into a wall 1 m ahead, stands there, and backs off."""
    kind = type("Bumpers", (Room,), {"suite": SensorSuite({"skin": Contact(), "slow": Contact(rate_hz=1.0)})})
    world = kind(room([Pose(2.0, 0.0, 0.0)]), [RobotSpec(name="a", kind="rover", physics="kinematic")],
                 scenario="room", seed=1, render=False)
    skin, slow = list[float](), list[float]()
    for step in range(60 * 8):
        if step in (0, 60 * 5):
            world.act("a", Drive(v_mps=0.4 if step == 0 else -0.4, w_radps=0.0, ttl_s=99.0))
        world.step()
        if (step + 1) % 6 == 0:
            readings = world.observe("a", frame=False).readings
            skin.append(readings["skin"].values[0])
            slow.append(readings["slow"].values[0])
    first, last = skin.index(1.0), 80 - skin[::-1].index(1.0)
    assert first > 10
    assert skin == [0.0] * first + [1.0] * (last - first) + [0.0] * (80 - last)
    assert 50 <= last <= 52                                  # it backs off after 5 s
    assert all(len(set(slow[k:k + 10])) == 1 for k in range(9, 70, 10))      # one reading a second
    assert [slow[k] for k in (9, 49, 69)] == [0.0, 1.0, 0.0]


def test_a_late_range_sees_other_robots_where_they_were() -> None:
    def seen(latency_s: float) -> list[float]:
        kind = type("Suite", (Room,), {"suite": SensorSuite({"nose": Range(range_m=9.0, latency_s=latency_s)})})
        fleet = [RobotSpec(name=name, kind="rover", physics="kinematic") for name in "ab"]
        world = kind(room([Pose(-2.0, 0.0, 0.0), Pose(1.0, 0.0, 0.0)]), fleet, scenario="room", seed=1, render=False)
        world.act("b", Drive(v_mps=0.4, w_radps=0.0, ttl_s=99.0))
        ranges_m = []
        for _ in range(60):
            world.step()
            ranges_m.append(world.observe("a", frame=False).readings["nose"].values[0])
        return ranges_m

    assert seen(0.2)[12:] == seen(0.0)[:-12]


def test_odometry_counts_every_step_whoever_observes() -> None:
    errors = Odometry(error_m_per_m=0.1, error_rad_per_rad=0.1)
    often, seldom = (flown(every=every, wheels=errors)[1][-1].readings["wheels"] for every in (1, 240))
    assert often == seldom
    world, seen = flown(every=240, wheels=Odometry())
    at, (x_m, y_m, turned) = world.motion.pose(0), seen[-1].readings["wheels"].values
    c, s = math.cos(0.3), math.sin(0.3)
    assert (x_m * c - y_m * s - 2.0, x_m * s + y_m * c - 1.0, turned + 0.3) == pytest.approx(
        (at.x_m, at.y_m, at.heading_rad), abs=1e-9)


def test_a_suite_without_them_has_no_readings() -> None:
    _, seen = flown(camera=CAMERA, lidar=LIDAR)
    assert seen[-1].readings == {}


def test_a_fleet_with_noisy_sensors_has_noise_where_the_scenario_states_none() -> None:
    fleet = [RobotSpec(name="a", kind="rover", physics="kinematic", sensors="noisy"),
             RobotSpec(name="b", kind="rover", physics="kinematic")]
    world = Room(room([Pose(-2.0, -1.0, 0.3), Pose(3.0, 3.0, 0.0)]), fleet, scenario="room", seed=1, render=False)
    assert world.sensors("b") == SUITE
    assert world.sensors("a").sensors.keys() == {"camera", "lidar", "place"}
    assert world.observe("a", frame=False).pose != world.motion.pose(0)
    assert world.observe("b", frame=False).pose == world.motion.pose(1)
    stated = SensorSuite({"lidar": Lidar(beams=9, range_m=6.0, noise_m=0.3), "imu": Imu(rate_hz=9.0),
                          "wheels": Odometry(), "nose": Range(range_m=1.0), "place": Localisation(noise_m=0.4)})
    with_noise = noisy(stated)
    assert with_noise.sensors["lidar"] == stated.sensors["lidar"]
    assert with_noise.sensors["place"] == stated.sensors["place"]
    assert with_noise.all(Imu)["imu"] == msgspec.structs.replace(IMU, rate_hz=9.0)
    assert with_noise.all(Range)["nose"].noise_m > 0.0 < with_noise.all(Odometry)["wheels"].error_m_per_m


def test_each_sensor_draws_by_its_own_name() -> None:
    """The first beam of a lidar and a range sensor that is called `lidar` look the same way."""
    front, nose = Lidar(beams=1, range_m=20.0, noise_m=0.1), Range(range_m=20.0, angle_rad=-math.pi, noise_m=0.1)
    _, seen = flown(front=front, lidar=nose)
    errors = [one.scan[0] - one.readings["lidar"].values[0] for one in seen]
    assert np.std(errors) == pytest.approx(0.1 * math.sqrt(2.0), rel=0.4)


def test_a_noisy_suite_keeps_all_sensors_and_is_one_that_agents_read() -> None:
    nose = Range(range_m=2.0, noise_m=0.5)
    assert noisy(SensorSuite({"place": nose})).sensors == {"place": nose, "place_2": PLACE}
    most = {f"nose_{k}": nose for k in range(MOST_SENSORS)}
    with pytest.raises(ValueError, match="no room"):
        noisy(SensorSuite(dict(most)))
    check_suite(SensorSuite(dict(most)))


@pytest.mark.parametrize(("sensors", "why"), [
    ({f"nose_{k}": Range(range_m=2.0) for k in range(MOST_SENSORS + 1)}, "16"),
    ({"nose": Range(range_m=-1.0)}, "nose|range_m"),
    ({"lidar": Lidar(beams=9, range_m=6.0, rate_hz=2.0)}, "sensor lidar: its rate"),
    ({"place": Localisation(rate_hz=2.0)}, "sensor place: its rate"),
    ({"place": Localisation(latency_s=0.1)}, "sensor place: a pose"),
    ({"nose": Range(range_m=2.0, latency_s=11.0)}, "sensor nose: latency_s 11 is above 10"),
    ({"skin": Contact(latency_s=0.1)}, "sensor skin: a touch is felt at once"),
    ({"camera": msgspec.structs.replace(CAMERA, rate_hz=2.0)}, "sensor camera: its rate"),
])
def test_a_suite_that_cannot_be_kept_is_refused_when_the_world_is_made(
        sensors: dict[str, AnySensor], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        flown(**sensors)
