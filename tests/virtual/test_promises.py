"""Launches that show what the planner is for: weak boards beside strong ones, and a model that no board can keep up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from swarm.cli.main import main
from swarm.virtual.run_folder import HashedFolder

PAIR = """
version: 1
scenario: patrol
duration_s: 20
clock: virtual
planner: {standby: true}
fleet:
  - {name: rover, count: 2, board: raspberry_pi_4, physics: kinematic}
  - {name: carrier, count: 1, board: orin_nano, physics: kinematic}
streams:
  - {name: segment, on: [rover], model: segmenter, rate_hz: 4, deadline_s: 0.5}
faults:
  - {at_s: 6, kill: planner}
"""


@pytest.fixture(autouse=True)
def no_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than flying."""
    monkeypatch.setattr(HashedFolder, "report", lambda self: None)


PARTS = pytest.mark.parametrize("duration_s", [12, pytest.param(30, marks=pytest.mark.long)])
"""A part of the run, and all of it."""


def flown(out: Path, name: str, policy: str, duration_s: int) -> dict[str, Any]:
    assert main(["launch", name, "--policy", policy, "--duration", str(duration_s), "--out", str(out / policy)]) == 0
    return json.loads((out / policy / "summary.json").read_text(encoding="utf-8"))


@PARTS
def test_weak_boards_that_are_asked_too_much_are_helped_by_strong_ones(tmp_path: Path, duration_s: int) -> None:
    local, planner = (flown(tmp_path, "overload", policy, duration_s) for policy in ("local", "planner"))
    assert planner["accepted"]
    assert planner["on_time_ratio"] >= 2.6 * local["on_time_ratio"] > 0.0


@PARTS
def test_stages_on_several_boards_keep_up_where_no_board_alone_does(tmp_path: Path, duration_s: int) -> None:
    planner, *alone = (flown(tmp_path, "partition", policy, duration_s)
                       for policy in ("planner", "local", "strongest", "nearest"))
    assert planner["accepted"]
    assert planner["after_warmup"]["on_time_ratio"] >= 0.95
    assert max(one["after_warmup"]["on_time_ratio"] for one in alone) <= 0.5


def test_of_two_planners_one_leads_and_the_other_takes_over_when_it_is_killed(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(PAIR)
    out = tmp_path / "run"
    assert main(["launch", str(tmp_path / "two.yaml"), "--out", str(out)]) == 0
    assert json.loads((out / "summary.json").read_text())["requests"]["lost"] == 0
    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    told = [(event["who"], event["what"]) for event in events if event["what"] in ("stands_by", "leads")]
    assert told == [("standby", "stands_by"), ("standby", "leads")]
    plans = [json.loads(line) for line in (out / "plans.jsonl").read_text().splitlines()]
    (took_over,) = [event["at_s"] for event in events if event["what"] == "leads"]
    before = [plan["epoch"] for plan in plans if plan["at_s"] < took_over]
    after = [plan["epoch"] for plan in plans if plan["at_s"] >= took_over]
    assert took_over < 6 + 10
    assert min(after) > max(before)
