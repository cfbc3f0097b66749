"""The quadrotors of launch/coverage.yaml fly with forces, and as its file promises."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from swarm.launcher.load import load_launch
from swarm.run.settings.resolve import Options, Resolved
from swarm.telemetry.summary_types import Summary
from swarm.virtual.launch import VirtualLaunch


def launch(*assignments: str, seconds: float | None = None, policy: str | None = "local") -> Resolved:
    return load_launch(Options(launch="coverage", assignments=list(assignments), duration_s=seconds, policy=policy,
                               clock="virtual"))


def flown(resolved: Resolved, out: Path) -> Summary:
    outcome = VirtualLaunch(resolved, out, command=["test"], report=False).run()
    assert outcome.error == ""
    return msgspec.json.decode((out / "summary.json").read_bytes(), type=Summary)


@pytest.mark.long
def test_ten_seconds_with_forces_and_without_a_touch(tmp_path: Path) -> None:
    summary = flown(launch(seconds=10.0), tmp_path / "out")
    assert summary.requests.lost == 0
    assert float(summary.mission["coverage"]) > 0.15
    assert summary.mission["collisions"] == 0


@pytest.mark.long
@pytest.mark.parametrize("seed", [2, 7])
def test_the_launch_file_keeps_its_promises(tmp_path: Path, seed: int) -> None:
    summary = flown(launch(f"seed={seed}", policy=None), tmp_path / "out")
    assert summary.accepted
    assert summary.mission["collisions"] == 0


@pytest.mark.long
def test_forty_quadrotors_spread_without_a_touch(tmp_path: Path) -> None:
    resolved = load_launch(Options(launch="coverage", clock="virtual", duration_s=15.0, policy="local", robots=40,
                                   assignments=["fleet.*.physics=kinematic"]))
    summary = flown(resolved, tmp_path / "out")
    assert (summary.requests.lost, summary.mission["collisions"]) == (0, 0)
    assert float(summary.mission["at_end"]) > 0.2
