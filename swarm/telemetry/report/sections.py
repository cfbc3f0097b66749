"""The report's tables: streams, endings, robots, plans, faults, events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from swarm.telemetry.report import page
from swarm.telemetry.report.glossary import fault_name
from swarm.telemetry.report.side_by_side import milliseconds, number, percent, quantile, share
from swarm.telemetry.runfiles import Run

QUANTILES = ("p50", "p95", "p99", "p95_all", "p99_all")
VERDICTS = {"not_hit": "no loss", "lasting": "lasting loss", "too_few": "too few requests to tell"}
MOVES = 8                            # streams that are named per change
PLANS = 30                           # newest plans that are listed
EVENTS = 200                         # events that are listed


def streams(run: Run) -> str:
    """One line per stream."""
    rows = []
    for name, s in run.summary.get("streams", {}).items():
        rows.append([f"{name} ({milliseconds(s.get('deadline_ms'))})", number(s.get("submitted")),
                     share(s.get("on_time_ratio"), s.get("on_time_interval")),
                     *(quantile(s, p) for p in QUANTILES), percent(s.get("offload_share"))])
    head = ["stream", "requests", "on time (95 % interval)", *(p.replace("_", " of ") for p in QUANTILES), "offloaded"]
    return page.table(head, rows, range(1, len(head)))


def endings(run: Run) -> str:
    """How requests ended, per stream."""
    c = run.requests
    if not c["ending"].size:
        return ""
    how = ["lost (open at the end)" if e == "open" else f"failed: {r or 'unknown'}" if e == "failed" else str(e)
           for e, r in zip(c["ending"], c["reason"], strict=True)]
    counts = Counter(zip(how, map(str, c["stream"]), strict=True))
    kinds = sorted(set(how), key=lambda k: (k.startswith("lost"), k.startswith("failed"), k))
    rows = []
    for kind in kinds:
        per_stream = [counts[kind, s] for s in run.streams]
        rows.append([kind, *map(number, per_stream), number(sum(per_stream)), percent(sum(per_stream) / len(how))])
    rows.append(["all", *(number(sum(counts[k, s] for k in kinds)) for s in run.streams), number(len(how)), "100.0 %"])
    return page.table(["ending", *run.streams, "all", "share"], rows, range(1, len(run.streams) + 3))


def robots(run: Run) -> str:
    """One line per robot."""
    c = run.requests
    served = Counter(str(r) for r, peer in zip(c["ran_on"], c["on_peer"], strict=True) if peer)
    emulated = run.summary.get("tool", {}).get("emulated_boards")
    boards = run.manifest.get("boards", {})
    rows = []
    for name, a in run.summary.get("agents", {}).items():
        board, status = str(a.get("board", "")), str(a.get("status", ""))
        how = "emulated board" if boards.get(board, {}).get("emulated", emulated) else "the host as it is"
        rows.append([
            name, f"{board} ({how})", page.Raw(f'<span class="bad">{page.esc(status)}</span>') if status not in (
                "ended", "running") else status, number(a.get("submitted", 0)), percent(a.get("on_time_ratio")),
            percent(a.get("offload_share")), number(served[name]), number(a.get("runs", 0)),
            number(a.get("overruns", 0)), percent(a.get("busy_share")), f"{a.get('rss_bytes_max', 0) / 2**20:.0f} MiB"])
    return page.table(["robot", "board", "status", "requests", "on time", "offloaded", "served for peers", "runs",
                       "overruns", "busy", "memory"], rows, range(3, 11))


def transport(run: Run) -> str:
    """The amount of messages, and the cost of their encryption."""
    t = run.summary.get("transport", {})
    if not t:
        return ""
    carried = (f"{number(t['messages'])} messages with {t['bytes'] / 2**20:.1f} MiB in total, sent and received by "
               "the robots; every connection is encrypted with CURVE, with keys made for this run.")
    cost = (f"{t['curve_cpu_s']:g} s of CPU time, {percent(t['curve_core_share'])} of a core: "
            f"{t['curve_us_per_message']:g} us per message and {t['curve_ns_per_byte']:g} ns per byte for both ends, "
            "measured on this machine after the run.")
    return page.facts((("carried", carried), ("cost of encryption", cost)))


def plans(run: Run) -> tuple[str, str]:
    """The plans in order with their changes, and the last plan in full with its reasons."""
    rows, before = [], {}
    for plan in run.plans:
        now = {(str(p.get("agent")), str(p.get("stream"))): _where(p) for p in plan.get("placements", [])}
        rows.append([f"{plan.get('at_s', 0):.1f} s", plan.get("epoch"), plan.get("solver"),
                     milliseconds(plan.get("solve_s", 0) * 1e3), len(now),
                     _moves(before, now) if rows else "the first plan"])
        before = now
    left_out = f'<p class="muted">{len(rows) - PLANS} earlier plans are left out.</p>' if len(rows) > PLANS else ""
    head = ["from", "epoch", "solver", "solved in", "placements", "changes"]
    listed = page.table(head, rows[-PLANS:], (3, 4), (5,))
    return left_out + listed, _last_plan(run)


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


def _last_plan(run: Run) -> str:
    if not run.plans:
        return ""
    c, start = run.requests, float(run.plans[-1].get("at_s", 0.0))
    equal: dict[tuple[Any, ...], list[str]] = {}             # robots with equal placements and reasons share a row
    for p in run.plans[-1].get("placements", []):
        key = (str(p.get("stream")), _where(p), p.get("variant"), p.get("predicted_s", 0.0), p.get("why", ""))
        equal.setdefault(key, []).append(str(p.get("agent")))
    rows = []
    for (stream, where, variant, predicted_s, why), agents in sorted(equal.items(), key=lambda kv: (kv[0][0], kv[1])):
        there = (np.isin(c["agent"].astype(str), agents) & (c["stream"] == stream) & (c["at_s"] >= start)
                 & ~np.isnan(c["latency_ms"]))
        measured = milliseconds(float(np.median(c["latency_ms"][there]))) if there.any() else "-"
        rows.append([stream, ", ".join(agents), where, variant, milliseconds(predicted_s * 1e3), measured, why])
    head = ["stream", "robots", "runs on", "variant", "predicted", "measured p50", "why"]
    return page.table(head, rows, (4, 5), (1, 6))


def _where(placement: dict[str, Any]) -> str:
    return " + ".join(str(w) for w in placement.get("where", []))


def faults(run: Run) -> str:
    """Each fault: its times, the requests that it hit, the on-time share around it, and the time to recover."""
    rows, left_out = [], dict[str, None]()
    for f in run.summary.get("faults", []):
        done_s, ended_s, hit = f.get("done_s"), f.get("ended_s"), f.get("hit") or {}
        if done_s is None:
            rows.append([f"{f.get('at_s')} s", fault_name(f), "", "did not begin", *[""] * 7])
            continue
        without_end = "not back" if f.get("kind") == "restart" else ""
        lasted = without_end if ended_s is None else f"{ended_s - done_s:.2f} s"
        counts = [f"{hit[f'{whose}_missed']} of {hit[whose]}" if hit else "" for whose in ("own", "peers")]
        rows.append([f"{f.get('at_s')} s", fault_name(f), f"{done_s:.2f} s", lasted, *counts, hit.get("lost_by", ""),
                     *(_level(f.get(name)) for name in ("before", "worst", "after")), recovered(f)])
        left_out |= dict.fromkeys(f.get("left_out", []))
    head = ["planned", "fault", "began", "lasted", "own missed", "peers' missed", "lost by", "on time before", "worst",
            "after", "recovered after"]
    noted = f'<p class="muted">Streams of {page.esc(", ".join(left_out))} are not in these shares: dead at the end.</p>'
    return page.table(head, rows, (0, *range(2, 11)), (1,)) + (noted if left_out else "")


def recovered(fault: Mapping[str, Any]) -> str:
    """The time to recover from a fault of `summary.json`, or why there is none."""
    text = VERDICTS.get(str(fault.get("verdict"))) or f"{fault.get('recover_s') or 0.0:.2f} s"
    return text + (f" ({fault['together']} faults judged together)" if fault.get("together", 1) > 1 else "")


def _level(level: Mapping[str, Any] | None) -> str:
    return share(level["share"], level["interval"]) if level and level["n"] else ""


def events(run: Run) -> str:
    """The events of the run, folded away."""
    rows = [[f"{e.get('at_s', 0):.2f} s", e.get("who", ""), e.get("what", ""),
             ", ".join(f"{k} {v}" for k, v in (e.get("detail") or {}).items())] for e in run.events]
    more = f", the first {EVENTS} are shown" if len(rows) > EVENTS else ""
    listed = page.table(["at", "process", "event", "detail"], rows[:EVENTS], (0,), (3,))
    return page.details(f"{len(rows)} events{more}", listed)


def marks(run: Run) -> str:
    """The marks of the scene, with the robot and the time at which each was done, in order of time."""
    mark, done = (str(run.scene.get(key, key)) for key in ("mark", "done"))
    rows = [[t.get("label", ""), f"({t.get('x_m', 0):.1f}, {t.get('y_m', 0):.1f})",
             *((t["done_by"], f"{t.get('done_at_s') or 0:.1f} s") if t.get("done_by") else (f"not {done}", ""))]
            for t in sorted(run.scene.get("marks") or [], key=lambda t: t.get("done_at_s") or float("inf"))]
    return page.table([mark, "x, y in m", f"{done} by", "at"], rows, (3,))
