"""Figures of runs in virtual time beside those of the same runs in real time, over seeds, policies, loads and links.

The launch is raspberry_pis (scenario search_rescue) over loopback. At double load each stream has twice its rate.
`--links` adds the same with the same narrow link between all agents. A run that the host overloaded is made again, and
counts never. For each figure the means over the seeds are compared; `bar` is how far they may be apart, and whether it
`holds`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil

from swarm.bench.fidelity.agreement import Agreement, Figures, Pair, agreements
from swarm.bench.support.launched import end_with_sigterm, launch
from swarm.core.settings import validation
from swarm.core.settings.errors import BadInput
from swarm.core.settings.launch_file import LaunchFile
from swarm.launcher.load import load_launch
from swarm.run.settings.resolve import Options
from swarm.telemetry import table
from swarm.telemetry.text_table import text_table

NEEDS = ("jinja2", "matplotlib", "pyarrow", "pybullet", "scipy")
LAUNCH = "raspberry_pis"
POLICIES = ("local", "planner")
LOADS = {"normal": 1.0, "double": 2.0}       # rates of the streams, by those of the launch file
LINK = {"rate_mbps": 10, "delay_ms": 20, "loss": 0.02}
SEEDS, DURATION_S, REPEATS = 5, 30.0, 3
LEAST_S, MOST_S = 5.0, 600.0
BUSY = 0.1                           # share of the cores that others may use on a quiet host
LOOK_S = 1.0


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """What the runs of one row have in common."""

    policy: str
    load: str                        # key of LOADS
    links: bool

    def words(self, file: LaunchFile) -> list[str]:
        """The words of `swarm launch`."""
        words = [LAUNCH, "--ray", "none", "--policy", self.policy]
        for k, stream in enumerate(file.streams):
            words += ["--set", f"streams.{k}.rate_hz={stream.rate_hz * LOADS[self.load]:g}"]
        fleets = itertools.combinations_with_replacement([fleet.name for fleet in file.fleet], 2)
        links = {":".join(pair): LINK for pair in fleets}
        return [*words, "--set", f"links={json.dumps(links)}"] if self.links else words


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One cell. overloaded: runs in real time that do not count."""

    cell: Cell
    pairs: list[Pair]
    overloaded: int
    agreements: dict[str, Agreement]
    holds: bool | None               # None: no run counts


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--seeds", type=int, metavar="N", default=SEEDS, help=f"seeds 1 to N; default: {SEEDS}")
    p.add_argument("--duration", type=float, metavar="S", default=DURATION_S,
                   help=f"seconds of each run; default: {DURATION_S:g}")
    p.add_argument("--repeats", type=int, metavar="N", default=REPEATS,
                   help=f"tries of a run that the host overloads; default: {REPEATS}")
    p.add_argument("--links", action="store_true", help="the same with narrow links between the agents, too")


def cells(links: bool) -> list[Cell]:
    """The rows of the table."""
    return [Cell(policy=policy, load=load, links=narrow)
            for narrow in ([False, True] if links else [False]) for load in LOADS for policy in POLICIES]


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    """Raises: BadInput for an invalid number of seeds or tries, or duration."""
    for option, value, low, high in (("--seeds", given.seeds, 1, 1000), ("--repeats", given.repeats, 1, 100),
                                     ("--duration", given.duration, LEAST_S, MOST_S)):
        if not low <= value <= high:
            raise BadInput(option, validation.shown(value), f"from {low:g} to {high:g}")
    end_with_sigterm()
    flights = Flights(given.duration, given.repeats, progress)
    rows = [flights.row(cell, range(1, given.seeds + 1)) for cell in cells(given.links)]
    return {"host": "shared" if flights.busy > BUSY else "quiet", "busy": round(flights.busy, 3),
            "seeds": given.seeds, "duration_s": given.duration, "rows": msgspec.to_builtins(rows),
            "holds": all(row.holds for row in rows)}


class Flights:
    """Makes the runs. busy: the largest share of the cores that others used before a run in real time."""

    def __init__(self, duration_s: float, tries: int, progress: Callable[[str], None]) -> None:
        self._duration_s, self._tries, self._progress = duration_s, tries, progress
        self._file = load_launch(Options(launch=LAUNCH)).launch
        self.busy = 0.0

    def row(self, cell: Cell, seeds: Sequence[int]) -> Row:
        """All runs of a cell."""
        pairs, overloaded = list[Pair](), 0
        for seed in seeds:
            real = None
            for tried in range(self._tries):
                self.busy = max(self.busy, psutil.cpu_percent(LOOK_S) / 100.0)
                real = self._fly(cell, seed, "real", f", try {tried + 1}" if tried else "")
                if real is not None:
                    break
                overloaded += 1
            if real is not None:
                virtual = self._fly(cell, seed, "virtual")
                assert virtual is not None           # no host can overload it
                pairs.append(Pair(seed=seed, real=real, virtual=virtual))
        agreed = agreements(pairs)
        return Row(cell=cell, pairs=pairs, overloaded=overloaded, agreements=agreed,
                   holds=all(one.holds for one in agreed.values()) if agreed else None)

    def _fly(self, cell: Cell, seed: int, clock: str, note: str = "") -> Figures | None:
        """The figures of a run; None: the host was overloaded. Raises: RuntimeError if it fails."""
        self._progress(f"{cell.policy}, {cell.load} load{', links' if cell.links else ''}, seed {seed}: "
                       f"{clock} time{note}")
        words = [*cell.words(self._file), "--clock", clock, "--seed", str(seed), "--duration", f"{self._duration_s:g}"]
        with tempfile.TemporaryDirectory(prefix="fidelity-") as folder:
            out = Path(folder) / "run"
            summary = launch(words, out)
            return None if summary["host_overloaded"] else figures(summary, table.read(out / "requests.parquet"))


def figures(summary: dict[str, Any], requests: table.Columns) -> Figures:
    """What is compared of a run folder."""
    completed_ms = requests["latency_ms"][requests["ending"] == "completed"].astype(float)
    p50_ms, p95_ms = np.quantile(completed_ms, (0.5, 0.95)).tolist() if completed_ms.size else (0.0, 0.0)
    mission = summary["mission"]
    return Figures(on_time_ratio=summary["on_time_ratio"], p50_ms=round(p50_ms, 3), p95_ms=round(p95_ms, 3),
                   offload_share=summary["offload"]["share"], headline=float(mission[mission["headline"]]))


def as_text(figures: dict[str, Any]) -> str:
    """A row per cell and figure."""
    header = ("policy", "load", "links", "runs", "figure", "real", "virtual", "apart", "95 % interval", "bar", "")
    lines = [f"host: {figures['host']}"]
    lines += [f"{row['cell']['policy']}, {row['cell']['load']} load: {row['overloaded']} runs of an overloaded host do "
              f"not count" for row in figures["rows"] if row["overloaded"]]
    return "\n".join(lines) + "\n" + text_table(
        header, [line for row in figures["rows"] for line in _lines(row)], right=(3, 5, 6, 7, 8, 9))


def _lines(row: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    cell = row["cell"]
    for name, one in row["agreements"].items():
        interval = "{:+.3f} to {:+.3f}".format(*one["interval"]) if one["interval"] else "-"
        yield (cell["policy"], cell["load"], "narrow" if cell["links"] else "loopback", str(len(row["pairs"])), name,
               f"{one['real']:.3f}", f"{one['virtual']:.3f}", f"{one['difference']:+.3f}", interval,
               f"{one['bar']:g}", "" if one["holds"] else "FAILS")
