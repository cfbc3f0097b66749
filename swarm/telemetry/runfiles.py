"""Reads a run folder. The folder of a run that was interrupted has only some of the files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swarm.core.settings.errors import BadInput
from swarm.telemetry import table
from swarm.telemetry.recorder import is_run_folder


@dataclass(frozen=True, kw_only=True)
class Run:
    """The contents of a run folder. A missing file is empty here and named in `notes`."""

    folder: Path
    manifest: dict[str, Any]
    summary: dict[str, Any]
    requests: table.Columns
    scene: dict[str, Any]
    plans: list[dict[str, Any]]
    events: list[dict[str, Any]]
    paths: list[dict[str, Any]]
    notes: list[str] = field(default_factory=list)

    @property
    def streams(self) -> list[str]:
        """Names of the streams, the launch file's first."""
        named = [str(s.get("name")) for s in self.launch.get("streams", [])]
        return list(dict.fromkeys([*named, *map(str, self.requests["stream"])]))

    @property
    def launch(self) -> Mapping[str, Any]:
        launch = self.manifest.get("launch")
        return launch if isinstance(launch, dict) else {}

    def deadline_ms(self, stream: str) -> float | None:
        """A stream's deadline in the launch file, from capture; None if unknown."""
        return next((s["deadline_s"] * 1e3 for s in self.launch.get("streams", [])
                     if s.get("name") == stream and "deadline_s" in s), None)


def read_run(folder: Path) -> Run:
    """Read a run folder. Raises: BadInput when the folder is not one."""
    if not is_run_folder(folder):
        raise BadInput(str(folder), "not a run folder", "name a folder that `swarm launch --out` wrote")
    notes: list[str] = []
    requests = table.empty()
    try:
        requests = table.read(folder / "requests.parquet")
    except FileNotFoundError:
        notes.append("requests.parquet is absent: the run ended before its requests were written.")
    except (OSError, ValueError) as error:
        notes.append(f"requests.parquet cannot be read: {error}")
    summary = _document(folder / "summary.json", notes)
    if not summary:
        notes.append("summary.json is absent: the run did not finish.")
    return Run(
        folder=folder, manifest=_document(folder / "manifest.json", notes), summary=summary, requests=requests,
        scene=_document(folder / "scene.json", notes), notes=notes,
        **{name: _lines(folder / f"{name}.jsonl", notes) for name in ("plans", "events", "paths")},
    )


def _document(path: Path, notes: list[str]) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        notes.append(f"{path.name} cannot be read: {error}")
        return {}
    return content if isinstance(content, dict) else {}


def _lines(path: Path, notes: list[str]) -> list[dict[str, Any]]:
    """Every complete line. If the run was interrupted, the last line may be incomplete."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        notes.append(f"{path.name} cannot be read: {error}")
        return []
    found: list[dict[str, Any]] = []
    broken = 0
    for line in lines:
        try:
            content = json.loads(line)
        except ValueError:
            broken += 1
            continue
        if isinstance(content, dict):
            found.append(content)
    if broken:
        notes.append(f"{path.name}: {broken} broken line{'s' if broken > 1 else ''} left out.")
    return found
