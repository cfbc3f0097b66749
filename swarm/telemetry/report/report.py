"""`report.html`: the report of a run as one self-contained page."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from swarm.telemetry.figures import counterfactual
from swarm.telemetry.figures.remarks import remarks
from swarm.telemetry.recorder import FILES
from swarm.telemetry.report import charts, glossary, page, request_sections, sections, svg
from swarm.telemetry.report.map import world_map
from swarm.telemetry.report.side_by_side import (
    MEASURES_SHOWN,
    figure,
    labels,
    milliseconds,
    mission,
    number,
    percent,
    rows,
)
from swarm.telemetry.report.slowest import slowest
from swarm.telemetry.report.waterfall import waterfall
from swarm.telemetry.runfiles import Run, read_run

EMULATED = "Boards are emulated: the models ran on this host, with run times drawn from each board's profile."
OVERLOADED = ("The host was overloaded: more than 1 % of the emulated runs took longer than the board would have. "
              "The latencies of this run are too high. Repeat it on a less busy host.")

SLOWEST = """The slowest results of each stream, and some requests that ran out of time. Point at a segment to see its
times. A number in a bar is the leg of a chain. The moment of a preemption is not recorded, so its segment is drawn in
the middle of the run. An arrowhead marks the moment when an offloaded request was queued on its own robot: filled if
the guard fired, hollow if the offload failed (refused, or the peer was lost)."""
COUNTERFACTUAL = """When a robot routes a request, it predicts the latency on each agent. For a sample of requests it
also records the runner-up: the second best agent. The runner-up did not run, so its latency stays a prediction. Gain =
latency predicted for the runner-up - latency measured for the choice, with refusals and fallbacks. A negative gain
means that the runner-up would have been better, if the prediction is right. Corrected gain adds the median prediction
error of the stream. Requests without a result have no gain."""
GAIN_CHART = "Right of zero, the choice was better than the runner-up. Solid: corrected gain. Dotted: gain."


def write_report(folder: Path, compare: Sequence[Path] = ()) -> Path:
    """Make `report.html` in a run folder from the files of that folder; returns its path.

    Args: compare: folders of other runs, shown beside this one (the charts draw at most three).
    Raises: BadInput if a folder is not a run folder; OSError if the report cannot be written.
    """
    run = read_run(Path(folder))
    others = [read_run(Path(other)) for other in compare]
    final = run.folder / "report.html"
    tmp = final.with_name(final.name + ".tmp")
    tmp.write_text(render(run, others), encoding="utf-8")
    os.replace(tmp, final)
    return final


def render(run: Run, others: Sequence[Run] = ()) -> str:
    """The page; it depends on the files alone."""
    names = labels([run.summary or run.launch, *(o.summary or o.launch for o in others)])
    beside = list(zip(names[1:], others, strict=True))
    s, launch = run.summary, run.launch
    scenario = str(s.get("scenario") or launch.get("scenario") or run.folder.name)
    title = f"{scenario} · {s.get('policy') or launch.get('policy', '')} · seed {s.get('seed', launch.get('seed', ''))}"
    slow_requests = {name: slowest(run, name) for name in run.streams}
    with svg.styled():
        latency = [page.figure(charts.latency(run, name, beside)) for name in run.streams]
        waterfalls = [page.figure(waterfall(name, of_stream)) for name, of_stream in slow_requests.items()]
        mean_parts, runner_up = charts.mean_parts(run), charts.runner_up(run)
        over_time, the_map = charts.over_time(run, beside), world_map(run)
    listed, last = sections.plans(run)
    streams = page.section("streams", "Streams", sections.streams(run))
    endings = page.section("endings", "How requests ended", sections.endings(run))
    compared = page.section(
        "compared", "Side by side",
        page.table(["", *names], rows([s, *(o.summary for o in others)]), range(1, len(names) + 1)),
        lead="Each column is one run. Differences of a few percent may be noise.")
    return page.page(title, [
        f"<h1>{page.esc(title)}</h1>", f'<p class="sub">{page.esc(_subtitle(run))}</p>',
        *_banners(run), page.tiles(_headline(s)),
        page.row(compared, page.stack(streams, endings)) if others else page.row(streams, endings),
        page.section("latency", "Latency", page.cards(*latency),
                     lead="Share of results by latency. A curve further left is faster. Its height at the deadline is "
                          "the share of results on time. Failed requests have no latency and are not in the curves."),
        page.section("time", "Where the time went", page.cards(
            page.figure(mean_parts, "Mean latency per stream and origin of the result. Fell back: a peer was asked, "
                                    "but the robot's own result counted."),
            glossary.parts()) if mean_parts else ""),
        page.section("slowest", "Slowest requests", page.cards(*waterfalls), request_sections.slowest(slow_requests),
                     lead=SLOWEST if any(slow_requests.values()) else ""),
        page.section("choices", "Counterfactual: choice and runner-up",
                     page.cards(page.figure(runner_up, GAIN_CHART), request_sections.expectations(run)),
                     request_sections.runners_up(run),
                     lead=COUNTERFACTUAL if np.any(counterfactual.sampled(run.requests)) else ""),
        page.section("over-time", "Over the run", page.cards(
            page.stack(page.figure(over_time, "Bins of 5 s, by time of submission."), sections.marks(run)),
            page.figure(the_map, "Each robot's path and final place, and the mission's marks: done and not done."))),
        page.section("faults", "Faults", sections.faults(run) or "<p>There was no fault.</p>", sections.events(run)),
        page.section("robots", "Robots", sections.robots(run)),
        page.section("transport", "Transport", sections.transport(run)),
        page.section("plans", "Plans", listed, "<h3>The last plan, with its reasons</h3>" + last if last else "",
                     lead="" if run.plans else "There was no plan: each robot routed its own requests."),
        page.section("run", "The run", page.facts(_facts(run))),
        page.section("method", "What the words mean", glossary.method()),
    ])


def _subtitle(run: Run) -> str:
    s = run.summary
    if not s:
        return "This run did not finish."
    return (f"{s.get('robots')} robots · {s.get('ran_s', s.get('duration_s')):g} s · {s.get('clock')} clock · "
            f"network: {s.get('network')} · {number(figure(s, 'requests.submitted'))} requests")


def _banners(run: Run) -> list[str]:
    """Whether the run was accepted, and warnings about its figures."""
    s, shown = run.summary, []
    rules = s.get("accept", [])
    if s.get("accepted") is False:
        broken = [f"{r['key']} is {_value(r['value'])}, wanted {r['rule']}" for r in rules if not r.get("holds")]
        shown.append(page.banner("bad", "Not accepted", broken))
    elif rules:
        held = ", ".join(f"{r['key']} {r['rule']}" for r in rules)
        shown.append(page.banner("good", f"Accepted: {held}"))
    shown += [page.banner("bad", remark) for remark in remarks(s)]
    if s.get("host_overloaded"):
        shown.append(page.banner("bad", OVERLOADED))
    if figure(s, "requests.lost"):
        shown.append(page.banner("bad", f"{s['requests']['lost']} requests are lost: no ending was reported."))
    if figure(s, "tool.emulated_boards"):
        shown.append(page.banner("note", EMULATED))
    if s.get("unwritten"):
        shown.append(page.banner("note", "Not everything could be written: the disk was full, or files were removed.", [
            f"{name}: {number(count)} missing" for name, count in s["unwritten"].items()]))
    shown += [page.banner("note", note) for note in run.notes]
    return shown


def _value(value: Any) -> str:
    return "absent" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _headline(s: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    lost = figure(s, "requests.lost")
    return [
        ("on time", percent(figure(s, "on_time_ratio")), ""),
        ("requests lost", number(lost), "bad" if lost else ""),
        *((f"latency {p}", milliseconds(figure(s, f"latency_ms.{p}")), "") for p in ("p50", "p95", "p99")),
        ("offloaded", percent(figure(s, "offload.share")), ""),
        *((name, value, "") for name, value in mission(s)[:MEASURES_SHOWN]),
    ]


def _facts(run: Run) -> list[tuple[str, object]]:
    """Facts about the run, the machine and the processes."""
    s, m = run.summary, run.manifest
    host, offload, planner, preempted = m.get("host", {}), *(s.get(k, {}) for k in ("offload", "planner", "preempted"))
    first = s.get("first_result_s")
    anomalies = {k.replace("_", " "): v for k, v in s.get("ledger", {}).items() if v}
    return [
        ("command", " ".join(map(str, m.get("command", [])))),
        ("first result", "" if first is None else f"{first:.2f} s after the command"),
        ("offloads", f"{offload['guarded']} guarded, {offload['unguarded']} unguarded; {offload['guard_fired']} guards "
                     f"fired; {offload['peers']} peers gave results" if "guarded" in offload else ""),
        ("preempted", f"{preempted['requests']} requests, {preempted['times']} times in total; each was interrupted "
                      f"for {milliseconds(preempted['aside_ms_p95'])} (p95)"
         if preempted.get("requests") else ""),
        ("planner", f"{planner['plans']} plans, solved in {planner['solve_ms_p50']:.1f} ms (p50)"
                    f"{' by ' if planner.get('solver') else ''}{planner.get('solver', '')}"
         if planner.get("plans") else "no plans"),
        ("world", f"{s['world']['steps']} steps, real-time factor {s['world']['real_time_factor']:.3f}, lag p99 "
                  f"{s['world']['lag_ms_p99']:.1f} ms"
         if figure(s, "world.steps") else "no report"),
        ("mission", ", ".join(f"{name} {value}" for name, value in mission(s))),
        ("renderer", m.get("renderer", "")),
        ("host", ", ".join(str(v) for v in (host.get("processor"), f"{host.get('cores')} cores",
                                            f"{host.get('memory_mb')} MB", host.get("system")) if v) if host else ""),
        ("versions", ", ".join(f"{k} {v}" for k, v in m.get("versions", {}).items())),
        ("code revision", m.get("revision", "")),
        ("anomalies", ", ".join(f"{v} {k}" for k, v in anomalies.items()) or "none"),
        ("files", ", ".join(f for f in FILES[:-1] if (run.folder / f).exists())),
    ]
