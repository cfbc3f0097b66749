"""The dynamic window: commands that are reached in time, arcs with ramps, and brakes before obstacles."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agents.behaviours.search.driving.limits import ROVERS
from agents.behaviours.search.driving.window import (
    CONTROL_S,
    ROOM_M,
    SPEEDS,
    TIMES_S,
    TURNS,
    Arcs,
    arcs,
    best,
    gaps,
    matters_m,
    window,
)
from sim_worlds.robots import KINDS, DrivingKind

NEED_M = 0.35


def wall(x_m: float) -> np.ndarray:
    """Points of a wall across the way, [n, 2]."""
    return np.stack([np.full(41, x_m), np.linspace(-2.0, 2.0, 41)], axis=1)


def straight(driven: Arcs, v_mps: float) -> int:
    """The index of the arc straight ahead at a commanded speed."""
    return int(np.flatnonzero(np.isclose(driven.v_mps, v_mps) & (driven.w_radps == 0.0))[0])


def test_the_limits_are_those_of_the_simulated_robots() -> None:
    kinds = [kind for kind in KINDS.values() if isinstance(kind, DrivingKind)]
    for kind in kinds:
        assert (ROVERS.v_max_mps, ROVERS.w_max_radps) == (kind.v_max_mps, kind.w_max_radps)
        assert (ROVERS.v_ramp_mps2, ROVERS.w_ramp_radps2) == (kind.v_ramp_mps2, kind.w_ramp_radps2)
    assert ROVERS.radius_m == max(kind.radius_m for kind in kinds)


@pytest.mark.parametrize(("v_mps", "w_radps", "speeds", "turns"), [
    (0.0, 0.0, (0.0, 0.18), (-1.545, 1.545)),                    # 0.9 and 7.725 for 0.2 s
    (0.46, 0.0, (0.28, 0.46), (-1.545, 1.545)),
    (0.3, 1.9, (0.12, 0.46), (0.355, 1.9)),
    (-0.3, -1.0, (0.0, 0.0), (-1.9, 0.545)),                     # backwards: it can only brake
    (0.1, 0.0, (0.0, 0.28), (-1.545, 1.545)),
])
def test_the_window_has_what_is_reached_within_the_control_period(
        v_mps: float, w_radps: float, speeds: tuple[float, float], turns: tuple[float, float]) -> None:
    v, w = window(v_mps, w_radps, ROVERS)
    assert (v[0], v[-1]) == pytest.approx(speeds)
    assert (w[0], w[-1]) == pytest.approx(turns)
    assert (len(v), len(w)) == (SPEEDS, TURNS)
    assert (0.0 in w) == (turns[0] < 0.0 < turns[1])
    assert (np.diff(w) > 0.0).all()


def test_an_arc_has_the_ramps_of_speed_and_turn() -> None:
    driven = arcs(0.0, 0.0, ROVERS)
    k = straight(driven, 0.18)
    assert driven.along_m[k][-1] == pytest.approx(0.18 * 0.2 / 2 + 0.18 * 0.8)   # 0.2 s of speeding up, 0.8 s at speed
    assert driven.along_m[k][0] == pytest.approx(0.9 * 0.15 ** 2 / 2)            # still speeding up
    turn = int(driven.w_radps.argmax())
    assert driven.heading_rad[turn][-1] == pytest.approx(1.545 * 0.1 + 1.545 * 0.8)
    slower = arcs(0.46, 0.0, ROVERS)
    assert slower.along_m[straight(slower, 0.28)][-1] == pytest.approx(0.28 + 0.18 * 0.2 / 2)


def test_an_arc_at_constant_speeds_is_a_circle() -> None:
    driven = arcs(0.46, 0.95, ROVERS)
    k = int(np.flatnonzero(np.isclose(driven.v_mps, 0.46))[np.abs(driven.w_radps[-TURNS:] - 0.95).argmin()])
    w = driven.w_radps[k]
    x, y = driven.at_m.reshape(2, -1, len(TIMES_S))[:, k]
    turned = driven.heading_rad[k]
    assert w == pytest.approx(0.95, abs=0.11)
    assert x == pytest.approx(0.46 / w * np.sin(turned), abs=0.01)
    assert y == pytest.approx(0.46 / w * (1 - np.cos(turned)), abs=0.01)


def test_present_speeds_are_rounded_to_a_tenth_of_the_largest() -> None:
    assert arcs(0.45, 0.05, ROVERS) is arcs(0.46, 0.0, ROVERS)
    assert arcs(0.9, -9.0, ROVERS) is arcs(0.46, -1.9, ROVERS)
    assert arcs(0.41, 0.0, ROVERS) is not arcs(0.46, 0.0, ROVERS)


def test_the_way_to_standstill_is_that_of_the_control_period_and_of_braking() -> None:
    driven = arcs(0.46, 0.0, ROVERS)
    assert ROVERS.braking_m(0.46) == pytest.approx(0.46 ** 2 / 1.8)              # 0.118 m
    assert driven.stop_m[straight(driven, 0.46)] == pytest.approx(0.46 * CONTROL_S + 0.46 ** 2 / 1.8)
    assert driven.stop_m[straight(driven, 0.28)] == pytest.approx(0.37 * CONTROL_S + 0.28 ** 2 / 1.8)
    assert arcs(0.0, 0.0, ROVERS).stop_m[0] == 0.0


def test_gaps_are_distances_along_the_arc() -> None:
    driven = arcs(0.46, 0.0, ROVERS)
    gap = gaps(driven, np.array([[1.0, 0.0]]))
    assert gap[straight(driven, 0.46)] == pytest.approx(1.0 - 0.46 * TIMES_S)
    assert np.isclose(gaps(arcs(0.0, 0.0, ROVERS), np.array([[1.0, 0.0]]))[:TURNS], 1.0).all()   # turns on the spot
    assert np.isinf(gaps(driven, np.zeros((0, 2)))).all()


@pytest.mark.parametrize(("free_m", "fastest"), [(0.6, 0.46), (0.2, 0.415), (0.17, 0.37), (0.15, 0.28)])
def test_a_command_is_admissible_if_the_robot_can_still_brake(free_m: float, fastest: float) -> None:
    """To standstill it is 0.210 m at 0.46 m/s, 0.183 at 0.415, 0.159 at 0.37, 0.137 at 0.325 and 0.118 at 0.28."""
    driven = arcs(0.46, 0.0, ROVERS)
    command = best(driven, gaps(driven, wall(free_m + NEED_M)), NEED_M, (2.0, 0.0), 0.0)
    assert command is not None
    assert command[0] <= fastest + 1e-9
    if free_m == 0.6:
        assert command == pytest.approx((0.46, 0.0))


def test_before_a_wall_that_is_too_close_it_can_only_brake() -> None:
    driven = arcs(0.46, 0.0, ROVERS)
    assert best(driven, gaps(driven, wall(NEED_M + 0.05)), NEED_M, (2.0, 0.0), 0.0) is None
    at_rest = arcs(0.0, 0.0, ROVERS)
    command = best(at_rest, gaps(at_rest, wall(NEED_M + 0.005)), NEED_M, (0.0, 2.0), 0.0)
    assert command == pytest.approx((0.0, 1.545))                # it turns on the spot towards the point


def test_hits_that_no_arc_comes_near_change_no_command() -> None:
    draw = np.random.default_rng(4)
    for _ in range(50):
        turns, away = draw.uniform(-math.pi, math.pi, 40), draw.uniform(0.4, 2.6, 40)
        points = np.stack([away * np.cos(turns), away * np.sin(turns)], axis=1)
        goal = float(draw.uniform(0.3, 0.8)), float(draw.uniform(-0.4, 0.4))
        driven = arcs(float(draw.uniform(0.0, 0.46)), float(draw.uniform(-1.9, 1.9)), ROVERS)
        all_, close = (best(driven, gaps(driven, hits), NEED_M, goal, 0.0)
                       for hits in (points, points[away < matters_m(ROVERS)]))
        assert all_ == close
        gap, driven_m = gaps(driven, points), np.sqrt(driven.at_m2).reshape(SPEEDS * TURNS, -1)
        assert (np.abs(gap - away.min()) <= driven_m + 1e-9).all()
        assert (gaps(driven, points[away >= matters_m(ROVERS)]) >= ROOM_M).all()
