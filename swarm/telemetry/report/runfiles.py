"""Reads a run folder as far as it goes: typed here, so that nothing else of the report meets a raw file."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from swarm.core.protocol.scene import Scene
from swarm.core.settings.errors import BadInput
from swarm.telemetry import table
from swarm.telemetry.file_types import EventRecord, Manifest, PlanRecord, Poses, SeriesRecord
from swarm.telemetry.recorder import is_run_folder
from swarm.telemetry.report.tolerant import fitted
from swarm.telemetry.summary_types import Summary

T = TypeVar("T")
NAMED = 8                            # keys in one note


@dataclass(frozen=True, kw_only=True)
class Run:
    """The contents of a run folder. What a file lacks is NaN, None or empty, see `tolerant`, and named in `notes`."""

    folder: Path
    manifest: Manifest = field(default_factory=lambda: fitted(Manifest, {}, Counter()))
    summary: Summary = field(default_factory=lambda: fitted(Summary, {}, Counter()))
    finished: bool = False           # whether there is a summary
    requests: table.Columns = field(default_factory=table.empty)
    scene: Scene = field(default_factory=lambda: fitted(Scene, {}, Counter()))
    plans: list[PlanRecord] = field(default_factory=list)
    events: list[EventRecord] = field(default_factory=list)
    paths: list[Poses] = field(default_factory=list)
    series: list[SeriesRecord] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @cached_property
    def streams(self) -> list[str]:
        """Names of the streams, the launch file's first."""
        named = [s.name for s in self.manifest.launch.streams]
        return list(dict.fromkeys([*named, *map(str, self.requests["stream"])]))

    def deadline_ms(self, stream: str) -> float:
        """A stream's deadline in the launch file; NaN if unknown."""
        return next((s.deadline_s * 1e3 for s in self.manifest.launch.streams if s.name == stream), float("nan"))

    @cached_property
    def figures(self) -> dict[str, Any]:
        """The summary as `side_by_side` takes it; empty without one."""
        return msgspec.to_builtins(self.summary) if self.finished else {}

    @cached_property
    def due_s(self) -> NDArray[np.float64]:
        """[requests] when the frame fell due, s since the streams began; of older folders, when it was submitted."""
        c = self.requests
        return np.where(np.isnan(c["due_s"]), c["at_s"], c["due_s"])


def read_run(folder: Path) -> Run:
    """Read a run folder. Raises: BadInput when the folder is not one."""
    if not is_run_folder(folder):
        raise BadInput(str(folder), "not a run folder", "name a folder that `swarm launch --out` wrote")
    notes: list[str] = []
    requests, odd = table.empty(), Counter[str]()
    try:
        requests = table.read(folder / "requests.parquet", odd)
        _note(notes, "requests.parquet", odd)
    except FileNotFoundError:
        notes.append("requests.parquet is absent: the run ended before its requests were written.")
    except (OSError, ValueError) as error:
        notes.append(f"requests.parquet cannot be read: {error}")
    finished = (folder / "summary.json").exists()
    if not finished:
        notes.append("summary.json is absent: the run did not finish.")
    return Run(
        folder=folder, manifest=_document(folder / "manifest.json", Manifest, notes), finished=finished,
        summary=_document(folder / "summary.json", Summary, notes), requests=requests,
        scene=_document(folder / "scene.json", Scene, notes),
        plans=_lines(folder / "plans.jsonl", PlanRecord, notes),
        events=_lines(folder / "events.jsonl", EventRecord, notes),
        paths=_lines(folder / "paths.jsonl", Poses, notes),
        series=[one for one in _lines(folder / "series.jsonl", SeriesRecord, notes) if not math.isnan(one.at_s)],
        notes=notes,
    )


def _document(path: Path, kind: type[T], notes: list[str]) -> T:
    text = _bytes(path, notes)
    content = {} if text is None else _object(text)
    if content is None:
        notes.append(f"{path.name} cannot be read: it is not a JSON object.")
    odd = Counter[str]()
    made = fitted(kind, content or {}, odd)
    if content:
        _note(notes, path.name, odd)
    return made


def _lines(path: Path, kind: type[T], notes: list[str]) -> list[T]:
    """Every complete line. If the run was interrupted, the last line may be incomplete."""
    found = [_object(line) for line in (_bytes(path, notes) or b"").splitlines()]
    odd = Counter[str]()
    made = [fitted(kind, one, odd) for one in found if one is not None]
    broken = len(found) - len(made)
    if broken:
        notes.append(f"{path.name}: {broken} broken line{'s' if broken > 1 else ''} left out.")
    _note(notes, path.name, odd)
    return made


def _bytes(path: Path, notes: list[str]) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        notes.append(f"{path.name} cannot be read: {error}")
        return None


def _object(text: bytes) -> dict[str, Any] | None:
    """A JSON object; None if the text is something else."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _note(notes: list[str], name: str, odd: Counter[str]) -> None:
    """Name what a file lacks; `*` stands for every name or number."""
    if odd:
        more = f" and {len(odd) - NAMED} more" if len(odd) > NAMED else ""
        notes.append(f"{name} lacks, or has with another type: {', '.join(list(odd)[:NAMED])}{more}.")
