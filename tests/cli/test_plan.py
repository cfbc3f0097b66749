"""`swarm plan`: of a launch file and of a run folder, and what the plan would be otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from swarm.cli.main import main

LAUNCH = """
version: 1
scenario: patrol
duration_s: 3
clock: virtual
fleet:
  - {name: rover, count: 1, board: raspberry_pi_zero_2w, physics: kinematic}
  - {name: carrier, count: 2, board: orin_nano, physics: kinematic}
streams:
  - {name: segment, on: [rover], model: segmenter, rate_hz: 4, deadline_s: 0.5}
variants: {segmenter: [fp32, int8]}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "weak.yaml").write_text(LAUNCH)
    return str(tmp_path / "weak.yaml")


def test_it_shows_where_each_stream_runs_and_what_else_it_could_have(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", file, "--explain"]) == 0
    out = capsys.readouterr().out
    assert "carrier_0 (int8)" in out
    assert "rover_0 segment instead:" in out
    assert "points behind the best of all" in out
    assert "otherwise" not in out


def test_what_would_be_otherwise(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", file, "--without", "carrier_0", "--without", "carrier_1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (now,), (then,) = told["plan"]["streams"], told["otherwise"]["streams"]
    assert now["on_time"] > 0.95
    assert then["where"] == ["rover_0"]
    assert then["on_time"] < 0.5
    assert then["limit"].startswith("the deadline")
    assert main(["plan", file, "--link", "rover:carrier=100kbit"]) == 0
    assert "would be" in capsys.readouterr().out


def test_a_run_folder_is_planned_by_its_own_launch_file(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["launch", file, "--out", str(tmp_path / "run"), "--set", "streams.0.rate_hz=2"]) == 0
    capsys.readouterr()
    assert main(["plan", str(tmp_path / "run"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["plan"]["on_time"] > 0.9


@pytest.mark.parametrize(("arguments", "what"), [
    (["--without", "carrier_7"], "--without carrier_7: there is no such robot"),
    (["--link", "rover-carrier=2"], "--link rover-carrier=2: not a link and its rate"),
    (["--link", "rover:nobody=2mbit"], "there is no nobody"),
    (["--without", "rover_0", "--without", "carrier_0", "--without", "carrier_1"], "no robot is left"),
])
def test_nonsense_is_refused_in_a_line(
    file: str, capsys: pytest.CaptureFixture[str], arguments: list[str], what: str
) -> None:
    assert main(["plan", file, *arguments]) == 2
    assert what in capsys.readouterr().err


def test_a_manifest_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    assert main(["plan", str(tmp_path)]) == 2
    assert "the manifest of a run" in capsys.readouterr().err
