"""The bench of physics: what it measures is right, and what is wrong is said."""

from __future__ import annotations

import argparse
from dataclasses import replace

import pytest

from sim_worlds.robots import QUADROTOR, ROVER
from swarm.bench import physics


def test_a_circle_and_a_stop_are_measured() -> None:
    assert physics.radius_m(ROVER, "kinematic") == pytest.approx(0.46 / 0.6, rel=1e-3)
    assert physics.stop_m(ROVER, "kinematic") == pytest.approx(0.46 ** 2 / 1.8, rel=0.05)


def test_a_robot_that_brakes_otherwise_than_its_figures_is_not_within(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(physics, "KINDS", {"rover": replace(ROVER, v_ramp_mps2=1.5)})
    monkeypatch.setattr(physics, "PHYSICS", ("kinematic",))
    figures = physics.run(argparse.Namespace(), lambda _: None)
    assert [row["within"] for row in figures["rows"]] == [False, True]
    assert not figures["within"]
    assert physics.as_text(figures).endswith("all within 5%: no")


def test_a_step_is_flown_as_the_closed_form_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(physics, "KINDS", {"quadrotor": QUADROTOR})
    figures = physics.run(argparse.Namespace(), lambda _: None)
    rows = {(row["physics"], row["unit"]): row for row in figures["rows"]}
    assert rows["kinematic", "s"]["closed_form"] == pytest.approx(0.8 / 3.0, abs=1e-4)       # 0.8 m/s at 3 m/s2
    assert rows["kinematic", "m/s"]["measured"] == 1.0
    assert rows["dynamic", "m/s"]["closed_form"] > 1.05      # it overshoots
    assert figures["within"]


def test_another_motor_would_be_told_apart() -> None:
    slow = replace(QUADROTOR, motor_lag_s=0.1)
    times_s, speeds = physics.step_response(QUADROTOR, "dynamic")
    expected = physics.response(slow, times_s, 1.0 / 3.0, 1.0)
    assert abs(physics.rise_s(times_s, speeds) / physics.rise_s(times_s, expected) - 1.0) > 0.05
