"""Fits JSON values into the types of a run folder's files, as far as they fit.

A folder may come from another version, from a full disk or from an editor. What a file lacks is nothing here: NaN for a
number, None for true or false, empty for texts, lists and structures; None wherever the type allows null.
"""

from __future__ import annotations

import functools
import types
import typing
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

NAN = float("nan")
MOST = 1e18                          # a greater number is an error, and no chart could show it
_NOTHING = {float: NAN, int: NAN, str: ""}
_MISFIT = object()


def fitted(kind: Any, value: Mapping[str, Any], odd: Counter[str]) -> Any:
    """A JSON object as the structure `kind`. `odd` counts the keys that are missing or have another type."""
    return _structure(kind, value, odd, "")


def _structure(kind: Any, value: Mapping[str, Any], odd: Counter[str], at: str) -> Any:
    """`at`: its path in the file, with a final dot."""
    made: dict[str, Any] = {}
    for field in _fields(kind):
        if field.name in value:
            taken = _taken(field.type, value[field.name], odd, at + field.name)
        elif kind.__struct_config__.omit_defaults and not field.required:
            continue
        else:
            taken = _MISFIT
        if taken is _MISFIT:
            odd[at + field.name] += 1
            taken = field.default if isinstance(field.default, str) else _nothing(field.type)
        made[field.name] = taken
    return kind(**made)


_fields = functools.cache(msgspec.structs.fields)


def _taken(kind: Any, value: Any, odd: Counter[str], at: str) -> Any:
    """The value as `kind`, or _MISFIT. Elements that do not fit are left out."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:                           # bounds are the writer's business
        return _taken(inner[0], value, odd, at)
    if _optional(kind):
        return None if value is None else _taken(inner[0], value, odd, at)
    if origin is list and isinstance(value, list):
        return [taken for taken in (_element(inner[0], one, odd, at) for one in value) if taken is not _MISFIT]
    if origin is dict and isinstance(value, dict):
        taken = {name: _element(inner[1], one, odd, at) for name, one in value.items()}
        return {name: one for name, one in taken.items() if one is not _MISFIT}
    if _is_structure(kind):
        return _structure(kind, value, odd, f"{at}.") if isinstance(value, dict) else _MISFIT
    try:
        taken = msgspec.convert(value, kind)
    except (msgspec.ValidationError, OverflowError):
        return _MISFIT
    return _MISFIT if isinstance(taken, (int, float)) and not -MOST < taken < MOST else taken


def _element(kind: Any, value: Any, odd: Counter[str], at: str) -> Any:
    taken = _taken(kind, value, odd, f"{at}.*")
    odd.update([f"{at}.*"] if taken is _MISFIT else [])
    return taken


def _nothing(kind: Any) -> Any:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _nothing(inner[0])
    if origin in (list, dict):
        return origin()
    return _structure(kind, {}, Counter(), "") if _is_structure(kind) else _NOTHING.get(kind)


def _optional(kind: Any) -> bool:
    """Whether it is one type or null."""
    inner = typing.get_args(kind)
    return typing.get_origin(kind) in (typing.Union, types.UnionType) and len(inner) == 2 and inner[1] is type(None)


def _is_structure(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
