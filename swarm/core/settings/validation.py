"""Checks plain data against a type, and explains a mistake in plain English.

The message names file and key, what is wrong with the value, and what is valid.
"""

from __future__ import annotations

import ast
import difflib
import math
import re
from collections.abc import Collection
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, overload

import msgspec

from swarm.core.protocol.bounds import PATTERNS
from swarm.core.settings.errors import BadInput

T = TypeVar("T")

KINDS = {
    "int": "a whole number", "float": "a number", "str": "text", "bool": "true or false", "array": "a list",
    "object": "keys with values", "null": "nothing",
}
SIGNS = {"<=": "at most", ">=": "at least", "<": "below", ">": "above"}
LENGTHS = {"str": "characters", "array": "entries", "object": "keys"}
LONGEST = 80                         # characters of a value that are shown
PATH = re.compile(r"\.(\w+)|\[(\d+)\]|\[\.\.\.\]")


class Place(NamedTuple):
    """A place in plain data: its path as people write it, the value there, and the required type."""

    path: str
    value: Any
    kind: Any


@overload
def check(raw: Any, kind: type[T], where: str) -> T: ...


@overload
def check(raw: Any, kind: Any, where: str) -> Any: ...          # Annotated is not a type


def check(raw: Any, kind: Any, where: str) -> Any:
    """Plain data as a checked value of this type: a structure, or one bounded number or text.

    where: the file, or the option. Raises: BadInput with the key, what is wrong with it, and the range or the keys.
    """
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        key, what, want = complaint(str(error), raw, kind)
        raise BadInput(f"{where}: {key}" if key else where, what, want) from None


def complaint(error: str, raw: Any, kind: Any) -> tuple[str, str, str]:
    """Key (empty: the whole value), what is wrong, and what is valid.

    error: the text of a msgspec.ValidationError, raised when `raw` was converted to `kind`.
    """
    text, _, path = error.partition(" - at ")
    of_key = path.startswith("`key` in ")
    place = _find(raw, kind, path.removeprefix("`key` in ").strip("`"))
    return (place.path, *_explain(text, place, of_key))


def shown(value: Any) -> str:
    """A value in a message: one line, not too long."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:g}" if abs(value) < 10**300 else "a number of over 300 digits"
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def nearest(name: str, names: Collection[str], known: str) -> str:
    """The names that exist, and the one that was probably meant. known: the noun for them, like `known keys`."""
    near = difflib.get_close_matches(name, names, n=1)
    return (f"did you mean {near[0]!r}? " if near else "") + f"{known}: {', '.join(names) or 'none'}"


def _explain(text: str, place: Place, of_key: bool) -> tuple[str, str]:
    """What is wrong at a place, and what is valid."""
    value, kind = place.value, place.kind
    match = re.search(r"(unknown|required) field `(.*)`", text)
    if match:
        keys = [field.name for field in msgspec.structs.fields(_bare(kind))]
        if match[1] == "unknown":
            return f"unknown key {match[2]!r}", nearest(match[2], keys, "known keys")
        return f"the key {match[2]!r} is missing", f"it needs {match[2]}"
    if text.startswith("Invalid enum value"):
        choices = [_word(one) for one in _choices(get_args(_bare(kind))[0] if of_key else kind)]
        invalid = text.removeprefix("Invalid enum value ")
        return f"{invalid} is not a choice", ("only " if len(choices) == 1 else "one of ") + ", ".join(choices)
    match = re.match(r"Expected `(.*)`, got `(\w+)`", text)
    if match:
        want = " or ".join(KINDS.get(word, word) for word in match[1].split(" | "))
        if value is None and not of_key:
            return "it is empty", want
        return f"{'a key' if of_key else shown(value)} is {KINDS[match[2]]}, not {want}", ""
    match = re.match(r"Expected `(\w+)` (of length )?(<=|>=|<|>) (\S+)$", text)
    if match:
        return _range(value, match[3], match[4].removesuffix(".0"), of="" if not match[2] else LENGTHS[match[1]])
    match = re.match(r"Expected `array` of length (\d+), got (\d+)$", text)
    if match:
        return f"it has {match[2]} {'entry' if match[2] == '1' else LENGTHS['array']}", f"exactly {match[1]}"
    match = re.match(r"Expected `str` matching regex (.*)$", text)
    if match:
        noun, want = PATTERNS[ast.literal_eval(match[1])]
        return f"{shown(value)} is no {noun}", want
    if text == "Number out of range":
        return f"{shown(value)} is out of range", ""
    return text[0].lower() + text[1:], ""


def _range(value: Any, sign: str, bound: str, of: str) -> tuple[str, str]:
    """of: the unit of a length; empty: the value itself is out of its range."""
    want = f"{SIGNS[sign]} {bound} {of}".rstrip()
    if of:
        return f"it has {len(value)} {of}", want
    if isinstance(value, float) and math.isnan(value):
        return "nan is not a number", want
    return f"{shown(value)} is too {'large' if sign[0] == '<' else 'small'}", want


def _find(raw: Any, kind: Any, path: str) -> Place:
    """Follow a msgspec error path. `[...]` in it stands for the first value of a map that does not fit its type."""
    place = Place("", raw, kind)
    for match in PATH.finditer(path):
        place = _step(place, match)
    return place


def _step(at: Place, match: re.Match[str]) -> Place:
    kind = _bare(at.kind)
    inner = get_args(kind)
    if match[1]:
        fields = {field.name: field for field in msgspec.structs.fields(kind)}
        path = f"{at.path}.{match[1]}" if at.path else match[1]
        return Place(path, at.value.get(match[1]), fields[match[1]].type)
    if match[2]:
        i = int(match[2])
        one = inner[0] if len(inner) == 1 or inner[-1] is Ellipsis else inner[i]
        return Place(f"{at.path}[{i}]", at.value[i], one)
    for key, value in at.value.items():
        try:
            msgspec.convert(value, inner[1])
        except msgspec.ValidationError:
            return Place(f"{at.path}.{key}" if at.path else str(key), value, inner[1])
    raise AssertionError(f"every value fits at {at.path}, though msgspec does not accept one")


def _bare(kind: Any) -> Any:
    """A type without its bounds and without `| None` and `| Literal`: the type that has parts."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        parts = [one for one in get_args(kind) if one is not type(None) and get_origin(one) is not Literal]
        return _bare(parts[0]) if parts else kind
    return kind


def _choices(kind: Any) -> list[Any]:
    """The values of the Literal in a type."""
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    return [choice for inner in get_args(kind) for choice in _choices(inner)]


def _word(choice: Any) -> str:
    """A choice as files write it."""
    return str(choice).lower() if isinstance(choice, bool) else str(choice)
