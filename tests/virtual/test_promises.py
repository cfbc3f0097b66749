"""Launches that show what the planner is for: weak boards beside strong ones, and a model that no board can keep up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from swarm.cli.main import main


def flown(out: Path, name: str, policy: str) -> dict[str, Any]:
    assert main(["launch", name, "--policy", policy, "--out", str(out / policy)]) == 0
    return json.loads((out / policy / "summary.json").read_text(encoding="utf-8"))


def test_weak_boards_that_are_asked_too_much_are_helped_by_strong_ones(tmp_path: Path) -> None:
    local, planner = (flown(tmp_path, "overload", policy) for policy in ("local", "planner"))
    assert planner["accepted"]
    assert planner["on_time_ratio"] >= 2.6 * local["on_time_ratio"] > 0.0


def test_stages_on_several_boards_keep_up_where_no_board_alone_does(tmp_path: Path) -> None:
    planner, *alone = (flown(tmp_path, "partition", policy) for policy in ("planner", "local", "strongest", "nearest"))
    assert planner["accepted"]
    assert planner["after_warmup"]["on_time_ratio"] >= 0.95
    assert max(one["after_warmup"]["on_time_ratio"] for one in alone) <= 0.5
