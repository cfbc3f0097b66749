"""The table of points: `points.parquet` and `points.csv`, one row per point."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from swarm.experiments.design.points import AGAIN
from swarm.experiments.design.rows import PointRow, Results

Columns = dict[str, list[Any]]


def columns(results: Results) -> Columns:
    """Columns by name: id, one per axis, seed, arm, valid, invalid, error, one per metric; null: no such figure.

    The values of an axis are numbers, truth values or texts if all of them are, else JSON.
    """
    rows = results.rows
    return {
        "id": [row.id for row in rows], **placed(results, rows), "valid": [row.valid for row in rows],
        "invalid": ["; ".join(row.invalid) for row in rows], "error": [row.error for row in rows],
        **{metric: [_float(row.values.get(metric)) for row in rows] for metric in results.metrics},
    }


def placed(results: Results, rows: Sequence[PointRow]) -> Columns:
    """The columns that say which points these rows are: one per axis, seed, arm. The control has the axis' value, too.

    The type of a column is that of all rows of the results, whatever rows are asked for.
    """
    whole = {axis: [_value(results, row, axis) for row in results.rows] for axis in results.axes}
    spelled = {axis: _plain(values) for axis, values in whole.items()}
    axes = {axis: [spelled[axis](_value(results, row, axis)) for row in rows] for axis in results.axes}
    return {**axes, "seed": [row.seed for row in rows], "arm": [row.arm for row in rows]}


def _value(results: Results, row: PointRow, axis: str) -> Any:
    return row.arm.removesuffix(AGAIN) if axis == results.compared else row.cell.get(axis)


def _plain(values: Sequence[Any]) -> Any:
    """How the values of one axis go into one column."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {str} or kinds == {bool} or kinds == {int}:
        return lambda value: value
    if kinds <= {int, float}:
        return _float
    return lambda value: json.dumps(value, sort_keys=True)


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


def as_csv(table: Mapping[str, Sequence[Any]]) -> str:
    """Columns as CSV: an empty field where there is nothing, `true` and `false`, numbers in full."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    writer.writerows([_field(value) for value in row] for row in zip(*table.values(), strict=True))
    return text.getvalue()


def _field(value: Any) -> Any:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else value
