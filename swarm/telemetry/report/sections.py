"""The report's tables as plain data: streams, endings, predictions, robots, plans, faults, events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from swarm.core.policy.plan import Placement
from swarm.telemetry.figures.planner import FEWEST
from swarm.telemetry.figures.request_paths import breakdown
from swarm.telemetry.figures.request_paths.prediction import prediction
from swarm.telemetry.report.glossary import fault_name
from swarm.telemetry.report.runfiles import Run
from swarm.telemetry.report.side_by_side import (
    known,
    mebibytes,
    milliseconds,
    number,
    percent,
    quantile,
    seconds,
    share,
)
from swarm.telemetry.report.slowest import Slow
from swarm.telemetry.summary_types import FaultRecord, Level

QUANTILES = ("p50", "p95", "p99", "p95_all", "p99_all")
VERDICTS = {"not_hit": "no loss", "lasting": "lasting loss", "too_few": "too few requests to tell"}
MOVES = 8                            # streams that are named per change
PLANS = 30                           # newest plans that are listed
FORECASTS = 40                       # streams whose forecasts are listed
EVENTS = 200                         # events that are listed
WELL = ("ended", "running", "")      # statuses of an agent that are no trouble


class Table(NamedTuple):
    """Header and rows. `numbers`: columns that are aligned to the right; `prose`: columns that may wrap."""

    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    numbers: Collection[int] = ()
    prose: Collection[int] = ()


class Marked(NamedTuple):
    """A cell in the colour of its mood: good or bad."""

    text: str
    mood: str


def streams(run: Run) -> Table:
    """One line per stream."""
    rows = []
    figures = run.figures.get("streams", {})
    for name, s in run.summary.streams.items():
        rows.append([f"{name} ({milliseconds(s.deadline_ms)})", number(s.due), number(s.submitted),
                     share(s.on_time_ratio, s.on_time_interval) if s.due else "-",
                     *(quantile(figures[name], p) for p in QUANTILES), percent(s.offload_share, of=s.completed)])
    head = ["stream", "due", "requests", "on time (95 % interval)", *(p.replace("_", " of ") for p in QUANTILES),
            "offloaded"]
    return Table(head, rows, range(1, len(head)))


def endings(run: Run) -> Table:
    """How requests ended, per stream."""
    c = run.requests
    how = ["lost (open at the end)" if ending == "open" else str(ending) if ending in ("completed", "late")
           else f"{ending}: {reason or 'unknown'}" for ending, reason in zip(c["ending"], c["reason"], strict=True)]
    counts = Counter(zip(how, map(str, c["stream"]), strict=True))
    kinds = sorted(set(how), key=lambda k: (k.startswith("lost"), k.startswith("missed"), k.startswith("failed"), k))
    rows = []
    for kind in kinds:
        per_stream = [counts[kind, s] for s in run.streams]
        rows.append([kind, *map(number, per_stream), number(sum(per_stream)), percent(sum(per_stream) / len(how))])
    if rows:
        rows.append(["all", *(number(sum(counts[k, s] for k in kinds)) for s in run.streams), number(len(how)),
                     "100.0 %"])
    return Table(["ending", *run.streams, "all", "share"], rows, range(1, len(run.streams) + 3))


def predictions(run: Run) -> Table:
    """Per stream: the latency predicted when its requests were routed, beside the measured one."""
    rows = [[stream, number(p.results), milliseconds(p.predicted_ms), milliseconds(p.measured_ms),
             f"{p.error_ms:+.1f} ms", f"{p.measured_ms / p.predicted_ms:.2f} x"]
            for stream in run.streams if (p := prediction(run.requests, stream)).results]
    return Table(["stream", "results", "predicted", "measured", "measured - predicted", "measured / predicted"], rows,
                 range(1, 6))


def slowest(slow: Mapping[str, Sequence[Slow]]) -> Table:
    """The slowest requests of each stream, with the parts of their time."""
    rows = []
    for stream, requests in slow.items():
        for s in requests:
            spent_ms: dict[str, float] = dict.fromkeys(breakdown.PARTS, 0.0)
            for segment in s.segments:
                spent_ms[segment.part] += segment.end_ms - segment.start_ms
            rows.append([s.request, stream, s.where, s.model, seconds(s.at_s), s.ending_text,
                         milliseconds(s.deadline_ms), *(f"{ms:.1f}" if ms else "" for ms in spent_ms.values())])
    head = ["request", "stream", "ran on", "model", "at", "took", "deadline", *(f"{p}, ms" for p in breakdown.PARTS)]
    return Table(head, rows, range(4, len(head)))


def robots(run: Run) -> Table:
    """One line per robot."""
    c = run.requests
    served = Counter(str(r) for r, peer in zip(c["ran_on"], c["on_peer"], strict=True) if peer)
    boards = run.manifest.boards
    rows = []
    for name, a in run.summary.agents.items():
        emulated = boards[a.board].emulated if a.board in boards else run.summary.tool.emulated_boards
        how = "emulated board" if emulated else "the host as it is"
        rows.append([
            name, f"{a.board} ({how})", a.status if a.status in WELL else Marked(a.status, "bad"),
            number(a.submitted), percent(a.on_time_ratio, of=a.due), percent(a.offload_share, of=a.submitted),
            number(served[name]), number(a.runs), number(a.overruns), percent(a.busy_share, of=a.starts),
            mebibytes(a.rss_bytes_max if a.starts else None)])
    return Table(["robot", "board", "status", "requests", "on time", "offloaded", "served for peers", "runs",
                  "overruns", "busy", "memory"], rows, range(3, 11))


def plans(run: Run) -> tuple[Table, int]:
    """The newest plans in order, with their changes, and the number of earlier ones that are left out."""
    rows: list[list[object]] = []
    before: dict[tuple[str, str], str] = {}
    for plan in run.plans:
        now = {(p.agent, p.stream): _where(p) for p in plan.placements}
        rows.append([seconds(plan.at_s, 1), number(plan.epoch), plan.solver, milliseconds(plan.solve_s * 1e3),
                     number(len(now)), _moves(before, now) if rows else "the first plan"])
        before = now
    head = ["from", "epoch", "solver", "solved in", "placements", "changes"]
    return Table(head, rows[-PLANS:], (3, 4), (5,)), max(len(rows) - PLANS, 0)


def _moves(before: Mapping[tuple[str, str], str], now: Mapping[tuple[str, str], str]) -> str:
    """The changes from one plan to the next; equal changes are grouped."""
    moved: dict[str, list[str]] = {}
    for key in [*now, *(k for k in before if k not in now)]:
        if before.get(key) != now.get(key):
            change = ("no longer placed" if key not in now else f"new, on {now[key]}" if key not in before
                      else f"{before[key]} → {now[key]}")
            moved.setdefault(change, []).append(" ".join(key))
    changes = [f"{change}: {', '.join(keys[:MOVES])}" + (f" and {len(keys) - MOVES} more" if len(keys) > MOVES else "")
               for change, keys in moved.items()]
    return "; ".join(changes) or "no change"


def forecasts(run: Run) -> Table:
    """The share on time of each stream of each robot beside its forecast, the worst surprises first."""
    known_ones = [(name, f) for name, f in run.summary.forecast.items() if known(f.error_on_time)]
    found = sorted(known_ones, key=lambda kv: (-abs(kv[1].error_on_time), kv[0]))
    rows = [[name, number(f.frames), percent(f.predicted_on_time),
             f"{percent(f.low_on_time)} to {percent(f.high_on_time)}", percent(f.measured_on_time),
             f"{100 * f.error_on_time:+.1f}", milliseconds(f.predicted_ms_p95), milliseconds(f.measured_ms_p95)]
            for name, f in found[:FORECASTS]]
    return Table(["stream", "frames", "forecast on time", "95 % interval", "observed", "points", "forecast p95",
                  "observed p95"], rows, range(1, 8))


def intervals(run: Run) -> str:
    """How often forecasts held, in words; empty: there was nothing to count."""
    of = run.summary.forecast_intervals
    if not of.pairs > 0:
        return ""
    return (f"Of {number(of.pairs)} pairs of a stream and a plan with at least {FEWEST} frames, {number(of.covered)} "
            f"({percent(of.covered_share)}) had their share on time inside the 95 % interval of its forecast, widened "
            f"for the number of frames; {number(of.left_out)} pairs are left out.")


def last_plan(run: Run) -> Table:
    """The last plan in full, with its reasons. Robots with equal placements and reasons share a row."""
    c = run.requests
    equal: dict[tuple[Any, ...], list[str]] = {}
    for p in run.plans[-1].placements if run.plans else ():
        equal.setdefault((p.stream, _where(p), p.variant, milliseconds(p.predicted_s * 1e3), p.why), []).append(p.agent)
    rows = []
    for (stream, where, variant, predicted, why), agents in sorted(equal.items(), key=lambda kv: (kv[0][0], kv[1])):
        there = (np.isin(c["agent"].astype(str), agents) & (c["stream"] == stream) & (c["at_s"] >= run.plans[-1].at_s)
                 & ~np.isnan(c["latency_ms"]))
        measured = milliseconds(float(c["latency_ms"][there].mean())) if there.any() else "-"
        rows.append([stream, ", ".join(agents), where, variant, predicted, measured, why])
    head = ["stream", "robots", "runs on", "variant", "predicted", "measured mean", "why"]
    return Table(head, rows, (4, 5), (1, 6))


def _where(placement: Placement) -> str:
    return " + ".join(placement.where)


def faults(run: Run) -> Table:
    """Each fault: its times, the requests that it hit, the on-time share around it, and the time to recover."""
    rows = []
    for f in run.summary.faults:
        done_s, ended_s, hit = f.done_s, f.ended_s, f.hit
        if done_s is None:
            rows.append([seconds(f.at_s, None), fault_name(f), "", "did not begin", *[""] * 7])
            continue
        without_end = "not back" if f.kind == "restart" else ""
        lasted = without_end if ended_s is None else seconds(ended_s - done_s)
        counts = ["", "", ""] if hit is None else [
            f"{number(hit.own_missed)} of {number(hit.own)}", f"{number(hit.peers_missed)} of {number(hit.peers)}",
            number(hit.lost_by)]
        rows.append([seconds(f.at_s, None), fault_name(f), seconds(done_s), lasted, *counts,
                     *(_level(level) for level in (f.before, f.worst, f.after)), recovered(f)])
    head = ["planned", "fault", "began", "lasted", "own missed", "peers' missed", "lost by", "on time before", "worst",
            "after", "recovered after"]
    return Table(head, rows, (0, *range(2, 11)), (1,))


def left_out(run: Run) -> str:
    """The robots whose streams are not in the on-time shares of the faults."""
    return ", ".join(dict.fromkeys(name for fault in run.summary.faults for name in fault.left_out))


def recovered(fault: FaultRecord) -> str:
    """The time to recover from a fault, or why there is none."""
    text = VERDICTS.get(str(fault.verdict)) or seconds(fault.recover_s)
    return text + (f" ({fault.together} faults judged together)" if fault.together > 1 else "")


def _level(level: Level | None) -> str:
    return share(level.share, level.interval) if level and level.n > 0 else ""


def events(run: Run) -> Table:
    """The first events of the run."""
    rows = [[seconds(e.at_s), e.who, e.what, ", ".join(f"{k} {v}" for k, v in e.detail.items())]
            for e in run.events[:EVENTS]]
    return Table(["at", "process", "event", "detail"], rows, (0,), (3,))


def marks(run: Run) -> Table:
    """The marks of the scene, with the robot and the time at which each was done, in order of time."""
    done = run.scene.done
    rows = [[m.label, f"({m.x_m:.1f}, {m.y_m:.1f})",
             *((m.done_by, seconds(m.done_at_s, 1)) if m.done_by else (f"not {done}", ""))]
            for m in sorted(run.scene.marks, key=lambda m: float("inf") if m.done_at_s is None else m.done_at_s)]
    return Table([run.scene.mark, "x, y in m", f"{done} by", "at"], rows, (3,))
