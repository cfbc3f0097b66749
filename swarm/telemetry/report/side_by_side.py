"""Runs side by side, as plain text."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

from swarm.core.protocol.scene import SHARE
from swarm.telemetry.text_table import text_table

Summary = Mapping[str, Any]
MEASURES_SHOWN = 3                   # measures of a mission in short tables


def labels(summaries: Sequence[Summary]) -> list[str]:
    """A distinct name for each run: its policy, with its seed or its number where needed."""
    names = [str(s.get("policy", "run")) for s in summaries]
    if len(set(names)) < len(names):
        names = [f"{n} seed {s.get('seed', '?')}" for n, s in zip(names, summaries, strict=True)]
    if len(set(names)) < len(names):
        names = [f"{n} #{i}" for i, n in enumerate(names, 1)]
    return names


def figure(summary: Summary, path: str) -> Any:
    """The figure at a dotted path, or None."""
    value: Any = summary
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def known(value: float | None) -> TypeGuard[float]:
    """Whether there is a value: not None, not NaN."""
    return value is not None and not math.isnan(value)


def percent(value: float | None, of: float | None = None) -> str:
    """One decimal; `100.0 %` only for exactly 1, `0.0 %` only for exactly 0. A share `of` nothing is unknown."""
    if not known(value) or of == 0:
        return "-"
    text = f"{value * 100:.1f} %"
    if text == "100.0 %" and value < 1:
        return "99.9 %"
    return "< 0.1 %" if text == "0.0 %" and value > 0 else text


def milliseconds(value: float | None) -> str:
    return "-" if not known(value) else f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"


def seconds(value: float | None, decimals: int | None = 2) -> str:
    """decimals: None for as many as it has."""
    return "-" if not known(value) else f"{value} s" if decimals is None else f"{value:.{decimals}f} s"


def mebibytes(value: float | None, decimals: int = 0) -> str:
    """value: bytes."""
    return "-" if not known(value) else f"{value / 2**20:.{decimals}f} MiB"


def number(value: float | None, thousands: str = ",") -> str:
    return "-" if not known(value) else f"{value:{thousands}}"


def measure(value: float | None, unit: str) -> str:
    """A measure of a mission: a share as a percentage, a count as a whole number."""
    if not known(value) or unit == SHARE:
        return percent(value)
    return f"{value:,.4g} {unit}".rstrip() if value % 1 else f"{value:,.0f} {unit}".rstrip()


def named_measure(name: str, value: float | None, unit: str) -> tuple[str, str]:
    """The name and the value of a measure, as they are shown."""
    return name.replace("_", " "), measure(value, unit)


def mission(summary: Summary) -> list[tuple[str, str]]:
    """Name and value of each measure of the mission, the headline first."""
    units, values = summary.get("measures") or {}, summary.get("mission") or {}
    names = sorted(units, key=lambda name: name != values.get("headline"))
    return [named_measure(name, value if isinstance(value := values.get(name), (int, float)) else None,
                          units[name]["unit"]) for name in names]


ROWS: tuple[tuple[str, Callable[[Summary], str]], ...] = (
    ("on time", lambda s: percent(figure(s, "on_time_ratio"))),
    ("latency p50", lambda s: milliseconds(figure(s, "latency_ms.p50"))),
    ("latency p99", lambda s: milliseconds(figure(s, "latency_ms.p99"))),
    ("requests", lambda s: number(figure(s, "requests.submitted"))),
    ("lost", lambda s: number(figure(s, "requests.lost"))),
    ("offloaded", lambda s: percent(figure(s, "offload.share"), of=figure(s, "requests.completed"))),
)


def rows(summaries: Sequence[Summary]) -> list[list[str]]:
    """Rows of headline figures, first mission measures and streams' shares on time; the first cell names the row."""
    body = [[name, *(show(s) for s in summaries)] for name, show in ROWS]
    missions = [dict(mission(s)) for s in summaries]
    for name in dict.fromkeys(name for mission_rows in missions for name in list(mission_rows)[:MEASURES_SHOWN]):
        body.append([name, *(mission_rows.get(name, "-") for mission_rows in missions)])
    streams = list(dict.fromkeys(name for s in summaries for name in s.get("streams", {})))
    for name in streams:
        ratios = [s.get("streams", {}).get(name, {}).get("on_time_ratio") for s in summaries]
        body.append([f"{name} on time", *(percent(r) for r in ratios)])
    return body


def table(summaries: Sequence[Summary]) -> str:
    """The runs as columns of plain text, right-aligned."""
    header = ["", *labels(summaries)]
    return text_table(header, rows(summaries), right=range(1, len(header)), rule=True)
