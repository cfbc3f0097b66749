# pyright: reportAttributeAccessIssue=false, reportMissingTypeStubs=false
"""Tables of an experiment and its runs in Arrow's memory format, and as Parquet. Beside `telemetry/table.py`, only this
file imports pyarrow."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from swarm.core.settings.errors import BadInput

KINDS = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def table(columns: Mapping[str, Sequence[Any]]) -> pa.Table:
    """Columns of one kind of value each; null where there is nothing, and text if there is nothing at all."""
    return pa.table({name: _array(values) for name, values in columns.items()})


def write(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """The columns as Parquet: the same columns give the same bytes. Raises: OSError."""
    pq.write_table(table(columns), path, compression="zstd", compression_level=9, version="2.6")


def read(path: Path) -> pa.Table:
    """A Parquet file. Raises: BadInput if it is absent or damaged."""
    try:
        return pq.ParquetFile(path).read()           # of this file: names of folders are no columns
    except FileNotFoundError:
        raise BadInput(str(path), "there is no such file", "the folder of a run that has finished") from None
    except (OSError, pa.ArrowException) as error:
        raise BadInput(str(path), f"it is damaged: {' '.join(str(error).split())}", "a Parquet file") from None


def rows(made: Iterable[Mapping[str, Any]], kind: type[msgspec.Struct], leave_out: Sequence[str] = (),
         **first: type) -> pa.Table:
    """Rows as a table with a column per field of `kind`, after those of `first`. A field of any keys is JSON."""
    fields = {**first, **{f.name: f.type for f in msgspec.structs.fields(kind) if f.name not in leave_out}}
    schema = pa.schema([(name, _kind(one)) for name, one in fields.items()])
    texts = [name for name, one in fields.items() if typing.get_origin(one) is dict]
    return pa.Table.from_pylist([{**row, **{name: json.dumps(row[name]) for name in texts}} for row in made],
                                schema=schema)


def stream(parts: Iterable[tuple[Mapping[str, Any], Path]], first: Mapping[str, Sequence[Any]]) -> pa.RecordBatchReader:
    """Parquet files one after the other, each with columns of its own in front, that are the same in all its rows.

    parts: the values of these columns, and the file. first: all values of each column, for its type. A column that the
    first file has and a later one lacks is null there. Raises, also while it is read: BadInput.
    """
    given = iter(parts)
    head = next(given, None)
    front = table(first).schema
    if head is None:
        return pa.RecordBatchReader.from_batches(front, [])
    whole = read(head[1])
    schema = pa.schema([*front, *whole.schema.remove_metadata()])

    def batches() -> Iterator[pa.RecordBatch]:
        yield from _in_front(head[0], whole, schema)
        for values, path in given:
            yield from _in_front(values, read(path), schema)
    return pa.RecordBatchReader.from_batches(schema, batches())


def _in_front(values: Mapping[str, Any], of: pa.Table, schema: pa.Schema) -> list[pa.RecordBatch]:
    n = of.num_rows
    made = [pa.repeat(pa.scalar(values[f.name], f.type), n) if f.name in values
            else of[f.name].cast(f.type) if f.name in of.schema.names else pa.nulls(n, f.type) for f in schema]
    return pa.Table.from_arrays(made, schema=schema).to_batches()


def _array(values: Sequence[Any]) -> pa.Array:
    made = pa.array(values)
    return made.cast(pa.string()) if pa.types.is_null(made.type) else made


def _kind(kind: Any) -> pa.DataType:
    """The type of a column for a type of the run folder's files."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _kind(inner[0])
    if origin in (typing.Union, types.UnionType):
        return _kind(next(one for one in inner if one is not type(None)))
    if origin in (list, tuple):
        return pa.list_(_kind(inner[0]))
    return KINDS.get(kind, pa.string())
