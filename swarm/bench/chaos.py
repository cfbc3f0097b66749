"""Lost requests and time to recover while processes are killed, stopped, restarted, partitioned, slowed and corrupted.

The bench runs the real command with the real launch file: eight robots, planner and world, without Ray. Its boards are
sized so that a rover benefits from a carrier but copes alone: the bench measures survival, not lost capacity. The seed
draws the faults: PER_MINUTE of each kind, some of the planner, and DEATHS robots that stay dead; none at the begin and
the end of the run. A fault lasts at most 1 s: long enough that members detect it and recover, short enough that most
faults end before the next one. The figures come from the run folder; memory is sampled during the run.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from swarm.bench.support.child import ENVIRONMENT, ISOLATED
from swarm.bench.support.resident import Resident
from swarm.core.policy import draw
from swarm.core.protocol.bounds import Seed
from swarm.core.settings.errors import BadInput
from swarm.core.settings.validation import check
from swarm.telemetry import table
from swarm.telemetry.text_table import text_table

NEEDS = ("jinja2", "matplotlib", "pyarrow", "pybullet")
DURATION_S = 60.0
LEAST_S, MOST_S = 8.0, 1800.0        # the faults of a longer run do not fit into a command line
SEED = 1
DEATHS = 2                           # of eight robots
PER_MINUTE = 4                       # faults of each kind
KINDS: tuple[dict[str, Any], ...] = (
    {"restart": "any"},
    {"stop": "any", "for_s": 0.8},
    {"partition": "random", "for_s": 1.0},
    {"slow": "any", "factor": 5.0, "for_s": 1.0},
    {"corrupt": "any", "share": 0.3, "for_s": 1.0},
    {"lose": "any", "share": 0.3, "for_s": 1.0},
)
PLANNER: tuple[dict[str, Any], ...] = ({"restart": "planner"}, {"stop": "planner", "for_s": 0.8})
QUIET = (0.15, 0.15)                 # share of the run without faults, at its begin and end
QUIET_S = (6.0, 6.0)                 # the same in seconds, at most
WARM_UP, WARM_UP_S = 0.2, 60.0       # time until memory is stable: share of the run, and at most seconds
SERVING_S = 2.0                      # at the end; each camera gives ten frames in this time
BOARD = "{{speed: {{fp32: {0}, int8: {0}}}, memory_mb: 4096, power_w: 5, source: swarm bench chaos}}"
BOARDS = {"small": 0.12, "large": 0.25}
LAUNCH = ("search_rescue", "--ray", "none", "--set", "fleet.0.board=small", "--set", "fleet.1.board=large",
          *(word for name, speed in BOARDS.items() for word in ("--set", f"boards.{name}={BOARD.format(speed)}")))

Figures = dict[str, Any]


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--duration", type=float, metavar="S", default=DURATION_S,
                   help=f"seconds of the run; default: {DURATION_S:g}")
    p.add_argument("--seed", type=int, metavar="N", default=SEED, help=f"seed of the faults; default: {SEED}")


def schedule(seed: int, duration_s: float) -> list[dict[str, Any]]:
    """Faults for a launch file, in order of time. The launch draws the targets."""
    begin_s, end_s = (min(most_s, share * duration_s) for most_s, share in zip(QUIET_S, QUIET, strict=True))
    rng = draw.stream(seed, "chaos")

    def some(count: float, *kinds: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [{"at_s": round(rng.uniform(begin_s, duration_s - end_s), 3), **kinds[i % len(kinds)]}
                for i in range(max(1, round(count)))]

    per_run = PER_MINUTE * duration_s / 60.0
    faults = [fault for kind in KINDS for fault in some(per_run, kind)]
    faults += some(duration_s / 60.0, *PLANNER) + some(DEATHS, {"kill": "any"})
    for fault in faults:
        if fault.get("restart") == "any" and fault["at_s"] > duration_s / 2:
            fault["restart"] = "rover"               # so that carriers run long enough to show memory growth
    return sorted(faults, key=lambda fault: fault["at_s"])


def measure(duration_s: float, seed: int, out: Path) -> Figures:
    """Run once, into a run folder. Raises: RuntimeError if the launch fails."""
    faults = schedule(seed, duration_s)
    command = [sys.executable, *ISOLATED, "-m", "swarm.cli.main", "launch", *LAUNCH, "--duration", str(duration_s),
               "--seed", str(seed), "--set", f"faults={json.dumps(faults)}", "--out", str(out), "--json"]
    resident = Resident(out / "processes.json", min(WARM_UP_S, WARM_UP * duration_s))
    with tempfile.TemporaryFile() as errors, subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=errors, env={**os.environ, **ENVIRONMENT}) as launch:
        try:
            while launch.poll() is None:
                resident.sample()
                resident.wait()
        finally:
            launch.terminate()                       # an orderly end if the bench was interrupted; else it has ended
        if launch.wait():
            errors.seek(0)
            raise RuntimeError(f"the launch ended with {launch.returncode}: {errors.read().decode()[-500:]}")
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    made = figures(summary, table.read(out / "requests.parquet"), resident)
    return {**made, "seed": seed, "duration_s": duration_s}


def figures(summary: Mapping[str, Any], requests: table.Columns, resident: Resident) -> Figures:
    """Figures of the run folder. Without recovery, a fault's time to recover is the remaining time of the run."""
    ran_s = summary["ran_s"]
    begun = [f for f in summary["faults"] if f["done_s"] is not None]
    recover_s = [_recover_s(fault, ran_s) for fault in begun]
    survivors = [name for name, agent in summary["agents"].items() if agent["status"] == "ended"]
    late = (requests["at_s"] >= ran_s - SERVING_S) & (requests["ending"] == "completed")
    grown = resident.growth_pct()
    serving = set(map(str, requests["agent"][late]))
    return {
        "faults": len(begun), "submitted": summary["requests"]["submitted"], "lost": summary["requests"]["lost"],
        "delivered_twice": summary["ledger"]["ended_twice"], "recover_p95_s": _quantile(recover_s, 0.95),
        "rss_growth_pct": max(grown.values(), default=None), "survivors_serving": set(survivors) <= serving,
        "survivors": len(survivors), "silent": sorted(set(survivors) - serving),
        "unrecovered": sum(f["recover_s"] is None for f in begun),
        "on_time_ratio": summary["on_time_ratio"], "failed_by": summary["requests"]["failed_by"],
        "crashes": [f["target"] for f in begun if f["kind"] == "crash"],
        "host_overloaded": summary["host_overloaded"], "offload_share": summary["offload"]["share"],
        "rss_growth_pct_of": grown, "kinds": _kinds(begun, ran_s),
    }


