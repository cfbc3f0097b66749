"""The report's tables as plain data: streams, endings, predictions, robots, faults, events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from swarm.core.protocol.found import counted
from swarm.telemetry.figures.request_paths import breakdown
from swarm.telemetry.figures.request_paths.prediction import prediction
from swarm.telemetry.report.glossary import fault_name
from swarm.telemetry.report.runfiles import Run
from swarm.telemetry.report.side_by_side import (
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
EVENTS = 200                         # events that are listed
LABELS = 30                          # of one stream, the most frequent
WELL = ("ended", "left", "running", "")      # statuses of an agent that are no trouble


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


def labels(run: Run) -> Table:
    """Per stream: the labels of its results, by the number of results that have them."""
    rows = []
    for stream in run.streams:
        mine = [counted(str(said)) for name, said in zip(run.requests["stream"], run.requests["found"], strict=True)
                if name == stream and said]
        results = Counter(label for said in mine for label, _ in said)
        times = Counter[str]()
        for said in mine:
            times.update(dict(said))
        rows += [[stream, label, number(count), number(times[label])] for label, count in results.most_common(LABELS)]
    return Table(["stream", "label", "results", "times in all"], rows, (2, 3))


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
        board = boards.get(a.board)
        emulated = board.emulated if board is not None else run.summary.tool.emulated_boards
        how = "emulated board" if emulated else "the host as it is"
        if emulated and board is not None:
            how += f", {board.origin_of('speed')}: {board.source}"
        rows.append([
            name, f"{a.board} ({how})", a.status if a.status in WELL else Marked(a.status, "bad"),
            number(a.submitted), percent(a.on_time_ratio, of=a.due), percent(a.offload_share, of=a.submitted),
            number(served[name]), number(a.runs), number(a.overruns), percent(a.busy_share, of=a.starts),
            mebibytes(a.rss_bytes_max if a.starts else None)
            + (f" of {boards[a.board].memory_mb}" if a.starts and a.board in boards else "")])
    return Table(["robot", "board", "status", "requests", "on time", "offloaded", "served for peers", "runs",
                  "overruns", "busy", "memory"], rows, range(3, 11))


def batteries(run: Run) -> Table:
    """One line per robot that has a battery."""
    rows = [[name, percent(b.charge), percent(b.charge_least), percent(b.charge_mean),
             *(f"{joules:.1f}" for joules in (b.compute_j, b.radio_j, b.motion_j, b.charged_j)),
             Marked("empty", "bad") if b.empty else ""]
            for name, a in run.summary.agents.items() if (b := a.battery) is not None]
    head = ["robot", "charge at the end", "lowest", "mean", "computer, J", "radio, J", "motion, J", "charged, J", ""]
    return Table(head, rows, range(1, 8))


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
