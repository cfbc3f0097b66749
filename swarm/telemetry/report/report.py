"""`report.html`: what a run did, on one page that needs nothing but itself."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from swarm.telemetry.figures import counterfactual
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

EMULATED = "Boards are emulated: models really ran on this host, and run times were drawn from each board's profile."
OVERLOADED = ("The host was overloaded: more than 1 % of the emulated runs took longer than the board would have. "
              "Latencies of this run are too slow; repeat it on a quieter host.")

SLOWEST = """The slowest results of each stream, and some requests that failed for want of time. Point at a segment for
its times. A number in a bar is the leg of a chain. When within its run a request was set aside is not recorded: that
stretch is drawn in the middle. An arrowhead marks where a request that was out at peers was queued at home: filled when
its guard fired, hollow when it was refused or its peer was lost."""
OTHER = """For a sample of requests each robot wrote down, when it decided where one runs, the next best agent and the
latency it expected of that. Nobody ran the other choice: its latency remains an expectation. Gain is what was expected
of the other less what the choice made really took, refusals and fallbacks included; below zero, the other would have
been better, had the expectation held. Corrected adds the median error of the stream's own expectations, as if the
other's had been off alike. Requests without a result have no gain."""
OTHER_CHART = "Right of zero the choice made was the better one. Solid: corrected. Dotted: as expected."