def _recover_s(fault: Mapping[str, Any], ran_s: float) -> float:
    return ran_s - fault["done_s"] if fault["recover_s"] is None else fault["recover_s"]


def _quantile(values_s: list[float], q: float) -> float | None:
    return round(float(np.quantile(values_s, q)), 3) if values_s else None


def _kinds(begun: list[dict[str, Any]], ran_s: float) -> dict[str, Figures]:
    """By kind: number of faults, seconds to recover, and missed requests of those hit."""
    kinds: dict[str, Figures] = {}
    for kind in sorted({fault["kind"] for fault in begun}):
        some = [fault for fault in begun if fault["kind"] == kind]
        took_s = [_recover_s(fault, ran_s) for fault in some]
        hits = [fault["hit"] for fault in some if fault["hit"]]
        kinds[kind] = {
            "faults": len(some), "recover_p50_s": _quantile(took_s, 0.5), "recover_max_s": round(max(took_s), 3),
            "missed": sum(hit["own_missed"] + hit["peers_missed"] for hit in hits),
            "of": sum(hit["own"] + hit["peers"] for hit in hits),
        }
    return kinds


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> Figures:
    """Raises: BadInput for an invalid duration or seed."""
    if not LEAST_S <= given.duration <= MOST_S:
        raise BadInput("--duration", f"{given.duration:g} s", f"from {LEAST_S:g} s to {MOST_S:g}")
    check(given.seed, Seed, "--seed")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))     # `measure` then ends the launch
    progress(f"{given.duration:g} s with the faults of seed {given.seed}")
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        return measure(given.duration, given.seed, Path(folder) / "run")


def as_text(figures: Figures) -> str:
    """Totals of the swarm, then a row per kind of fault."""
    rows = [(kind, f"{of['faults']}", f"{of['recover_p50_s']}", f"{of['recover_max_s']}", f"{of['missed']}",
             f"{of['of']}") for kind, of in figures["kinds"].items()]
    header = ("fault", "injected", "recovered s p50", "max", "requests missed", "of")
    serving = "all served at the end" if figures["survivors_serving"] else "NOT all served at the end"
    return (
        f"{figures['faults']} faults in {figures['duration_s']:g} s: {figures['submitted']} requests, "
        f"{figures['lost']} lost, {figures['delivered_twice']} delivered twice; service recovered within "
        f"{figures['recover_p95_s']} s (p95); memory grew by {figures['rss_growth_pct']} %; {figures['survivors']} "
        f"robots survived, {serving}\n" + text_table(header, rows, right=range(1, len(header))))
