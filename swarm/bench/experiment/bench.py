"""The cost of an experiment around its runs, its resume, two workers against one, and kills at any moment.

`overhead_ms_per_point`: empty runs that leave the files of a small one. `resume_s`: a command with nothing to fly.
`speedup_2`: the same points in virtual time, by turns. The coordinator is killed at drawn moments, and resumed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from swarm.bench.experiment import kills
from swarm.bench.experiment.points import METRIC, Empty, experiment, flight_s, small_run
from swarm.bench.support.host import host_state
from swarm.core.clock import MonotonicClock
from swarm.core.protocol.bounds import Seed
from swarm.core.settings.errors import BadInput
from swarm.core.settings.validation import check
from swarm.core.units import seconds
from swarm.experiments.design.sweep import Ran
from swarm.experiments.experiment import Experiment
from swarm.experiments.launches import code_hash
from swarm.experiments.store import POINTS, Store
from swarm.telemetry.provenance import revision
from swarm.telemetry.text_table import text_table

NEEDS = ("pybullet", "pyarrow", "scipy")
KILLS, MOST_KILLS, SEED = 50, 1000, 1
BARS = {"overhead_ms_per_point": ("at most", 20.0), "resume_s": ("at most", 5.0), "speedup_2": ("at least", 1.7),
        "lost_points": ("at most", 0), "doubled": ("at most", 0), "reran": ("at most", kills.JOBS)}
EMPTY = (20, 20)                     # combinations and seeds of empty runs
DONE = (500, 20)                     # of the experiment that is resumed
REAL = (4, 4)                        # of points that are flown by one worker and by two
REAL_ROBOTS, REAL_S = 8, 10.0
TURNS = 3


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--kills", type=int, metavar="N", default=KILLS, help=f"of the coordinator; default: {KILLS}")
    p.add_argument("--seed", type=int, metavar="N", default=SEED, help=f"of their moments; default: {SEED}")


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    """Raises: BadInput for an invalid number of kills or seed."""
    if not 1 <= given.kills <= MOST_KILLS:
        raise BadInput("--kills", f"{given.kills}", f"from 1 to {MOST_KILLS}")
    check(given.seed, Seed, "--seed")
    host = host_state()
    with tempfile.TemporaryDirectory(prefix="swarm-") as name:
        folder = Path(name)
        files = small_run(experiment(folder, "small", 2, 1))
        figures = {"host": host, "cores": len(os.sched_getaffinity(0)), "overhead_ms_per_point": overhead_ms(
            files, folder, progress), **resumed(files, folder, progress), **speedup(folder, progress)}
        killed = kills.killed(given.kills, given.seed, files, folder, progress)
    figures |= {"kills": killed.kills, "kills_in_flight": killed.in_flight, "killed_points": killed.points,
                "lost_points": killed.lost_points, "doubled": killed.doubled, "reran": max(killed.reran)}
    return {"met": all(map(met, BARS, (figures[name] for name in BARS))), **figures}


def overhead_ms(files: Mapping[str, bytes], folder: Path, progress: Callable[[str], None]) -> float:
    """Of a point whose run is empty, with one worker."""
    progress("empty runs")
    empty = experiment(folder, "empty", *EMPTY)
    took_s = [flight_s(empty, folder / f"empty-{k}", 1, Empty(files)) for k in range(TURNS)]
    return round(1e3 * statistics.median(took_s) / (EMPTY[0] * EMPTY[1]), 2)


def resumed(files: Mapping[str, bytes], folder: Path, progress: Callable[[str], None]) -> dict[str, Any]:
    """The time of a command that finds all points done, and how many these are."""
    progress("an experiment that is done")
    done = experiment(folder, "done", *DONE)
    points = _done(done, files, folder / "done")
    command = [sys.executable, "-m", "swarm.cli.main", "experiment", "run", str(done.path), "--out",
               str(folder / "done"), "--resume", "--json"]
    clock, took_s = MonotonicClock(), list[float]()
    for turn in range(TURNS):
        progress(f"resume {turn + 1} of {TURNS}")
        began_ns = clock.now_ns()
        told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        took_s.append(seconds(clock.now_ns() - began_ns))
        assert (told["flown"], told["valid"]) == (0, points), told
    return {"resume_s": round(statistics.median(took_s), 2), "done_points": points, "done_combinations": DONE[0]}


def _done(of: Experiment, files: Mapping[str, bytes], out: Path) -> int:
    """Write the folder of an experiment whose points have all run. Returns their number."""
    points = [point for block in of.blocks(of.seeds) for point in block]
    code, first = code_hash(), out / POINTS / points[0].id
    store = Store(out, of.path.read_text(encoding="utf-8"), resume=False)
    store.keep(points[0].id, files)
    for k, point in enumerate(points):
        if k:
            (out / POINTS / point.id).mkdir()
            for name in files:
                os.link(first / name, out / POINTS / point.id / name)
        store.record(Ran(id=point.id, took_s=1.0, code=code, revision=revision(), values={METRIC: 1.0 / (1 + k % 7)}))
    store.close()
    return len(points)


def speedup(folder: Path, progress: Callable[[str], None]) -> dict[str, Any]:
    """Points per second with two workers over those with one."""
    real = experiment(folder, "real", *REAL, robots=REAL_ROBOTS, duration_s=REAL_S)
    one, two = list[float](), list[float]()
    for turn in range(TURNS):
        for jobs, took_s in ((1, one), (2, two)):
            progress(f"points with {jobs} of 2 workers, turn {turn + 1} of {TURNS}")
            took_s.append(flight_s(real, folder / f"real-{turn}-{jobs}", jobs))
    ratios = sorted(a / b for a, b in zip(one, two, strict=True))
    return {"speedup_2": round(statistics.median(ratios), 3), "speedup_2_of_turns": [round(r, 3) for r in ratios],
            "points_per_s": [round(REAL[0] * REAL[1] / statistics.median(took_s), 2) for took_s in (one, two)]}


def met(figure: str, value: float) -> bool:
    """Whether a figure meets its bar."""
    sign, bar = BARS[figure]
    return value <= bar if sign == "at most" else value >= bar


def as_text(figures: dict[str, Any]) -> str:
    """A row for each bar."""
    rows = [[name, f"{figures[name]:g}", f"{sign} {bar:g}", "met" if met(name, figures[name]) else "not met"]
            for name, (sign, bar) in BARS.items()]
    counts = (f"{figures['done_points']} points of {figures['done_combinations']} combinations were resumed; "
              f"{figures['kills']} kills over {figures['killed_points']} points, {figures['kills_in_flight']} of them "
              "with runs in flight")
    return "\n".join([
        text_table(["figure", "measured", "bar", ""], rows).rstrip(), counts,
        f"host: {figures['host']}, {figures['cores']} cores"])