def write_report(folder: Path, compare: Sequence[Path] = ()) -> Path:
    """Make `report.html` in a run folder from that folder's files; returns its path.

    Args: compare: folders of other runs, shown beside this one (three at most have colours of their own).
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
    """The page; the same files give the same page."""
    names = labels([run.summary or run.launch, *(o.summary or o.launch for o in others)])
    beside = list(zip(names[1:], others, strict=True))
    s, launch = run.summary, run.launch
    scenario = str(s.get("scenario") or launch.get("scenario") or run.folder.name)
    title = f"{scenario} · {s.get('policy') or launch.get('policy', '')} · seed {s.get('seed', launch.get('seed', ''))}"
    slow = {name: slowest(run, name) for name in run.streams}
    with svg.styled():
        latency = [page.figure(charts.latency(run, name, beside)) for name in run.streams]
        waterfalls = [page.figure(waterfall(name, of_stream)) for name, of_stream in slow.items()]
        mean_parts, other_choice = charts.mean_parts(run), charts.other_choice(run)
        over_time, the_map = charts.over_time(run, beside), world_map(run)
    listed, last = sections.plans(run)
    streams = page.section("streams", "Streams", sections.streams(run))
    endings = page.section("endings", "How requests ended", sections.endings(run))
    compared = page.section(
        "compared", "Side by side",
        page.table(["", *names], rows([s, *(o.summary for o in others)]), range(1, len(names) + 1)),
        lead="One run each: differences of a few percent may be noise.")
    return page.page(title, [
        f"<h1>{page.esc(title)}</h1>", f'<p class="sub">{page.esc(_subtitle(run))}</p>',
        *_banners(run), page.tiles(_headline(s)),
        page.row(compared, page.stack(streams, endings)) if others else page.row(streams, endings),
        page.section("latency", "Latency", page.cards(*latency),
                     lead="How many results came within a time; a curve further left is faster, and what a curve "
                          "reaches at the deadline came in time. Requests that failed have no latency."),
        page.section("time", "Where the time went", page.cards(
            page.figure(mean_parts, "Means per stream and by where the result came from. Fell back: a peer was asked, "
                                    "and the robot's own result counted."),
            glossary.parts()) if mean_parts else ""),
        page.section("slowest", "Slowest requests", page.cards(*waterfalls), request_sections.slowest(slow),
                     lead=SLOWEST if any(slow.values()) else ""),
        page.section("choices", "What the other choice would have taken",
                     page.cards(page.figure(other_choice, OTHER_CHART), request_sections.expectations(run)),
                     request_sections.other_choices(run),
                     lead=OTHER if np.any(counterfactual.sampled(run.requests)) else ""),
        page.section("over-time", "Over the run", page.cards(
            page.stack(page.figure(over_time, "Bins of five seconds by time of submission."), sections.marks(run)),
            page.figure(the_map, "The way of each robot and where it ended; what was dealt with and what was not."))),
        page.section("faults", "Faults", sections.faults(run) or "<p>No fault was planned.</p>", sections.events(run)),
        page.section("robots", "Robots", sections.robots(run)),
        page.section("transport", "Transport", sections.transport(run)),
        page.section("plans", "Plans", listed, "<h3>The last plan: who runs what, and why</h3>" + last if last else "",
                     lead="" if run.plans else "No plan was made: each robot routed by its own policy."),
        page.section("run", "The run", page.facts(_facts(run))),
        page.section("method", "What the words mean", glossary.method()),
    ])


def _subtitle(run: Run) -> str:
    s = run.summary
    if not s:
        return "A run that did not come to its end."
    return (f"{s.get('robots')} robots · {s.get('ran_s', s.get('duration_s')):g} s · {s.get('clock')} clock · "
            f"network: {s.get('network')} · {number(figure(s, 'requests.submitted'))} requests")


def _banners(run: Run) -> list[str]:
    """Accepted or not and why, and what a reader must know before believing a figure."""
    s, shown = run.summary, []
    rules = s.get("accept", [])
    if s.get("accepted") is False:
        broken = [f"{r['key']} is {_value(r['value'])}, wanted {r['rule']}" for r in rules if not r.get("holds")]
        shown.append(page.banner("bad", "Not accepted", broken))
    elif rules:
        held = ", ".join(f"{r['key']} {r['rule']}" for r in rules)
        shown.append(page.banner("good", f"Accepted: {held}"))
    if s.get("host_overloaded"):
        shown.append(page.banner("bad", OVERLOADED))
    if figure(s, "requests.lost"):
        shown.append(page.banner("bad", f"{s['requests']['lost']} requests are lost: nobody heard how they ended."))
    if figure(s, "tool.emulated_boards"):
        shown.append(page.banner("note", EMULATED))
    if s.get("unwritten"):
        shown.append(page.banner("note", "Not all of the run was written: the disk took no more for a while.", [
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
    """What was run, on what, and how the machinery did."""
    s, m = run.summary, run.manifest
    host, offload, planner, aside = m.get("host", {}), *(s.get(k, {}) for k in ("offload", "planner", "preempted"))
    first = s.get("first_result_s")
    odd = {k.replace("_", " "): v for k, v in s.get("ledger", {}).items() if v}
    return [
        ("command", " ".join(map(str, m.get("command", [])))),
        ("first result", "" if first is None else f"{first:.2f} s after the command"),
        ("offloads", f"{offload['guarded']} guarded, {offload['unguarded']} unguarded; {offload['guard_fired']} fell "
                     f"back; {offload['peers']} peers gave results" if "guarded" in offload else ""),
        ("set aside", f"{aside['requests']} requests, {aside['times']} times in all; a request's run stood still for "
                      f"{milliseconds(aside['aside_ms_p95'])} (p95)"
         if aside.get("requests") else ""),
        ("planner", f"{planner['plans']} plans, solved in {planner['solve_ms_p50']:.1f} ms (p50)"
                    f"{' by ' if planner.get('solver') else ''}{planner.get('solver', '')}"
         if planner.get("plans") else "no plans"),
        ("world", f"{s['world']['steps']} steps, real-time factor {s['world']['real_time_factor']:.3f}, lag p99 "
                  f"{s['world']['lag_ms_p99']:.1f} ms"
         if figure(s, "world.steps") else "no news came"),
        ("mission", ", ".join(f"{name} {value}" for name, value in mission(s))),
        ("renderer", m.get("renderer", "")),
        ("host", ", ".join(str(v) for v in (host.get("processor"), f"{host.get('cores')} cores",
                                            f"{host.get('memory_mb')} MB", host.get("system")) if v) if host else ""),
        ("versions", ", ".join(f"{k} {v}" for k, v in m.get("versions", {}).items())),
        ("code revision", m.get("revision", "")),
        ("odd news", ", ".join(f"{v} {k}" for k, v in odd.items()) or "none"),
        ("files", ", ".join(f for f in FILES[:-1] if (run.folder / f).exists())),
    ]
