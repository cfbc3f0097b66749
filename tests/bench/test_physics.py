"""The bench of physics: what it measures is right, and what is wrong is said."""

from __future__ import annotations

import argparse
from dataclasses import replace

import pytest

from sim_worlds.robots import ROVER
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
