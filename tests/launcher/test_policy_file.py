"""A placing policy of one's own: a Python file that the launch file, or the command line, names by its path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from swarm.cli.main import main

LAUNCH = """
version: 1
scenario: patrol
duration_s: 4
clock: virtual
policy: mine.py
fleet:
  - {name: rover, count: 1, board: orin_nano, physics: kinematic}
  - {name: carrier, count: 1, board: orin_nano, physics: kinematic}
streams:
  - {name: detect, on: [rover], model: detector, rate_hz: 5, deadline_s: 0.5}
"""
TO_THE_CARRIER = """
from swarm.core.policy.plan import Placement

def place(problem, previous, budget):
    return [Placement(agent=stream.agent, stream=stream.spec.name, variant="int8", where=["carrier_0"])
            for stream in problem.streams]
"""


def fly(folder: Path, policy: str, *arguments: str) -> tuple[int, dict[str, Any], list[dict[str, Any]]]:
    (folder / "own.yaml").write_text(LAUNCH)
    (folder / "mine.py").write_text(policy)
    out = folder / "run"
    code = main(["launch", str(folder / "own.yaml"), "--out", str(out), *arguments])
    if code:
        return code, {}, []
    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    return code, json.loads((out / "summary.json").read_text()), events


def test_it_is_found_beside_the_launch_file_and_places_the_streams(tmp_path: Path) -> None:
    code, summary, _ = fly(tmp_path, TO_THE_CARRIER)
    assert code == 0
    assert summary["planner"]["solver"] == "mine.py"
    assert summary["offload"]["share"] > 0.5


def test_one_that_raises_is_told_and_everything_runs_at_home(tmp_path: Path) -> None:
    code, summary, events = fly(tmp_path, "def place(problem, previous, budget):\n    return problem.nothing\n")
    assert code == 0
    assert summary["offload"]["share"] == 0.0
    assert summary["on_time_ratio"] > 0.9
    (first, *_) = [event for event in events if event["what"] == "policy_failed"]
    assert first["detail"]["policy"] == "mine.py"
    assert "nothing" in first["detail"]["error"]


@pytest.mark.parametrize(("policy", "what"), [
    ("def place(:\n", "mine.py: line 1: SyntaxError"), ("here = 3\n", "mine.py: it has no place"),
])
def test_a_file_that_is_no_policy_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], policy: str, what: str
) -> None:
    assert fly(tmp_path, policy, "--dry-run")[0] == 2
    assert what in capsys.readouterr().err


def test_a_file_that_does_not_exist_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fly(tmp_path, TO_THE_CARRIER, "--policy", "theirs.py")[0] == 2
    assert "theirs.py: No such file or directory" in capsys.readouterr().err
