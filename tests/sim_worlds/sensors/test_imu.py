"""An IMU's errors have the Allan deviation that its parameters state."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sim_worlds.sensors.imu import BLOCK, WALK_S, ImuErrors
from sim_worlds.sensors.suite import IMU
from swarm.core.protocol.sensors import Imu

RATE_HZ = 10.0


def series(sensor: Imu, seconds: float, seed: int = 1, robot: str = "a") -> NDArray[np.float64]:
    numbers = np.arange(round(seconds * RATE_HZ))
    return ImuErrors(sensor, seed, robot, "imu").of(numbers, numbers / RATE_HZ, 1.0 / RATE_HZ)


def allan_deviation(values: NDArray[np.float64], tau_s: float) -> NDArray[np.float64]:
    """Overlapping Allan deviation of each column. Source: IEEE Std 952-1997, annex C."""
    m = round(tau_s * RATE_HZ)
    angle = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)]) / RATE_HZ
    second = angle[2 * m:] - 2 * angle[m:-m] + angle[:-2 * m]
    return np.sqrt((second**2).mean(axis=0) / 2) / tau_s


def slope(values: NDArray[np.float64], from_s: float, to_s: float) -> NDArray[np.float64]:
    low, high = allan_deviation(values, from_s), allan_deviation(values, to_s)
    return np.log(high / low) / np.log(to_s / from_s)


def test_white_noise_has_the_density_at_a_second_and_falls_with_the_root_of_time() -> None:
    white = series(Imu(noise_mps2_per_rthz=4e-3, noise_radps_per_rthz=9e-5, bias_radps=0.1), 10_000.0)
    assert allan_deviation(white, 1.0) == pytest.approx([4e-3, 4e-3, 9e-5], rel=0.05)
    assert slope(white, 0.2, 10.0) == pytest.approx([-0.5] * 3, abs=0.05)


def test_a_wandering_bias_rises_with_the_root_of_time() -> None:
    walk = series(Imu(walk_mps3_per_rthz=2e-3, walk_radps2_per_rthz=3e-4), 20_000.0)
    for tau_s in (10.0, 100.0):
        assert allan_deviation(walk, tau_s) == pytest.approx(
            np.array([2e-3, 2e-3, 3e-4]) * (tau_s / 3) ** 0.5, rel=0.2)
    assert slope(walk, 5.0, 100.0) == pytest.approx([0.5] * 3, abs=0.1)


def test_both_together_cross_where_their_parameters_say() -> None:
    """N / sqrt(tau) = K sqrt(tau / 3) at tau = sqrt(3) N / K, here 17 s."""
    both = series(Imu(noise_radps_per_rthz=1e-3, walk_radps2_per_rthz=1e-4), 10_000.0)[:, 2:]
    assert slope(both, 0.2, 1.0) == pytest.approx(-0.5, abs=0.03)
    assert slope(both, 100.0, 400.0) > 0.25
    assert allan_deviation(both, 17.3) == pytest.approx(1e-3 * (2 / 17.3) ** 0.5, rel=0.15)


def test_the_noise_of_a_reading_is_the_density_times_the_root_of_its_rate() -> None:
    errors = ImuErrors(Imu(noise_radps_per_rthz=0.01), 1, "a", "imu")
    for rate_hz in (10.0, 200.0):
        numbers = np.arange(4000)
        assert errors.of(numbers, numbers / rate_hz, 1.0 / rate_hz)[:, 2].std() == pytest.approx(
            0.01 * rate_hz**0.5, rel=0.05)


def test_a_reading_that_nobody_asks_for_shifts_no_other() -> None:
    whole = series(IMU, 400.0)
    some = ImuErrors(IMU, 1, "a", "imu")
    for number in (3, 1500, BLOCK, 2 * BLOCK + 7, 20):
        (one,) = some.of(np.array([number]), np.array([number / RATE_HZ]), 1.0 / RATE_HZ)
        assert one == pytest.approx(whole[number], abs=1e-15)
    assert (series(IMU, 10.0, robot="b") != whole[:100]).all()
    assert (series(IMU, 10.0, seed=2) != whole[:100]).all()


def test_the_bias_goes_on_over_the_ends_of_blocks() -> None:
    steps = np.arange(BLOCK - 3, BLOCK + 3)
    walk = ImuErrors(Imu(walk_radps2_per_rthz=1.0), 1, "a", "imu").of(steps, (steps + 0.5) * WALK_S, 1.0)[:, 2]
    assert np.abs(np.diff(walk)).max() < 5 * WALK_S**0.5
