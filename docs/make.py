"""Makes docs/run_folder.md from the types of the run folder: `make docs`. A test checks that the page is current."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from swarm.core.protocol.scene import Scene
from swarm.core.protocol.spans import Span
from swarm.telemetry.file_types import EVENTS, EventRecord, Manifest, PlanRecord, Poses, ProcessRecord, SeriesRecord
from swarm.telemetry.recorder import FILES, FOLDERS
from swarm.telemetry.summary_types import Summary
from swarm.telemetry.table import Extra

PAGE = Path(__file__).parent / "run_folder.md"
HEAD = """\
<!-- Made by `make docs` from types in the source. Change the types, not this file. -->
# The run folder

A run writes one folder. Its files are JSON, Parquet or HTML, which many tools can read:

```
swarm launch search_rescue --duration 10 --out runs/mine
```
```python
import json
import pyarrow.parquet as pq

summary = json.load(open("runs/mine/summary.json"))
print(summary["on_time_ratio"], summary["latency_ms"]["p95"])
requests = pq.read_table("runs/mine/requests.parquet")                    # a row per request
print(requests.group_by("stream").aggregate([("latency_ms", "mean"), ("latency_ms", "max")]))
```

Units are in the names: `_s` seconds, `_ms`, `_us` and `_ns` milliseconds, microseconds and nanoseconds, `_m` metres,
`_rad` radians, `_hz` hertz, `_w` watts, `_mb` megabytes; a ratio or a share is between 0 and 1. `null` means that the
figure does not exist.
"""
REQUESTS = """\
One row per request. Columns that end in `_ns` are times on the clock of the agent that owns the request: only their
differences have a meaning, and 0 means never. `at_s` and `ended_at_s` are times on the launcher's clock."""
DOCUMENTS: dict[str, Any] = {
    "summary.json": Summary, "manifest.json": Manifest, "processes.json": list[ProcessRecord], "scene.json": Scene}
HISTORIES: dict[str, Any] = {
    "plans.jsonl": PlanRecord, "events.jsonl": EventRecord, "series.jsonl": SeriesRecord, "paths.jsonl": Poses}
KINDS = DOCUMENTS | HISTORIES
ABOUT = {
    "manifest.json": "settings, versions and machine of the run",
    "summary.json": "the figures of the run",
    "requests.parquet": "one row per request, with all its time stamps",
    "plans.jsonl": "one line per plan; a renewal of its lease is not written",
    "events.jsonl": "one line per event",
    "series.jsonl": "one line per second while the streams run: load and links of the agents, and what each stream got",
    "processes.json": "a list of the processes of the run",
    "scene.json": "the map at the end, square and centred on the origin",
    "paths.jsonl": "poses of the robots, at most five lines per second",
    "report.html": "the report: one page that needs no other file; `swarm report FOLDER` makes it again",
    "files": "the settings file of each process",
    "logs": "the output of each process",
    "keys": "the keys of the run; they are removed at its end",
    "recordings": "with `--record`, `ROBOT.npz`: frames and outcomes, for `swarm models replay`",
}
UNITS = (
    (r"unix_s$", "s since 1970"), (r"_ns$", "ns"), (r"_us$", "us"), (r"_ms(_p\d+|$)", "ms"), (r"_s$", "s"),
    (r"(^|_)bytes(_max)?$", "bytes"), (r"_mb$", "MB"), (r"_hz$", "Hz"), (r"_m$", "m"), (r"_rad$", "rad"),
    (r"_w$", "W"), (r"^per_minute$", "1/min"), (r"(^|_)(ratio|share|coverage)$|_on_time$", "0..1"),
)
NAMES = {str: "text", int: "int", float: "float", bool: "bool", type(None): "null", Any: "any"}
HEADER = ["| key | type | unit | meaning |", "|---|---|---|---|"]


