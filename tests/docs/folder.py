"""A run folder against the types that docs/run_folder.md is made from."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

from swarm.telemetry.file_types import EVENTS
from swarm.telemetry.recorder import FILES, FOLDERS
from swarm.telemetry.table import EXTRA, SPAN_FIELDS

HOUSE = Path(__file__).parent.parent.parent
MADE = runpy.run_path(str(HOUSE / "docs" / "make.py"))
COLUMNS = {str: "string", int: "int64", float: "double", bool: "bool", list: "list<"}


def assert_as_described(folder: Path) -> None:
    """Every file, key and column of a folder is described, and nothing that is described is missing in a file."""
    assert {path.name for path in folder.iterdir()} <= {*FILES, *FOLDERS}
    for name, kind in MADE["DOCUMENTS"].items():
        same(json.loads((folder / name).read_text()), kind, name)
    for name, kind in MADE["HISTORIES"].items():
        for line in (folder / name).read_text().splitlines() if (folder / name).exists() else []:
            same(json.loads(line), kind, name)
    told = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert {event["what"] for event in told} <= EVENTS.keys()
    columns = {field.name: str(field.type) for field in pq.read_schema(folder / "requests.parquet")}
    described = {name: COLUMNS.get(kind, "string") for name, kind in (*EXTRA, *SPAN_FIELDS)}
    assert list(columns) == list(described)
    assert [name for name, kind in columns.items() if not kind.startswith(described[name])] == []


def same(found: Any, kind: Any, where: str) -> None:
    """What is found has the keys of its type: an unknown one would get lost on the way, a missing one would appear."""
    assert json.loads(msgspec.json.encode(msgspec.convert(found, kind))) == found, where
