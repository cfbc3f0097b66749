"""Every scenario flies ten seconds of its launch file with four kinematic robots, where PyBullet cannot be imported.

Every launch file that comes with the package holds its own rules, as it is, in virtual time.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from sim_worlds import scenarios
from swarm.launcher import find
from swarm.launcher.load import load_launch
from swarm.run.settings.resolve import Options
from swarm.virtual.launch import VirtualLaunch

LEAST: Mapping[str, Mapping[str, float]] = {
    "convoy": {"delivered": 1, "road": 0.5}, "coverage": {"coverage": 0.1, "moves": 3}, "formation": {"way": 0.5},
    "warehouse": {"orders": 4}}
"""Measures of the mission after ten seconds, at least."""


@pytest.mark.parametrize("name", scenarios.available())
def test_ten_seconds_without_pybullet(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pybullet", None)
    resolved = load_launch(Options(launch=name, clock="virtual", duration_s=10.0, policy="local", robots=4, seed=1,
                                   assignments=["fleet.*.physics=kinematic"]))
    outcome = VirtualLaunch(resolved, tmp_path / "out", command=["test"], report=False).run()
    assert outcome.error == ""
    assert outcome.summary is not None
    assert outcome.summary["requests"]["lost"] == 0
    mission = outcome.summary["mission"]
    assert [measure for measure, least in LEAST.get(name, {}).items() if mission[measure] < least] == []


@pytest.mark.long
@pytest.mark.parametrize("name", find.names())
def test_a_launch_file_holds_its_own_rules(name: str, tmp_path: Path) -> None:
    resolved = load_launch(Options(launch=name, clock="virtual"))
    outcome = VirtualLaunch(resolved, tmp_path / "out", command=["test"], report=False).run()
    assert outcome.error == ""
    assert outcome.summary is not None
    assert outcome.summary["accepted"] is True, outcome.summary["accept"]
