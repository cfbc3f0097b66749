"""A run folder against the types that docs/run_folder.md is made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

from sim_worlds.world import Scene
from swarm.telemetry.recorder import FILES, FOLDERS
from swarm.telemetry.run_types import EVENTS, Event, Manifest, PlanRecord, Poses, Process, Summary
from swarm.telemetry.table import EXTRA, SPAN_FIELDS

DOCUMENTS: dict[str, Any] = {
    "summary.json": Summary, "manifest.json": Manifest, "scene.json": Scene, "processes.json": list[Process]}
HISTORIES: dict[str, Any] = {"plans.jsonl": PlanRecord, "events.jsonl": Event, "paths.jsonl": Poses}


def assert_as_described(folder: Path) -> None:
    """Every file, key and column of a folder is described, and nothing that is described is missing in a file."""
    assert {path.name for path in folder.iterdir()} <= {*FILES, *FOLDERS}
    for name, kind in DOCUMENTS.items():
        same(json.loads((folder / name).read_text()), kind, name)
    for name, kind in HISTORIES.items():
        lines = (folder / name).read_text().splitlines() if (folder / name).exists() else []
        for line in lines:
            same(json.loads(line), kind, name)
    told = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert {event["what"] for event in told} <= EVENTS.keys()
    assert pq.read_schema(folder / "requests.parquet").names == [name for name, _ in (*EXTRA, *SPAN_FIELDS)]


def same(found: Any, kind: Any, where: str) -> None:
    """What is found has the keys of its type: an unknown one would get lost on the way, a missing one would appear."""
    assert json.loads(msgspec.json.encode(msgspec.convert(found, kind))) == found, where
