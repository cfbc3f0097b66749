"""`swarm.load`: the folder of a run or of an experiment as data for notebooks and scripts."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from swarm.core.policy.plan import Placement
from swarm.core.settings.errors import BadInput
from swarm.experiments.design.rows import Results
from swarm.experiments.results import arrow, point_table, results_file
from swarm.experiments.results.comparisons import columns, fixed_axes
from swarm.telemetry.file_types import AgentPoint, EventRecord, LinkPoint, PlanRecord, SeriesRecord, StreamPoint
from swarm.telemetry.recorder import is_run_folder

EXPERIMENT = "experiment.yaml"
Table = Any
"""A table of pyarrow, or a DataFrame of pandas."""


@dataclass(frozen=True)
class RunData:
    """A run folder. Files are read when they are asked for; units are in the names of columns (docs/run_folder.md).

    A method raises BadInput if its file is absent or damaged. Tables are pyarrow's, or with `pandas` DataFrames.
    """

    folder: Path
    pandas: bool = False

    @cached_property
    def summary(self) -> dict[str, Any]:
        """summary.json: the figures of the run."""
        return _document(self.folder / "summary.json")

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """manifest.json: settings, versions and machine."""
        return _document(self.folder / "manifest.json")

    def requests(self) -> Table:
        """One row per frame that fell due, with all time stamps of its request."""
        return _given(arrow.read(self.folder / "requests.parquet"), self.pandas)

    def plans(self) -> Table:
        """One row per plan and placement; `where` lists the agent of each stage."""
        of_plan = {"at_s": float, "epoch": int, "lease_s": float, "solver": str, "solve_s": float}
        made = ({**{key: plan[key] for key in of_plan}, **placement}
                for plan in self._lines("plans.jsonl", PlanRecord) for placement in plan["placements"])
        return _given(arrow.rows(made, Placement, **of_plan), self.pandas)

    def events(self) -> Table:
        """One row per event; `detail` is JSON, since its keys depend on the kind of event."""
        return _given(arrow.rows(self._lines("events.jsonl", EventRecord), EventRecord), self.pandas)

    def series(self, of: str = "streams") -> Table:
        """A row per second and stream of a robot (`robot/stream`); of `agents`: per second and robot; of `links`: per
        second, robot and peer whose link changed."""
        lines = self._lines("series.jsonl", SeriesRecord)
        if of == "links":
            made = ({"at_s": line["at_s"], "agent": agent, "peer": peer, **link} for line in lines
                    for agent, point in line["agents"].items() for peer, link in point["links"].items())
            return _given(arrow.rows(made, LinkPoint, at_s=float, agent=str, peer=str), self.pandas)
        kinds: dict[str, tuple[str, Any]] = {"streams": ("stream", StreamPoint), "agents": ("agent", AgentPoint)}
        if of not in kinds:
            raise BadInput(f"series({of!r})", "there is no such series", "streams, agents or links")
        name, kind = kinds[of]
        made = ({"at_s": line["at_s"], name: key, **{k: v for k, v in point.items() if k != "links"}}
                for line in lines for key, point in line[of].items())
        return _given(arrow.rows(made, kind, ("links",), at_s=float, **{name: str}), self.pandas)

    def _lines(self, name: str, kind: Any) -> Iterator[dict[str, Any]]:
        """The lines of a history, each of this kind; none if the run wrote none."""
        path = self.folder / name
        text = _content(path) if path.exists() else b""
        for number, line in enumerate(text.splitlines(), 1):
            try:
                yield msgspec.to_builtins(msgspec.json.decode(line, type=kind))
            except (msgspec.DecodeError, RecursionError) as error:
                raise BadInput(f"{path}: line {number}", f"it is damaged: {error}", "a whole run folder") from None


@dataclass(frozen=True)
class ExperimentData:
    """The folder of an experiment with results. Tables are pyarrow's, or with `pandas` DataFrames."""

    folder: Path
    results: Results
    pandas: bool = False

    def points(self) -> Table:
        """One row per point, valid or not: id, axes, seed, arm, valid, invalid, error, metrics."""
        return _given(arrow.table(point_table.columns(self.results)), self.pandas)

    def comparisons(self) -> Table:
        """One row per comparison: metric, cell, arms, difference with its interval, p, verdict."""
        made = columns(self.results.every_comparison, fixed_axes(self.results))
        return _given(arrow.table(made), self.pandas)

    def requests(self) -> Any:
        """All frames of all valid points as one table: id, axes, seed and arm of the point, then the columns of a run.

        A RecordBatchReader of pyarrow, which holds one run at a time in memory: iterate over it, or `read_all()`. With
        `pandas` it is one DataFrame, all in memory. Raises, also while it is read: BadInput.
        """
        rows = [row for row in self.results.rows if row.valid and row.folder]
        front = {"id": [row.id for row in rows], **point_table.placed(self.results, rows)}
        parts = (({name: values[k] for name, values in front.items()}, self.folder / row.folder / "requests.parquet")
                 for k, row in enumerate(rows))
        reader = arrow.stream(parts, front)
        return reader.read_pandas() if self.pandas else reader

    def runs(self) -> dict[str, RunData]:
        """The run of each point that has a run folder, valid or not, by the point's id."""
        return {row.id: RunData(self.folder / row.folder, self.pandas) for row in self.results.rows if row.folder}


def load(path: str | os.PathLike[str], pandas: bool = False) -> RunData | ExperimentData:
    """The folder of a run or of an experiment. pandas: tables are DataFrames, which needs the package pandas.

    Raises: BadInput if it is no such folder, or a damaged one, or pandas is not installed.
    """
    folder = Path(path)
    if pandas and importlib.util.find_spec("pandas") is None:
        raise BadInput("swarm.load", "pandas is not installed", "pip install pandas, or leave out pandas=True")
    if (folder / EXPERIMENT).is_file() or (folder / results_file.NAME).is_file():
        return ExperimentData(folder, results_file.read(folder), pandas)
    if is_run_folder(folder):
        return RunData(folder, pandas)
    what = "no folder of a run or of an experiment" if folder.is_dir() else "there is no such folder"
    raise BadInput(str(folder), what, "name one that `swarm launch --out` or `swarm experiment run --out` wrote")


def _given(table: Any, pandas: bool) -> Table:
    return table.to_pandas() if pandas else table


def _document(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(_content(path))
    except (ValueError, RecursionError) as error:
        raise BadInput(str(path), f"it is damaged: {error}", "a JSON object") from None
    if not isinstance(content, dict):
        raise BadInput(str(path), "it is damaged", "a JSON object")
    return content


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(str(path), error.strerror or str(error), "the folder of a run that has finished") from None
