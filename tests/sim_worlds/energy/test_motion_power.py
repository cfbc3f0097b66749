"""The power of motion, computed by hand from the figures of each kind."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim_worlds.energy.motion_power import MotionPower, hover_w
from sim_worlds.robots import CARRIER, QUADROTOR, ROVER

STILL = np.zeros((1, 2))


def watts(power: MotionPower, speeds: list[float], left_up: list[float] | None = None) -> float:
    """At a steady speed: the second of two steps of 0.5 s."""
    given = np.array([speeds]), np.array([left_up or [0.0, 0.0]])
    power.joules(*given, 0.5)
    return float(power.joules(*given, 0.5)[0]) / 0.5


def test_a_rover_that_stands_takes_what_its_sensors_take() -> None:
    assert watts(MotionPower([ROVER]), [0.0, 0.0]) == pytest.approx(6.6)


@pytest.mark.parametrize("v_mps", [0.4, -0.4])
def test_a_rover_rolls_against_a_share_of_its_weight(v_mps: float) -> None:
    rolling_w = 0.02 * 6.0 * 9.81 * 0.4 / 0.5        # 0.94 W
    assert watts(MotionPower([ROVER]), [v_mps, 0.0]) == pytest.approx(6.6 + rolling_w)


def test_turning_on_the_spot_turns_each_wheel_by_half_of_the_track() -> None:
    wheel_mps = 1.5 * 0.32 / 2
    assert watts(MotionPower([CARRIER]), [0.0, 1.5]) == pytest.approx(6.6 + 0.02 * 14.0 * 9.81 * wheel_mps / 0.5)


def test_speeding_up_takes_kinetic_energy_and_braking_gives_none_back() -> None:
    power = MotionPower([ROVER])
    power.joules(STILL, STILL, 1.0)
    steady_j = 6.6 + 0.02 * 6.0 * 9.81 * 0.4 / 0.5
    assert float(power.joules(np.array([[0.4, 0.0]]), STILL, 1.0)[0]) == pytest.approx(
        steady_j + 0.5 * 6.0 * 0.4 ** 2 / 0.5)
    assert float(power.joules(STILL, STILL, 1.0)[0]) == pytest.approx(6.6)


def test_a_hummingbird_hovers_for_the_twenty_minutes_of_its_battery() -> None:
    thrust_n, area_m2 = 0.716 * 9.81, 4 * math.pi * 0.1 ** 2
    ideal_w = math.sqrt(thrust_n ** 3 / (2 * 1.225 * area_m2))
    assert ideal_w == pytest.approx(33.5, abs=0.2)
    assert hover_w(QUADROTOR) == pytest.approx(ideal_w / 0.48)
    assert QUADROTOR.battery_wh is not None
    assert 60 * QUADROTOR.battery_wh / hover_w(QUADROTOR) == pytest.approx(20.0, abs=0.2)


def test_climbing_takes_more_sinking_does_not_take_less_and_air_resists() -> None:
    power, hovering = MotionPower([QUADROTOR]), hover_w(QUADROTOR)
    assert watts(power, [0.0, 0.0], [0.0, 0.5]) == pytest.approx(
        hovering + (0.716 * 9.81 * 0.5 + 0.146 * 0.5 ** 2) / 0.48)
    assert watts(power, [0.0, 0.0], [0.0, -0.5]) == pytest.approx(hovering + 0.146 * 0.25 / 0.48)
    assert watts(power, [1.0, 0.0], [0.5, 0.0]) == pytest.approx(hovering + 0.146 * 1.25 / 0.48)
