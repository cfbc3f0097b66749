"""What the tests of experiments share: small experiment files, and points without a launch behind them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from swarm.core.settings import yaml_text
from swarm.core.settings.experiment_file import ExperimentFile
from swarm.experiments.design.rows import PointRow
from swarm.experiments.design.sweep import Point, Ran

TINY = {"robots": 2, "duration_s": 1, "clock": "virtual"}


def file_of(**keys: Any) -> ExperimentFile:
    """An experiment file; what is not given is small."""
    return msgspec.convert({"version": 1, "launch": "patrol", "set": TINY, "seeds": 2,
                            "metrics": {"on_time_ratio": "higher"}, **keys}, ExperimentFile)


def write(folder: Path, name: str = "tiny", **keys: Any) -> Path:
    """Such a file on the disk."""
    path = folder / f"{name}.yaml"
    path.write_text(yaml_text.dump(file_of(**keys)), encoding="utf-8")
    return path


def point(id: str, seed: int = 1, arm: str = "a") -> Point:
    return Point(id=id, values={}, cell={}, arm=arm, seed=seed, run_seed=seed)


def ran(id: str, *invalid: str, error: str = "", round: int = 0, host: str = "", ended_at: float = 0.0) -> Ran:
    return Ran(id=id, took_s=1.0, invalid=list(invalid), error=error, round=round, host=host, ended_at=ended_at)


def row(
    arm: str, seed: int, value: float | None, *, cell: Mapping[str, Any] | None = None, valid: bool = True
) -> PointRow:
    """A row of one metric, `m`."""
    return PointRow(id=f"{arm}{seed}", cell=dict(cell or {}), arm=arm, seed=seed, valid=valid, values={"m": value})


def journal(out: Path) -> Sequence[Mapping[str, Any]]:
    return [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines()]


SWEEP = """
version: 1
launch: patrol
set: {duration_s: 3, clock: virtual}
axes: {policy: [local, greedy], robots: [2, 4]}
seeds: 5
repeats: 0
metrics: {on_time_ratio: higher}
"""
POINTS = 20                          # of it


def sweep_file(folder: Path) -> Path:
    path = folder / "small.yaml"
    path.write_text(SWEEP, encoding="utf-8")
    return path
