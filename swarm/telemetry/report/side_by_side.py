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
    """A distinct name for each run: its policy, what is unusual, with its seed or its number where needed."""
    names = [", ".join([str(s.get("policy", "run")), *_unusual(s)]) for s in summaries]
    if len(set(names)) < len(names):
        names = [f"{n} seed {s.get('seed', '?')}" for n, s in zip(names, summaries, strict=True)]
    if len(set(names)) < len(names):
        names = [f"{n} #{i}" for i, n in enumerate(names, 1)]
    return names


def _unusual(summary: Summary) -> list[str]:
    """A behaviour that the launch file names, and a perception that is not that of the models."""
    behaviour, perception = summary.get("behaviour"), summary.get("perception", "model")
    return [*([str(behaviour)] if behaviour else []), *([f"perception {perception}"] if perception != "model" else [])]


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


def compared(summary: Summary, of: str = "") -> Summary:
    """The figures that comparisons use: after the warm-up, of all streams or of the named one."""
    found = figure(summary, "after_warmup") if not of else summary.get("streams", {}).get(of, {}).get("after_warmup")
    return found or {}


def quantile(figures: Summary, name: str) -> str:
    """A quantile of `latency_ms`: `-` if too few requests bear it, `no result` if it lies beyond the last result."""
    found = figures.get("latency_ms") or {}
    beyond = found.get(name) is None and found.get(f"{name}_interval")
    return "no result" if beyond else milliseconds(found.get(name))


def share(ratio: float | None, interval: Sequence[float | None] | None) -> str:
    """A share with its interval, in percent."""
    ends = " to ".join(f"{end * 100:.1f}" if known(end) else "-" for end in interval or ())
    return percent(ratio) + (f" ({ends})" if ends else "")


def _on_time(figures: Summary) -> str:
    return share(figures.get("on_time_ratio"), figures.get("on_time_interval"))


def _missed(summary: Summary) -> int | None:
    """Due frames that were not submitted."""
    missed = figure(summary, "requests.missed")
    return sum(missed.values()) if missed else None


ROWS: tuple[tuple[str, Callable[[Summary], str]], ...] = (
    ("on time (95 % interval)", lambda s: _on_time(compared(s))),
    ("latency p50", lambda s: quantile(compared(s), "p50")),
    ("latency p95 of all due", lambda s: quantile(compared(s), "p95_all")),
    ("latency p99 of all due", lambda s: quantile(compared(s), "p99_all")),
    ("due", lambda s: number(figure(s, "requests.due"))),
    ("missed", lambda s: number(_missed(s))),
    ("lost", lambda s: number(figure(s, "requests.lost"))),
    ("offloaded", lambda s: percent(figure(s, "offload.share"), of=figure(s, "requests.completed"))),
)


def rows(summaries: Sequence[Summary]) -> list[list[str]]:
    """Rows of headline figures, first mission measures and streams' shares on time; the first cell names the row."""
    body = [[name, *(show(s) for s in summaries)] for name, show in ROWS]
    if any(compared(s).get("from_s") for s in summaries):
        body.insert(0, ["warm-up, left out", *(f"{compared(s).get('from_s', 0):g} s" for s in summaries)])
    missions = [dict(mission(s)) for s in summaries]
    for name in dict.fromkeys(name for mission_rows in missions for name in list(mission_rows)[:MEASURES_SHOWN]):
        body.append([name, *(mission_rows.get(name, "-") for mission_rows in missions)])
    for name in dict.fromkeys(name for s in summaries for name in s.get("streams", {})):
        body.append([f"{name} on time", *(_on_time(compared(s, name)) for s in summaries)])
    return body


def table(summaries: Sequence[Summary]) -> str:
    """The runs as columns of plain text, right-aligned."""
    header = ["", *labels(summaries)]
    return text_table(header, rows(summaries), right=range(1, len(header)), rule=True)
