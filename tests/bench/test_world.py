"""The bench of worlds: each robot drives and scans, and a reference that does not start is refused."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pytest

from sim_worlds.robots import ROVER
from swarm.bench.world import bench, quads
from swarm.core.settings.errors import BadInput


def given(**changed: object) -> argparse.Namespace:
    values = {"physics": "kinematic", "robots": 12, "seconds": 0.2, "rounds": 1, "seed": 1, "reference": None,
              "quads": None}
    return argparse.Namespace(**{**values, **changed})


def test_the_figures_are_of_steps_at_50_hz_with_scans_at_10() -> None:
    figures = bench.run(given(), lambda _: None)
    assert (figures["robots"], figures["step_hz"], figures["beams"], figures["scan_hz"]) == (12, 50, 36, 10)
    assert figures["real_time_factor"] == pytest.approx(figures["steps_per_s"] / 50, rel=0.01, abs=0.01)
    assert figures["reference"] == "not run"
    assert "pybullet-fleet: not run" in bench.as_text(figures)


def test_robots_of_a_round_drive_and_see_walls_and_each_other() -> None:
    with bench.crowd(40, "kinematic", 3) as world:
        before = world.motion.at.copy()
        bench.fly(world, np.random.default_rng(1), 10, scans=False)
        moved_m = np.hypot(*(world.motion.at - before)[:, :2].T)
        assert 0.1 < np.median(moved_m) < 0.8                # of 1 s
        scans = world.scan_all()
        assert scans.shape == (40, 36)
        assert (scans < 6.0).any(axis=1).all()


def test_robots_are_asked_for_what_they_can_drive(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[np.ndarray]()
    monkeypatch.setattr(bench.Crowd, "act_all", lambda _, commands, ttl_s: asked.append(commands))
    with bench.crowd(40, "kinematic", 3) as world:
        bench.fly(world, np.random.default_rng(1), 10, scans=False)
    speeds = np.concatenate(asked)[:, 0]
    assert 0.0 <= speeds.min() < 0.05 < 0.41 < speeds.max() <= ROVER.v_max_mps


def test_what_cannot_be_measured_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for wrong in ({"robots": 0}, {"robots": 99_999}, {"quads": 0}, {"quads": 99_999},
                  {"quads": 2, "reference": sys.executable},
                  {"seconds": float("nan")}, {"rounds": -1}, {"reference": "/no/such/python"},
                  {"reference": sys.executable}, {"reference": "/bin/echo"}, {"reference": "/bin/cat"}):
        with pytest.raises(BadInput):
            bench.run(given(**wrong), lambda _: None)
    ends = tmp_path / "python"
    ends.write_text("#!/bin/sh\necho true\nread steps\n")
    ends.chmod(0o755)
    with pytest.raises(BadInput, match="ended with 0"):
        bench.run(given(reference=str(ends)), lambda _: None)
    assert "Traceback" not in capfd.readouterr().err


def test_quadrotors_are_measured_beside_the_bare_calls_of_the_same_flight() -> None:
    figures = bench.run(given(quads=6, physics="dynamic", seconds=0.3, rounds=2), lambda _: None)
    assert (figures["quads"], figures["step_hz"]) == (6, 240)
    assert figures["same_flight"]
    assert figures["overhead"] > -0.5
    assert figures["steps_per_s"] == pytest.approx(figures["real_time_factor"] * 240, rel=0.1, abs=2.0)
    assert "the same flight" in bench.as_text(figures)


def test_of_kinematic_quadrotors_only_the_speed_is_measured() -> None:
    figures = bench.run(given(quads=6, seconds=0.3), lambda _: None)
    assert (figures["step_hz"], figures["overhead"]) == (60, "not measured")
    assert "overhead: not measured" in bench.as_text(figures)


def test_quadrotors_of_a_round_fly_about() -> None:
    with quads.swarm(6, "kinematic", 1) as world:
        before = world.motion.places.copy()
        for row in np.random.default_rng(1).uniform(-quads.TOP, quads.TOP, (10, 6, 4)):
            quads.fly(world, row)
        moved = np.abs(world.motion.places - before)
        assert (moved[:, :2].max(axis=1) > 0.05).all()
        assert (moved[:, 3] > 0.001).all()
