"""`report.html`: the report of a run as one self-contained page. Its words and its layout are in `templates/`."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import msgspec

from swarm.telemetry.figures.remarks import remarks, settings
from swarm.telemetry.figures.request_paths import breakdown
from swarm.telemetry.recorder import FILES
from swarm.telemetry.report import charts, glossary, sections, side_by_side, svg
from swarm.telemetry.report.map import world_map
from swarm.telemetry.report.over_time import over_time
from swarm.telemetry.report.plans import tables
from swarm.telemetry.report.plans.changes import changes
from swarm.telemetry.report.plans.maps import plan_maps
from swarm.telemetry.report.runfiles import Run, read_run
from swarm.telemetry.report.side_by_side import (
    MEASURES_SHOWN,
    figure,
    known,
    labels,
    mebibytes,
    milliseconds,
    mission,
    number,
    percent,
    quantile,
    seconds,
    share,
)
from swarm.telemetry.report.slowest import slowest
from swarm.telemetry.report.waterfall import waterfall
from swarm.telemetry.summary_types import PlannerFigures


def write_report(folder: Path, compare: Sequence[Path] = ()) -> Path:
    """Make `report.html` in a run folder from the files of that folder; returns its path.

    Args: compare: folders of other runs, shown beside this one (the charts draw at most three).
    Raises: BadInput if a folder is not a run folder; OSError if the report cannot be written.
    """
    run = read_run(Path(folder))
    others = [read_run(Path(other)) for other in compare]
    final = run.folder / "report.html"
    tmp = final.with_name(final.name + ".tmp")
    tmp.write_text(render(contents(run, others), drawn(run, others)), encoding="utf-8")
    os.replace(tmp, final)
    return final


def render(words: Mapping[str, Any], drawings: Mapping[str, Sequence[str]]) -> str:
    """The page from `contents` and `drawn`."""
    return _templates().get_template("page.html").render(**words, drawings=drawings)


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(loader=jinja2.PackageLoader("swarm.telemetry.report"), autoescape=True,
                              undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def drawn(run: Run, others: Sequence[Run] = ()) -> dict[str, list[str]]:
    """The charts of each place on the page, as SVG."""
    with svg.styled():
        return {place: [svg.inline(drawing) for drawing in made if drawing is not None]
                for place, made in charts_of(run, others).items()}


def charts_of(run: Run, others: Sequence[Run] = ()) -> dict[str, list[svg.Drawing | None]]:
    """The charts of each place on the page; None where there is nothing to draw."""
    beside = list(zip(_names(run, others)[1:], others, strict=True))
    return {
        "latency": [charts.latency(run, name, beside) for name in run.streams],
        "mean_parts": [charts.mean_parts(run)],
        "slowest": [waterfall(name, slowest(run, name)) for name in run.streams],
        "over_time": [over_time(run, beside)], "map": [world_map(run)],
        "plan_maps": [*plan_maps(run)],
    }


def contents(run: Run, others: Sequence[Run] = ()) -> dict[str, Any]:
    """All that the page says, as plain data: texts, tables and pairs of name and value."""
    s, launch, names = run.summary, run.manifest.launch, _names(run, others)
    scenario = s.scenario or launch.scenario or run.folder.name
    plans, plans_left_out = tables.plans(changes(run.plans))
    return {
        "title": f"{scenario} · {s.policy or launch.policy} · seed {number(_seed(run), '')}",
        "subtitle": _subtitle(run), "banners": _banners(run), "tiles": _headline(run.figures),
        "compared": sections.Table(["", *names], side_by_side.rows([run.figures, *(o.figures for o in others)]),
                                   range(1, len(names) + 1)) if others else None,
        "streams": sections.streams(run), "labels": sections.labels(run), "endings": sections.endings(run),
        "predictions": sections.predictions(run),
        "parts": sections.Table(["part", "meaning"], breakdown.MEANING, (), (1,)),
        "slowest": sections.slowest({name: slowest(run, name) for name in run.streams}),
        "marks": sections.marks(run), "faults": sections.faults(run), "left_out": sections.left_out(run),
        "events": sections.events(run),
        "event_count": len(run.events), "robots": sections.robots(run),
        "batteries": sections.batteries(run), "transport": _transport(run),
        "plans": plans, "plans_left_out": plans_left_out, "last_plan": tables.last_plan(run),
        "forecasts": tables.forecasts(run), "intervals": tables.intervals(run),
        "facts_of_run": _facts(run), "words": glossary.METHOD, "light": svg.LIGHT, "dark": svg.DARK,
    }


def _names(run: Run, others: Sequence[Run]) -> list[str]:
    """A distinct name for each run."""
    return labels([{"policy": r.summary.policy or r.manifest.launch.policy or "run", "seed": number(_seed(r), ""),
                    "behaviour": r.summary.behaviour, "perception": r.summary.perception} for r in (run, *others)])


def _seed(run: Run) -> int:
    return run.manifest.launch.seed if math.isnan(run.summary.seed) else run.summary.seed


def _subtitle(run: Run) -> str:
    s = run.summary
    if not run.finished:
        return "This run did not finish."
    return (f"{number(s.robots)} robots · {seconds(s.ran_s if known(s.ran_s) else s.duration_s, None)} · "
            f"{s.clock or '-'} clock · network: {s.network or '-'} · {number(s.requests.submitted)} requests")


def _banners(run: Run) -> list[tuple[str, str, list[str]]]:
    """Whether the run was accepted, and warnings about its figures: kind (good, bad, note), text, items."""
    s, shown = run.summary, list[tuple[str, str, list[str]]]()
    if s.accepted is False:
        shown.append(("bad", "Not accepted", [
            f"{r.key} is {_value(r.value)}, wanted {r.rule}" for r in s.accept if not r.holds]))
    elif s.accept:
        shown.append(("good", "Accepted: " + ", ".join(f"{r.key} {r.rule}" for r in s.accept), []))
    shown += [("bad", remark, []) for remark in remarks(run.figures)]
    if s.host_overloaded:
        shown.append(("bad", glossary.OVERLOADED, s.overloaded_by))
    if s.requests.lost > 0:
        shown.append(("bad", f"{number(s.requests.lost)} requests are lost: no ending was reported.", []))
    shown += [("note", setting, []) for setting in settings(run.figures)]
    if s.clock == "virtual":
        shown.append(("note", glossary.VIRTUAL, []))
    elif s.tool.emulated_boards:
        shown.append(("note", glossary.EMULATED, []))
    if s.network == "shaped":
        shown.append(("note", glossary.SHAPED, list(run.manifest.launch.links)))
    if s.unwritten:
        shown.append(("note", "Not everything could be written: the disk was full, or files were removed.", [
            f"{name}: {number(count)} missing" for name, count in s.unwritten.items()]))
    return shown + [("note", note, []) for note in run.notes]


def _value(value: Any) -> str:
    return "absent" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _headline(s: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Name, value and mood (good, bad or empty) of each tile."""
    lost = figure(s, "requests.lost")
    return [
        ("on time", percent(figure(s, "on_time_ratio"), of=figure(s, "requests.due")), ""),
        ("requests lost", number(lost), "bad" if known(lost) and lost > 0 else ""),
        *((f"latency {p}", quantile(s, p), "") for p in ("p50", "p95", "p99")),
        *((f"latency {p} of all due", quantile(s, f"{p}_all"), "") for p in ("p95", "p99")),
        ("offloaded", percent(figure(s, "offload.share"), of=figure(s, "requests.completed")), ""),
        *((name, value, "") for name, value in mission(s)[:MEASURES_SHOWN]),
    ]


