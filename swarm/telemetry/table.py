# pyright: reportAttributeAccessIssue=false, reportMissingTypeStubs=false
"""`requests.parquet`: one row per due frame, with all fields of its request's span."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from swarm.core.protocol.spans import LegRun, Span
from swarm.telemetry.ledger import Row, on_a_peer

Columns = dict[str, NDArray[Any]]


def _plain(kind: Any) -> Any:
    """A type without its bounds, and a list without the type of its items."""
    return _plain(kind.__origin__) if hasattr(kind, "__origin__") else kind


SPAN_FIELDS: tuple[tuple[str, Any], ...] = tuple(
    (f.name, _plain(f.type)) for f in msgspec.structs.fields(Span) if f.name != "request")


class Extra(msgspec.Struct, kw_only=True):
    """The columns of a request that are not fields of its span. Times are on the collector's clock."""

    agent: str                       # agent that owns the request
    boot: int                        # start of the agent's process
    sequence: int                    # number of the request since that start
    incarnation: int                 # which start of the robot's process it was: 1, 2, ...; 0: not known
    frame: int                       # number of the due frame on its stream's own grid; -1: not known
    due_s: float                     # when the frame fell due, since the streams began
    at_s: float                      # time of submission, since the streams began; of a missed frame: `due_s`
    ended_at_s: float | None         # time of its ending, since the streams began; null: never
    latency_ms: float | None         # from due to end; null unless completed or late
    on_peer: bool                    # whether the result that counted came from a peer


EXTRA: tuple[tuple[str, Any], ...] = tuple(
    (f.name, float if f.type == float | None else f.type) for f in msgspec.structs.fields(Extra))


def columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Rows as columns, in the order of the file."""
    spans = [r.span for r in rows]
    extra = {
        "agent": [s.request.agent for s in spans], "boot": [s.request.boot for s in spans],
        "sequence": [s.request.sequence for s in spans],
        "incarnation": [r.frame.incarnation if r.frame else 0 for r in rows],
        "frame": [r.frame.number if r.frame else -1 for r in rows], "due_s": [r.due_s for r in rows],
        "at_s": [r.at_s for r in rows], "ended_at_s": [r.ended_at_s for r in rows],
        "latency_ms": [s.latency_s * 1e3 if s.ending in ("completed", "late") else None for s in spans],
        "on_peer": [on_a_peer(s) for s in spans],
    }
    named = {name: [getattr(s, name) for s in spans] for name, _ in SPAN_FIELDS}
    return {**extra, **named, "legs": [msgspec.to_builtins(s.legs) for s in spans]}


def arrays(rows: Sequence[Row], names: Iterable[str]) -> Columns:
    """The named columns of the rows, as `read` returns them."""
    kinds, listed = {name: column.dtype for name, column in empty().items()}, columns(rows)
    return {name: np.fromiter(listed[name], kinds[name], len(rows)) if kinds[name].hasobject
            else np.array(listed[name], kinds[name]) for name in names}


def write(path: Path, rows: Sequence[Row]) -> None:
    """Write the table. Raises: OSError, ValueError (a value does not fit its column: an integer beyond 64 bits)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        made = pa.table(columns(rows), schema=_schema())
    except (OverflowError, pa.ArrowException) as error:
        raise ValueError(" ".join(str(error).split())) from None
    pq.write_table(made, path, compression="zstd")


def read(path: Path, odd: Counter[str] | None = None) -> Columns:
    """The table as arrays: text and lists as objects, a null number as NaN.

    odd: counts the columns that are missing or have another type, which are then empty; None: they are an error.
    Raises: OSError, ValueError (not a table of requests).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table, strange = pq.read_table(path), Counter[str]()
    found = empty(table.num_rows)
    for field in _schema():
        try:
            found[field.name] = _array(table[field.name].cast(field.type))
        except (KeyError, pa.ArrowException):
            strange[field.name] += 1
    if odd is not None:
        odd.update(strange)
    elif strange:
        raise ValueError(f"{path} lacks the columns {', '.join(sorted(strange))}")
    return found


def _array(column: Any) -> NDArray[Any]:
    """A column of pyarrow as an array. Only a float can be null (NaN); another null is empty."""
    import pyarrow as pa

    if pa.types.is_list(column.type):
        return np.fromiter((legs if legs and all(leg and None not in leg.values() for leg in legs) else []
                            for legs in column.to_pylist()), object, len(column))
    if not pa.types.is_floating(column.type):
        column = column.fill_null(pa.scalar("" if pa.types.is_string(column.type) else 0).cast(column.type))
    return column.to_numpy(zero_copy_only=False)


def _schema() -> Any:
    """The columns of the file with their types."""
    import pyarrow as pa

    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    kinds[list] = pa.list_(pa.struct([(f.name, kinds[_plain(f.type)])
                                      for f in msgspec.structs.fields(LegRun)]))
    return pa.schema([(name, kinds.get(kind, pa.string())) for name, kind in (*EXTRA, *SPAN_FIELDS)])


def empty(rows: int = 0) -> Columns:
    """A table of so many rows with nothing in them: NaN, 0, false, and empty texts and lists."""
    blank: dict[Any, tuple[Any, Any]] = {int: (0, np.int64), float: (np.nan, np.float64), bool: (False, np.bool_)}
    return {name: np.full(rows, *blank[kind]) if kind in blank
            else np.fromiter(([] if kind is list else "" for _ in range(rows)), object, rows)
            for name, kind in (*EXTRA, *SPAN_FIELDS)}
