"""Makes docs/run_folder.md from the types of what a run folder holds: `make docs`. A test checks that it is current."""

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

from sim_worlds.world import Scene
from swarm.core.spans import Span
from swarm.telemetry.recorder import FILES, FOLDERS
from swarm.telemetry.run_types import EVENTS, Event, Manifest, PlanRecord, Poses, Process, Summary
from swarm.telemetry.table import Extra

PAGE = Path(__file__).parent / "run_folder.md"
HEAD = """\
<!-- Made by `make docs` from the types in the source: change those, not this file. -->
# The run folder

A run leaves one folder behind. Everything in it is JSON, Parquet or HTML, for any tool to read:

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

Units are in the names: `_s` seconds, `_ms` milliseconds, `_ns` nanoseconds, `_m` metres, `_rad` radians; a ratio or a
share is between 0 and 1; a figure without a unit is a count. `null` means that there is no such figure.
"""
ABOUT = {
    "manifest.json": "what was run, with what and where",
    "summary.json": "the figures of the run",
    "requests.parquet": "one row per request, with all its time stamps",
    "plans.jsonl": "one line per plan",
    "events.jsonl": "one line per event",
    "processes.json": "the processes of the run",
    "scene.json": "the map as it was at the end",
    "paths.jsonl": "where the robots were",
    "report.html": "the report: one page that needs no other file; `swarm report FOLDER` makes it anew",
    "files": "the settings file of each process, as it was given",
    "logs": "what each process printed to standard error",
    "keys": "the keys of the run, while it lasts; they are removed at its end",
    "recordings": "with `--record`, `ROBOT.npz`: frames and outcomes, for `swarm models replay`",
}
UNITS = (
    (r"_ns_per_byte$", "ns/byte"), (r"_us_per_message$", "us/message"), (r"unix_s$", "s since 1970"),
    (r"_ns$", "ns"), (r"_us$", "us"), (r"_ms(_p\d+|$)", "ms"), (r"_s$", "s"), (r"(^|_)bytes(_max)?$", "bytes"),
    (r"_mb$", "MB"), (r"_hz$", "Hz"), (r"_m$", "m"), (r"_rad$", "rad"), (r"_w$", "W"),
    (r"(^|_)(ratio|share|coverage)$", "0..1"),
)
NAMES = {str: "text", int: "int", float: "float", bool: "bool", type(None): "null", Any: "any"}


class Pages:
    """Sections of tables; a structure within another has a section of its own, once."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._told: set[type] = set()
        self._waiting: list[tuple[type, str]] = []

    def section(self, title: str, intro: str, kinds: list[type], leave_out: Sequence[str] = ()) -> None:
        """The fields of one or more structures, and below them those of the structures within."""
        self.lines += ["", f"## {title}", "", intro, ""]
        self._told.update(kinds)
        self._table(kinds, "", leave_out)
        while self._waiting:
            kind, unit = self._waiting.pop(0)
            doc = " ".join((inspect.getdoc(kind) or "").split())
            self.lines += ["", f"### {kind.__name__}", "", *textwrap.wrap(doc, 120), ""]
            self._table([kind], unit)

    def _table(self, kinds: list[type], outer: str, leave_out: Sequence[str] = ()) -> None:
        self.lines += ["| key | type | unit | meaning |", "|---|---|---|---|"]
        for kind in kinds:
            comments = comments_of(kind)
            for field in (f for f in msgspec.structs.fields(kind) if f.name not in leave_out):
                unit = unit_of(field.name) or outer
                words = type_words(field.type, lambda inner, unit=unit: self._link(inner, unit))
                meaning = comments.get(field.name, "").replace("|", "\\|")
                self.lines.append(f"| `{field.name}` | {words} | {unit} | {meaning} |")

    def _link(self, kind: type, unit: str) -> str:
        if kind not in self._told:
            self._told.add(kind)
            self._waiting.append((kind, unit))
        return f"[{kind.__name__}](#{kind.__name__.lower()})"


def comments_of(kind: type) -> dict[str, str]:
    """What the source says beside each field of a structure, in a comment on its line or a text below it."""
    told: dict[str, str] = {}
    for owner in (one for one in reversed(kind.__mro__) if not one.__module__.startswith(("msgspec", "builtins"))):
        source = textwrap.dedent(inspect.getsource(owner)).splitlines()
        body = typing.cast(ast.ClassDef, ast.parse("\n".join(source)).body[0]).body
        for at, item in enumerate(body):
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                comment = re.search(r"\s# (.*)$", source[(item.end_lineno or 1) - 1])
                below = body[at + 1] if at + 1 < len(body) else None
                if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                    told[item.target.id] = " ".join(str(below.value.value).split())
                elif comment:
                    told[item.target.id] = comment[1]
    return told


def unit_of(name: str) -> str:
    """By the name; empty: a count, a text, or a figure whose unit is that of what holds it."""
    return next((unit for pattern, unit in UNITS if re.search(pattern, name)), "")


def type_words(kind: Any, link: Any) -> str:
    """A type in words; `link` names a structure."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return type_words(inner[0], link)
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in inner)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_words(one, link) for one in inner)
    if origin in (list, tuple):
        some = [one for one in inner if one is not ...]
        words = ", ".join(type_words(one, link) for one in some)
        return f"list of {words}" if len(some) == 1 else f"[{words}]"
    if origin is dict:
        return f"{type_words(inner[0], link)} -> {type_words(inner[1], link)}"
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return link(kind)
    return NAMES[kind]


def page() -> str:
    """The whole page."""
    pages = Pages()
    pages.lines += ["", "| file | what it holds |", "|---|---|"]
    pages.lines += [f"| `{name}` | {ABOUT[name]} |" for name in FILES]
    pages.lines += [f"| `{name}/` | {ABOUT[name]} |" for name in FOLDERS]
    pages.section("summary.json", "The figures of the run.", [Summary])
    pages.section(
        "requests.parquet",
        "One row per request. Columns that end in `_ns` are times on the clock of the agent that owns the request:\n"
        "only their differences mean something, and 0 means never.", [Extra, Span], leave_out=("request",))
    pages.section("manifest.json", "What was run, with what and where.", [Manifest])
    pages.section("plans.jsonl", "One line per plan; the renewal of its lease writes nothing.", [PlanRecord])
    pages.section("events.jsonl", "One line per event.", [Event])
    pages.lines += ["", "| `what` | who tells what, with the keys of `detail` |", "|---|---|"]
    pages.lines += [f"| `{kind}` | {words} |" for kind, words in EVENTS.items()]
    pages.section("processes.json", "A list of the run's processes.", [Process])
    pages.section("paths.jsonl", "Where the robots were, at most five lines per second.", [Poses])
    pages.section("scene.json", "The map, square and centred on the origin.", [Scene])
    return HEAD + "\n".join(pages.lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
