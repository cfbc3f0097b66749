"""What an ailing sensor makes of observations: nothing, the same again, or what is wrong by so much; and its end."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from msgspec.structs import astuple, replace

from sim_worlds.sensors.faults import SensorFaults
from sim_worlds.sensors.suite import CAMERA
from swarm.core.protocol.sensors import (
    Imu,
    Lidar,
    Localisation,
    Odometry,
    Range,
    Reading,
    SensorFault,
    SensorSuite,
)
from swarm.core.protocol.world import Capture, Observation, Pose

SUITE = SensorSuite({
    "eye": CAMERA, "lidar": Lidar(beams=4, range_m=6.0), "place": Localisation(), "nose": Range(range_m=2.0),
    "imu": Imu(), "wheels": Odometry()})
V_MPS, W_RADPS, DT_S = 0.4, 0.5, 0.1


def observations(count: int) -> list[Observation]:
    """A robot that drives an arc; each value tells the number of its observation."""
    seen = []
    for k in range(count):
        turn = W_RADPS * DT_S * k
        pose = Pose(V_MPS / W_RADPS * math.sin(turn), V_MPS / W_RADPS * (1 - math.cos(turn)), turn)
        seen.append(Observation(
            sequence=k, age_s=0.0, pose=pose, v_mps=V_MPS, w_radps=W_RADPS,
            scan=np.array([1.0, 2.0, 6.0, 0.1 * k], np.float32), frame=np.full((2, 2, 3), k, np.uint8), readings={
                "nose": Reading(0.01, (1.0,)), "imu": Reading(0.02, (0.1 * k, 0.2, W_RADPS)),
                "wheels": Reading(0.0, (0.1 * k, 0.0, 0.0))}))
    return seen


def told(seen: Sequence[Observation], *faults: SensorFault, until: int = 99, seed: int = 1) -> list[Observation]:
    """What robot `a` is told while these faults last: before observation number `until`."""
    ailing = SensorFaults(seed, lambda robot: SUITE)
    ailing.set(faults)
    out = []
    for k, one in enumerate(seen):
        if k == until:
            ailing.set([])
        out.append(ailing.of("a", one, DT_S * k))
    return out


@pytest.mark.parametrize("sensor", [*SUITE.sensors])
def test_another_robot_and_a_fault_that_is_over_change_nothing(sensor: str) -> None:
    seen = observations(4)
    for ill in ({"dropout": True}, {"freeze": True}):
        assert all(one is true for one, true in zip(
            told(seen, SensorFault(robot="b", sensor=sensor, **ill)), seen, strict=True))
        ailing = told(seen, SensorFault(robot="a", sensor=sensor, **ill), until=2)
        assert [one is true for one, true in zip(ailing, seen, strict=True)] == [False, False, True, True]


def test_a_dropout_leaves_a_gap() -> None:
    seen = observations(3)
    dropped = told(seen, *(SensorFault(robot="a", sensor=name, dropout=True) for name in ("eye", "lidar", "imu")))
    assert [one.frame for one in dropped] == [None] * 3
    assert [one.scan.size for one in dropped] == [0] * 3
    assert all(one.readings.keys() == {"nose", "wheels"} for one in dropped)
    assert [one.pose for one in dropped] == [one.pose for one in seen]


def test_a_frozen_sensor_repeats_its_value_as_if_it_were_new() -> None:
    seen = observations(5)
    frozen = told(seen, *(SensorFault(robot="a", sensor=name, freeze=True) for name in SUITE.sensors))
    assert [int(one.frame[0, 0, 0]) for one in frozen if one.frame is not None] == [0] * 5
    assert all((one.scan == seen[0].scan).all() for one in frozen)
    assert [one.pose for one in frozen] == [seen[0].pose] * 5
    assert [one.readings["imu"].values for one in frozen] == [seen[0].readings["imu"].values] * 5
    assert [one.readings["imu"].age_s for one in frozen] == [0.02] * 5
    assert [one.sequence for one in frozen] == [0, 1, 2, 3, 4]


def test_a_camera_that_freezes_between_two_frames_repeats_the_next_one() -> None:
    seen = observations(4)
    for k in (0, 2):
        seen[k] = Observation(**{name: getattr(seen[k], name) for name in seen[k].__struct_fields__} | {"frame": None})
    frozen = told(seen, SensorFault(robot="a", sensor="eye", freeze=True))
    assert [None if one.frame is None else int(one.frame[0, 0, 0]) for one in frozen] == [None, 1, None, 1]


def test_without_its_localisation_a_robot_goes_on_by_its_speeds() -> None:
    seen = observations(40)
    dropped = told(seen, SensorFault(robot="a", sensor="place", dropout=True), until=30)
    for one, true in zip(dropped, seen, strict=True):        # an arc of 1.2 rad, driven in chords
        assert one.pose.x_m == pytest.approx(true.pose.x_m, abs=1e-3)
        assert one.pose.y_m == pytest.approx(true.pose.y_m, abs=1e-3)
        assert one.pose.heading_rad == pytest.approx(true.pose.heading_rad)
    stopped = [Observation(**{name: getattr(one, name) for name in one.__struct_fields__} | {"v_mps": 0.0})
               for one in seen]
    assert {(one.pose.x_m, one.pose.y_m) for one in told(
        stopped, SensorFault(robot="a", sensor="place", dropout=True))} == {(0.0, 0.0)}


def test_a_bias_moves_what_is_measured() -> None:
    seen = observations(3)
    (*_, one) = told(seen, SensorFault(robot="a", sensor="lidar", by_m=0.5),
                     SensorFault(robot="a", sensor="nose", by_m=1.5),
                     SensorFault(robot="a", sensor="imu", by_mps2=1.0, by_radps=-0.25))
    assert one.scan.tolist() == pytest.approx([1.5, 2.5, 6.0, 0.7])          # 6 m: nothing is there
    assert one.scan.dtype == np.float32
    assert one.readings["nose"].values == (2.0,)                             # not beyond its range
    assert one.readings["imu"].values == pytest.approx((1.2, 1.2, 0.25))
    (short,) = told(seen[:1], SensorFault(robot="a", sensor="lidar", by_m=-1.5))
    assert short.scan.tolist() == [0.0, 0.5, 6.0, 0.0]


def test_a_wrong_place_is_wrong_by_the_distance_in_a_direction_of_the_robot() -> None:
    seen = observations(3)
    fault = SensorFault(robot="a", sensor="place", by_m=2.0, by_rad=0.5)
    places = told(seen, fault)
    shifts = {(round(one.pose.x_m - true.pose.x_m, 9), round(one.pose.y_m - true.pose.y_m, 9))
              for one, true in zip(places, seen, strict=True)}
    ((dx, dy),) = shifts
    assert math.hypot(dx, dy) == pytest.approx(2.0)
    assert [one.pose.heading_rad - true.pose.heading_rad for one, true in zip(places, seen, strict=True)] == (
        pytest.approx([0.5] * 3))
    assert told(seen, fault) == places
    assert told(seen, fault, seed=2) != places


@pytest.mark.parametrize("ill", [{"freeze": True}, {"dropout": True}, {"by_m": 2.0, "by_rad": 0.5}])
def test_the_pose_of_a_frame_is_as_wrong_as_that_of_its_observation(ill: dict[str, Any]) -> None:
    """Each frame was taken with the scan before the last one."""
    seen = observations(12)
    late = [replace(one, capture=Capture(seen[max(0, k - 2)].pose, 0.2)) for k, one in enumerate(seen)]
    wrong = told(late, SensorFault(robot="a", sensor="place", **ill))
    assert any(one.pose != true.pose for one, true in zip(wrong, seen, strict=True))
    for k, one in enumerate(wrong[2:]):
        assert one.capture is not None
        assert astuple(one.capture.pose) == pytest.approx(astuple(wrong[k].pose), abs=2e-3)
        assert one.capture.age_s == 0.2


def test_what_odometry_has_miscounted_stays() -> None:
    counted = told(observations(6), SensorFault(robot="a", sensor="wheels", scale=3.0), until=3)
    x_m = [one.readings["wheels"].values[0] for one in counted]
    assert x_m == pytest.approx([0.0, 0.3, 0.6, 0.7, 0.8, 0.9])
    assert all(b > a for a, b in itertools.pairwise(x_m))