class Page:
    """The page: sections with tables. Each nested structure has one section."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._described: set[type] = set()
        self._waiting: list[tuple[type, str]] = []

    def section(self, name: str, intro: str, *kinds: type, leave_out: Sequence[str] = ()) -> None:
        """A section for a file: the fields of its structures, then the structures nested in them."""
        self.lines += ["", f"## {name}", "", intro, "", *HEADER]
        self._described.update(kinds)
        for kind in kinds:
            self._rows(kind, "", leave_out)
        while self._waiting:
            kind, unit = self._waiting.pop(0)
            doc = " ".join((inspect.getdoc(kind) or "").split())
            self.lines += ["", f"### {kind.__name__}", "", *textwrap.wrap(doc, 120), "", *HEADER]
            self._rows(kind, unit)

    def _rows(self, kind: type, unit: str, leave_out: Sequence[str] = ()) -> None:
        comments = comments_of(kind)
        for field in msgspec.structs.fields(kind):
            if field.name not in leave_out:
                own = unit_of(field.name) or unit
                meaning = comments.get(field.name, "").replace("|", "\\|")
                self.lines.append(f"| `{field.name}` | {self._words(field.type, own)} | {own} | {meaning} |")

    def _words(self, kind: Any, unit: str) -> str:
        """A type in words. A structure gets a link and a later section; `unit` applies to its fields without a unit."""
        origin, inner = typing.get_origin(kind), typing.get_args(kind)
        if origin is typing.Annotated:
            return self._words(inner[0], unit)
        if origin is typing.Literal:
            return " or ".join(f"`{value}`" for value in inner)
        if origin in (typing.Union, types.UnionType):
            return " or ".join(self._words(one, unit) for one in inner)
        if origin is dict:
            return f"{self._words(inner[0], unit)} -> {self._words(inner[1], unit)}"
        if origin in (list, tuple):
            some = [self._words(one, unit) for one in inner if one is not ...]
            return f"list of {some[0]}" if len(some) == 1 else f"[{', '.join(some)}]"
        if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
            return NAMES[kind]
        if kind not in self._described:
            self._described.add(kind)
            self._waiting.append((kind, unit))
        return f"[{kind.__name__}](#{kind.__name__.lower()})"


def comments_of(kind: type) -> dict[str, str]:
    """The description of each field in the source: a comment on its line, or a text below it."""
    described: dict[str, str] = {}
    for owner in (one for one in reversed(kind.__mro__) if not one.__module__.startswith(("msgspec", "builtins"))):
        source = textwrap.dedent(inspect.getsource(owner)).splitlines()
        body = typing.cast(ast.ClassDef, ast.parse("\n".join(source)).body[0]).body
        for item, below in zip(body, [*body[1:], None], strict=True):
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                comment = re.search(r"\s# (.*)$", source[(item.end_lineno or 1) - 1])
                if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                    described[item.target.id] = " ".join(str(below.value.value).split())
                elif comment:
                    described[item.target.id] = comment[1]
    return described


def unit_of(name: str) -> str:
    """The unit in a field's name; empty: no unit, or that of the containing structure."""
    return next((unit for pattern, unit in UNITS if re.search(pattern, name)), "")


def page() -> str:
    """The whole page."""
    made = Page()
    made.lines += ["", "| file | what it holds |", "|---|---|"]
    made.lines += [f"| `{name}` | {ABOUT[name]} |" for name in FILES]
    made.lines += [f"| `{name}/` | {ABOUT[name]} |" for name in FOLDERS]
    for name in ("summary.json", *(other for other in FILES if other != "summary.json")):
        if name == "requests.parquet":
            made.section(name, REQUESTS, Extra, Span, leave_out=("request",))
        elif name in KINDS:
            kinds = typing.get_args(KINDS[name]) or (KINDS[name],)       # the elements of a list, or itself
            made.section(name, f"{ABOUT[name][0].upper()}{ABOUT[name][1:]}.", *kinds)
        if name == "events.jsonl":
            made.lines += ["", "| `what` | reporting process: event (keys of `detail`) |", "|---|---|"]
            made.lines += [f"| `{what}` | {words} |" for what, words in EVENTS.items()]
    return HEAD + "\n".join(made.lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
