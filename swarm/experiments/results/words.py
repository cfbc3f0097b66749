"""How keys and figures of an experiment read in tables, on axes and on the page: names, units, rounding."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from swarm.experiments.design.points import shown

NONE = "-"                           # where there is no such figure
SIGNIFICANT = 3                      # digits of a figure without an interval
LEAST_P = 0.001                      # a smaller p is told as such: its digits say nothing to a reader


class Unit(NamedTuple):
    """The unit of a key. A figure is shown times `scale`; `apart` is the unit of a difference of two of them."""

    name: str = ""
    scale: float = 1.0
    apart: str = ""


PERCENT = Unit("%", 100.0, "points")
SUFFIXES = {"ms": "ms", "us": "us", "s": "s", "hz": "Hz", "mbps": "Mbit/s", "bytes": "bytes", "mb": "MB", "m": "m",
            "rad": "rad", "w": "W", "j": "J"}
SUFFIX = re.compile(rf"_({'|'.join(SUFFIXES)})(?=_p\d+$|$)")
SHARE = re.compile(r"(^|_)(ratio|share|loss)$")
SILENT = ("after_warmup", "mission", "streams", "links", "*")
"""Parts of a key that a reader does without: the warm-up is told apart, and a name says the rest."""


def unit_of(key: str) -> Unit:
    """The unit in the last part of the key that has one."""
    for part in reversed(key.split(".")):
        if SHARE.search(part):
            return PERCENT
        if found := SUFFIX.search(part):
            return Unit(SUFFIXES[found[1]], 1.0, SUFFIXES[found[1]])
    return Unit()


def name_of(key: str) -> str:
    """A key as words, without its unit: `streams.detect.latency_ms.p95_all` is `detect latency p95 of all due`."""
    whole = key.split(".")
    parts = [part for part, then in zip(whole, [*whole[1:], ""], strict=True)
             if part not in SILENT or then.isdigit()] or whole
    cut = [SUFFIX.sub("", part.removesuffix("_ratio")) for part in parts]
    return " ".join(re.sub(r"_all$", " of all due", part).replace("_", " ") for part in cut)


def label(key: str) -> str:
    """Name and unit, as on an axis."""
    unit = unit_of(key).name
    return f"{name_of(key)}, {unit}" if unit else name_of(key)


def cell_text(cell: Mapping[str, Any]) -> str:
    """A cell in words; empty: there is only one."""
    return ", ".join(f"{name_of(axis)} {of_axis(value, axis)}" for axis, value in cell.items())


def of_axis(value: Any, axis: str) -> str:
    """A value of an axis with its unit."""
    unit = unit_of(axis).name
    return f"{tick(value, axis)} {unit}" if unit and is_number(value) else shown(value)


def tick(value: Any, axis: str) -> str:
    """A value of an axis beside an axis that names the unit."""
    return f"{value * unit_of(axis).scale:.10g}" if is_number(value) else shown(value)


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def decimals(half_width: float) -> int | None:
    """Decimals that leave an interval two digits of its half width: more would be noise. None: it has none."""
    if not half_width > 0.0 or math.isinf(half_width):
        return None
    return min(6, max(0, 1 - math.floor(math.log10(half_width))))


def number(value: float | None, places: int | None = None, sign: str = "") -> str:
    """A figure as text. places: decimals; None: three digits. sign: `+` to show it always."""
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return f"{'-' if value < 0 else sign}∞"
    if places is None:
        places = decimals(abs(value) / 10 ** (SIGNIFICANT - 2)) or 0
    text = f"{value:{sign}.{places}f}"
    return text.lstrip("-+") if not float(text) else text


def figure(value: float | None, key: str) -> str:
    """A figure of a run with its unit; an infinite one lies beyond the last result."""
    if value is not None and math.isinf(value):
        return "no result"
    unit = unit_of(key)
    text = number(None if value is None else value * unit.scale)
    return text if text == NONE or not unit.name else f"{text} {unit.name}"


def p_text(p: float | None) -> str:
    return NONE if p is None else f"< {LEAST_P}" if p < LEAST_P else f"{p:.3f}"


def count(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' * (n != 1)}"


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else "none"
