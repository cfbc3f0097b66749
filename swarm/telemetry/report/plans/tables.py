"""The tables of plans as plain data: their changes, their forecasts beside what was observed, the last one in full."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from swarm.telemetry.figures.planner import FEWEST
from swarm.telemetry.report.plans.changes import Change, Stream, Way, runs_on
from swarm.telemetry.report.runfiles import Run
from swarm.telemetry.report.sections import Table
from swarm.telemetry.report.side_by_side import known, milliseconds, number, percent, seconds

MOVES = 8                            # streams that are named per change
PLANS = 30                           # newest plans that are listed
FORECASTS = 40                       # streams whose forecasts are listed


def plans(changes: list[Change]) -> tuple[Table, int]:
    """The newest plans in order, with their changes, and the number of earlier ones that are left out."""
    rows: list[list[object]] = []
    for change in changes:
        plan = change.plan
        rows.append([seconds(plan.at_s, 1), number(plan.epoch), plan.why or "-",
                     _moves(change.before, change.now) if rows else "the first plan", number(len(change.now)),
                     plan.solver, milliseconds(plan.solve_s * 1e3)])
    head = ["from", "epoch", "why", "what moved", "placements", "solver", "solved in"]
    return Table(head, rows[-PLANS:], (4, 6), (2, 3)), max(len(rows) - PLANS, 0)


def _moves(before: Mapping[Stream, Way], now: Mapping[Stream, Way]) -> str:
    """The changes from one plan to the next; equal changes are grouped."""
    moved: dict[str, list[str]] = {}
    for key in [*now, *(k for k in before if k not in now)]:
        if before.get(key) != now.get(key):
            change = _move(before.get(key), now.get(key))
            moved.setdefault(change, []).append(" ".join(key))
    changes = [f"{change}: {', '.join(keys[:MOVES])}" + (f" and {len(keys) - MOVES} more" if len(keys) > MOVES else "")
               for change, keys in moved.items()]
    return "; ".join(changes) or "no change"


def _move(before: Way | None, now: Way | None) -> str:
    if now is None:
        return "no longer placed"
    if before is None:
        return f"new, on {now.where}"
    if before.where == now.where:
        return f"{before.variant} → {now.variant} on {now.where}"
    return f"{before.where} → {now.where}"


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
        alike = (p.stream, runs_on(p), p.variant, milliseconds(p.predicted_s * 1e3), p.why)
        equal.setdefault(alike, []).append(p.agent)
    rows = []
    for (stream, where, variant, predicted, why), agents in sorted(equal.items(), key=lambda kv: (kv[0][0], kv[1])):
        there = (np.isin(c["agent"].astype(str), agents) & (c["stream"] == stream) & (c["at_s"] >= run.plans[-1].at_s)
                 & ~np.isnan(c["latency_ms"]))
        measured = milliseconds(float(c["latency_ms"][there].mean())) if there.any() else "-"
        rows.append([stream, ", ".join(agents), where, variant, predicted, measured, why])
    head = ["stream", "robots", "runs on", "variant", "predicted", "measured mean", "why"]
    return Table(head, rows, (4, 5), (1, 6))
