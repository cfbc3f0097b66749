"""Lost requests and time to recover while processes are killed, stopped, restarted, partitioned, slowed and corrupted.

The bench runs the real command with the real launch file: five robots, planner and world, without Ray. Its boards are
sized so that a rover benefits from a carrier but copes alone: the bench measures survival, not lost capacity. A second
stream of the fast detector doubles the requests, since a loss of service is seen sooner in many. The seed draws the
order of the faults: PER_MINUTE of each kind, some of the planner, and DEATHS robots that stay dead; none at the begin
and the end of the run. A fault lasts at most 1 s. In a run of a minute or more, faults are at least 5 s apart, so that
each recovery is seen for itself; nearer ones are judged together. The same launch without faults is the control: the
times of the faults are judged in it, where nothing happened. Memory is sampled during the run.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from swarm.bench.support.launched import end_with_sigterm, launch
from swarm.bench.support.resident import Resident
from swarm.core.policy import draw
from swarm.core.protocol.bounds import Seed
from swarm.core.settings.errors import BadInput
from swarm.core.settings.validation import check
from swarm.telemetry import table
from swarm.telemetry.figures import stats
from swarm.telemetry.figures.due import of_columns
from swarm.telemetry.figures.recovery.judge import NEAR_S, Span, judge
from swarm.telemetry.text_table import text_table

NEEDS = ("jinja2", "matplotlib", "pyarrow", "pybullet", "scipy")
DURATION_S = 60.0
LEAST_S, MOST_S = 8.0, 1800.0        # the faults of a longer run do not fit into a command line
SEED = 1
DEATHS = 1                           # of five robots
PER_MINUTE = 0.5                     # faults of each kind, at least one: each recovery is seen for itself
JITTER = 0.25                        # of the time between two faults: how far one is moved, at most
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
QUIET_S = (12.0, 6.0)                # the same in seconds, at most
WARM_UP, WARM_UP_S = 0.2, 60.0       # time until memory is stable: share of the run, and at most seconds
SERVING_S = 2.0                      # at the end; each camera gives ten frames in this time
BOARD = "{{speed: {{fp32: {0}, int8: {0}}}, memory_mb: 4096, power_w: 5, source: swarm bench chaos}}"
BOARDS = {"small": 0.05, "large": 0.09}
WATCH = "{name: watch, on: [rover, carrier], model: detector, rate_hz: 5, deadline_s: 0.4, priority: 1}"
LAUNCH = ("raspberry_pis", "--ray", "none", "--set", "fleet.0.board=small", "--set", "fleet.1.board=large",
          "--set", "streams.1.rate_hz=0.5", "--set", f"streams.2={WATCH}",
          *(word for name, speed in BOARDS.items() for word in ("--set", f"boards.{name}={BOARD.format(speed)}")))

VERDICTS = ("not_hit", "recovered", "lasting", "too_few")

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
        return [{**kinds[i % len(kinds)]} for i in range(max(1, round(count)))]

    per_run = PER_MINUTE * duration_s / 60.0
    faults = [fault for kind in KINDS for fault in some(per_run, kind)]
    faults += some(duration_s / 60.0, *PLANNER) + some(DEATHS, {"kill": "any"})
    rng.shuffle(faults)
    gap_s = (duration_s - begin_s - end_s) / len(faults)
    spare_s = min(JITTER * gap_s, max(gap_s - NEAR_S - 0.1, 0.0)) / 2.0
    for i, fault in enumerate(faults):
        fault["at_s"] = round(begin_s + (i + 0.5) * gap_s + rng.uniform(-spare_s, spare_s), 3)
        if fault.get("restart") == "any" and fault["at_s"] > duration_s / 2:
            fault["restart"] = "rover"               # so that carriers run long enough to show memory growth
    return faults


def measure(duration_s: float, seed: int, out: Path) -> Figures:
    """One run with the faults, into a run folder. Raises: RuntimeError if the launch fails."""
    resident = Resident(out / "processes.json", min(WARM_UP_S, WARM_UP * duration_s))
    summary = launch(_words(duration_s, seed, schedule(seed, duration_s)), out, resident)
    return {**figures(summary, table.read(out / "requests.parquet"), resident), "seed": seed, "duration_s": duration_s}


def control(duration_s: float, seed: int, out: Path, faulty: Path) -> Figures:
    """The same run without faults, judged at the times of the faults of `faulty`. Raises: RuntimeError."""
    launch(_words(duration_s, seed, []), out)
    stated_s = {stream["name"]: stream["deadline_s"] for stream in json.loads(
        (out / "manifest.json").read_text(encoding="utf-8"))["launch"]["streams"]}
    frames = of_columns(table.read(out / "requests.parquet"), stated_s)
    spans = [Span(fault["done_s"], fault["ended_s"] or fault["done_s"]) for fault in _begun(_summary(faulty))]
    judged = judge(frames, spans)
    firsts = [judged[i] for i in _firsts([recovery.together for recovery in judged])]
    recovered = _recovery([(recovery.verdict, recovery.recover_s) for recovery in firsts])
    return {f"control_{name}": recovered[name] for name in ("judged", "hits", "too_few", "recover_p95_s")}


def _words(duration_s: float, seed: int, faults: Sequence[Mapping[str, Any]]) -> list[str]:
    return [*LAUNCH, "--duration", str(duration_s), "--seed", str(seed), "--set", f"faults={json.dumps(faults)}"]


def _summary(out: Path) -> Figures:
    return json.loads((out / "summary.json").read_text(encoding="utf-8"))


def _begun(summary: Mapping[str, Any]) -> list[Figures]:
    """Faults that began, in order of their begin."""
    return sorted((f for f in summary["faults"] if f["done_s"] is not None), key=lambda f: f["done_s"])


def figures(summary: Mapping[str, Any], requests: table.Columns, resident: Resident) -> Figures:
    """Figures of the run folder."""
    ran_s, begun = summary["ran_s"], _begun(summary)
    firsts = [begun[i] for i in _firsts([fault["together"] for fault in begun])]
    recovered = _recovery([(fault["verdict"], fault["recover_s"]) for fault in firsts])
    survivors = [name for name, agent in summary["agents"].items() if agent["status"] == "ended"]
    late = (requests["at_s"] >= ran_s - SERVING_S) & (requests["ending"] == "completed")
    grown = resident.growth_pct()
    serving = set(map(str, requests["agent"][late]))
    return {
        "faults": len(begun), "submitted": summary["requests"]["submitted"], "lost": summary["requests"]["lost"],
        "delivered_twice": summary["ledger"]["ended_twice"], **recovered,
        "rss_growth_pct": max(grown.values(), default=None), "survivors_serving": set(survivors) <= serving,
        "survivors": len(survivors), "silent": sorted(set(survivors) - serving),
        "on_time_ratio": summary["on_time_ratio"], "failed_by": summary["requests"]["failed_by"],
        "crashes": [f["target"] for f in begun if f["kind"] == "crash"],
        "host_overloaded": summary["host_overloaded"], "offload_share": summary["offload"]["share"],
        "rss_growth_pct_of": grown, "kinds": _kinds(begun),
    }


def _firsts(together: Sequence[int]) -> list[int]:
    """The place of the first fault of each group of faults that were judged together."""
    places = [0] if together else []
    while places and places[-1] + together[places[-1]] < len(together):
        places.append(places[-1] + together[places[-1]])
    return places


def _recovery(told: Sequence[tuple[str | None, float | None]]) -> Figures:
    """Verdicts, and the 95th percentile of the time to recover with its 95 % interval.

    A lasting loss counts as infinitely long, too few requests not at all. null: beyond the longest recovery; as the end
    of the interval also where too few faults bear it.
    """
    lasted_s = np.sort([math.inf if recover_s is None else recover_s
                        for verdict, recover_s in told if verdict != "too_few"])
    p95_s = lasted_s[math.ceil(0.95 * lasted_s.size) - 1] if lasted_s.size else math.inf
    interval_s = stats.quantile_interval(lasted_s, 0.95) if lasted_s.size else (0.0, math.inf)
    verdicts = [verdict for verdict, _ in told]
    return {"recover_p95_s": _finite(p95_s), "recover_p95_interval_s": [_finite(end_s) for end_s in interval_s],
            "judged": len(told), "hits": verdicts.count("recovered") + verdicts.count("lasting"),
            "lasting": verdicts.count("lasting"), "too_few": verdicts.count("too_few")}


def _finite(value_s: float) -> float | None:
    return round(max(float(value_s), 0.0), 3) if value_s < math.inf else None


def _kinds(begun: list[Figures]) -> dict[str, Figures]:
    """By kind: number of faults, how they were judged, longest recovery, and missed requests of those hit."""
    kinds: dict[str, Figures] = {}
    for kind in sorted({fault["kind"] for fault in begun}):
        some = [fault for fault in begun if fault["kind"] == kind]
        hits = [fault["hit"] for fault in some if fault["hit"]]
        kinds[kind] = {
            "faults": len(some), **{verdict: [f["verdict"] for f in some].count(verdict) for verdict in VERDICTS},
            "recover_max_s": max((f["recover_s"] for f in some if f["recover_s"] is not None), default=None),
            "missed": sum(hit["own_missed"] + hit["peers_missed"] for hit in hits),
            "of": sum(hit["own"] + hit["peers"] for hit in hits),
        }
    return kinds


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> Figures:
    """Raises: BadInput for an invalid duration or seed."""
    if not LEAST_S <= given.duration <= MOST_S:
        raise BadInput("--duration", f"{given.duration:g} s", f"from {LEAST_S:g} s to {MOST_S:g}")
    check(given.seed, Seed, "--seed")
    end_with_sigterm()
    progress(f"{given.duration:g} s with the faults of seed {given.seed}")
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        made = measure(given.duration, given.seed, Path(folder) / "run")
        progress(f"{given.duration:g} s without faults, to compare with")
        return {**made, **control(given.duration, given.seed, Path(folder) / "control", Path(folder) / "run")}


def as_text(figures: Figures) -> str:
    """Totals of the swarm, then a row per kind of fault."""
    rows = [(kind, f"{of['faults']}", *(f"{of[verdict]}" for verdict in VERDICTS), _seconds(of["recover_max_s"]),
             f"{of['missed']}", f"{of['of']}") for kind, of in figures["kinds"].items()]
    header = ("fault", "began", *(verdict.replace("_", " ") for verdict in VERDICTS), "longest", "requests missed",
              "of")
    serving = "all served at the end" if figures["survivors_serving"] else "NOT all served at the end"
    low_s, high_s = figures["recover_p95_interval_s"]
    return (
        f"{figures['faults']} faults in {figures['duration_s']:g} s: {figures['submitted']} requests, "
        f"{figures['lost']} lost, {figures['delivered_twice']} delivered twice; service recovered within "
        f"{_seconds(figures['recover_p95_s'])} (p95; {_seconds(low_s)} to {_seconds(high_s)}); without faults "
        f"{figures['control_hits']} of {figures['control_judged']} judged as a loss; memory grew by "
        f"{figures['rss_growth_pct']} %; {figures['survivors']} robots survived, {serving}\n"
        + text_table(header, rows, right=range(1, len(header))))


def _seconds(value_s: float | None) -> str:
    return "beyond the longest" if value_s is None else f"{value_s:g} s"