def _planner(p: PlannerFigures) -> str:
    """Its work in words; empty if there was none."""
    if not p.solves > 0:
        return ""
    on_ray = f", {number(p.refined)} on Ray in {milliseconds(p.refine_ms_p50)} (p50)" if p.refined > 0 else ""
    here = f"{number(p.solves)} searches in the planner in {milliseconds(p.solve_ms_p50)} (p50)"
    return f"{number(p.adopted)} plans adopted; {here}{on_ray}; {number(p.stale)} results were stale"


def _transport(run: Run) -> list[tuple[str, str]]:
    t = run.summary.transport
    if t is None:
        return []
    encrypted = {"curve": "every connection is encrypted with CURVE, with keys made for this run",
                 "plaintext": "connections are not encrypted"}.get(t.security, "")
    carried = (f"{number(t.messages)} messages with {mebibytes(t.bytes, 1)} in total, sent and received by the robots"
               f"{encrypted and '; '}{encrypted}.")
    return [("carried", carried)]


def _facts(run: Run) -> list[tuple[str, str]]:
    """Facts about the run, the machine and the processes; an empty value is not shown."""
    s, m = run.summary, run.manifest
    host, offload, planner, preempted, world = m.host, s.offload, s.planner, s.preempted, s.world
    anomalies = {k.replace("_", " "): v for k, v in msgspec.structs.asdict(s.ledger).items() if v > 0}
    return [
        ("command", " ".join(m.command)),
        ("on time, 95 % interval", share(s.on_time_ratio, s.on_time_interval)),
        ("first result", "" if s.first_result_s is None else f"{seconds(s.first_result_s)} after the command"),
        ("offloads", (f"{number(offload.guarded)} guarded, {number(offload.unguarded)} unguarded; "
                      f"{number(offload.guard_fired)} guards fired; {number(offload.peers)} peers gave results")),
        ("preempted", (f"{number(preempted.requests)} requests, {number(preempted.times)} times in total; each was "
                       f"interrupted for {milliseconds(preempted.aside_ms_p95)} (p95)")
         if preempted.requests > 0 else ""),
        ("planner", _planner(planner) or "none"),
        ("world", f"{number(world.steps)} steps, real-time factor {number(world.real_time_factor)}, lag p99 "
                  f"{milliseconds(world.lag_ms_p99)}" if world.steps > 0 else "no report"),
        ("radio reach", f"pairs were out of reach for {share(world.out_of_reach, None)} of the time"
         if known(world.out_of_reach) else ""),
        ("loops of robots and launcher", (
            f"late by {milliseconds(s.loop_late_ms_p99)} (p99), {milliseconds(s.loop_late_ms_max)} at most; "
            f"behaviours take {milliseconds(s.behaviour_ms_p99)} (p99)")),
        ("loops of other processes", "; ".join(
            f"{name}: late by {milliseconds(loop.late_ms_p99)} (p99), {milliseconds(loop.late_ms_max)} at most"
            for name, loop in s.loops.items())),
        ("mission", ", ".join(f"{name} {value}" for name, value in mission(run.figures))),
        ("renderer", m.renderer),
        ("host", ", ".join(filter(None, (host.processor, f"{host.cores} cores" if known(host.cores) else "",
                                         f"{host.memory_mb} MB" if known(host.memory_mb) else "", host.system)))),
        ("versions", ", ".join(f"{k} {v}" for k, v in m.versions.items())),
        ("code revision", m.revision),
        ("anomalies", ", ".join(f"{number(v)} {k}" for k, v in anomalies.items()) or "none"),
        ("files", ", ".join(f for f in FILES[:-1] if (run.folder / f).exists())),
    ]
