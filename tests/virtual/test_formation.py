"""The flock of launch/formation.yaml flies with forces, and as its file promises."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from swarm.launcher.load import load_launch
from swarm.run.settings.resolve import Options, Resolved
from swarm.telemetry.summary_types import Summary
from swarm.virtual.launch import VirtualLaunch


def launch(*assignments: str, seconds: float | None = None, policy: str | None = "local") -> Resolved:
    return load_launch(Options(launch="formation", assignments=list(assignments), duration_s=seconds, policy=policy,
                               clock="virtual"))


def flown(resolved: Resolved, out: Path) -> Summary:
    flight = VirtualLaunch(resolved, out, command=["test"])
    flight.folder.report = lambda: None          # type: ignore[method-assign]
    outcome = flight.run()
    assert outcome.error == ""
    return msgspec.json.decode((out / "summary.json").read_bytes(), type=Summary)


@pytest.mark.long
def test_ten_seconds_with_forces(tmp_path: Path) -> None:
    summary = flown(launch(seconds=10.0), tmp_path / "out")
    assert summary.requests.lost == 0
    assert float(summary.mission["way"]) > 0.5


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
def test_the_launch_file_keeps_its_promises(tmp_path: Path, seed: int) -> None:
    assert flown(launch(f"seed={seed}", policy=None), tmp_path / "out").accepted
