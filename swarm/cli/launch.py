"""`swarm launch` and `swarm demo`."""

from __future__ import annotations

import argparse
import json
import math
import shlex
import sys
from pathlib import Path
from typing import Any

from swarm.cli import extras
from swarm.core.clock import MonotonicClock, local_stamp
from swarm.launcher.load import load_launch
from swarm.launcher.progress import Quiet, progress_on
from swarm.run.settings.resolve import Options, dry_run


def launch(given: argparse.Namespace) -> int:
    """Resolve, fly, tell. Errors go to stderr in one line; with --json, stdout has the summary and nothing else."""
    resolved = load_launch(Options(
        launch=given.launch, assignments=given.assignments, robots=given.robots, duration_s=given.duration,
        seed=given.seed, policy=given.policy, clock=given.clock, network=given.network, ray=given.ray,
        record=given.record or None,
    ))
    if given.dry_run:
        print(dry_run(resolved), end="")
        return 0
    extras.needed("swarm launch", *extras.RUN)
    from swarm.launcher.launch import Launch

    out = Path(given.out or f"runs/{resolved.launch.scenario}-{local_stamp()}")
    outcome = Launch(
        resolved, out, command=_command(), progress=Quiet() if given.json else progress_on(sys.stderr),
    ).run()
    if outcome.summary is not None:
        print(json.dumps(outcome.summary) if given.json else _told(outcome.summary, out))
    if outcome.error:
        print(f"swarm: {outcome.error}", file=sys.stderr)
    return outcome.exit_code


def demo(given: argparse.Namespace) -> int:
    """The same seed twice: each robot for itself, then planned. Fails unless planning wins."""
    extras.needed("swarm demo", *extras.RUN)
    from swarm.launcher.launch import Launch
    from swarm.telemetry.report.report import write_report
    from swarm.telemetry.report.side_by_side import table

    summaries: list[dict[str, Any]] = []
    commanded_ns = None                              # the first flight's clock runs from the command itself
    for policy in ("local", "planner"):
        resolved = load_launch(Options(
            launch="search_rescue", policy=policy, duration_s=given.duration, seed=given.seed))
        print(f"policy {policy}: {resolved.launch.duration_s:g} s with seed {resolved.launch.seed}", file=sys.stderr)
        outcome = Launch(resolved, Path(given.out) / policy, command=_command(), progress=progress_on(sys.stderr),
                         commanded_ns=commanded_ns).run()
        if outcome.summary is None or outcome.exit_code:
            if outcome.error:
                print(f"swarm: {outcome.error}", file=sys.stderr)
            return outcome.exit_code or 1
        summaries.append(outcome.summary)
        commanded_ns = MonotonicClock().now_ns()
    report = write_report(Path(given.out) / "planner", [Path(given.out) / "local"])
    print(f"{table(summaries)}\nreport: {report}")
    local, planned = (summary["on_time_ratio"] for summary in summaries)
    if planned <= local:
        print(f"swarm: planning did not win: {planned:.1%} on time against {local:.1%}", file=sys.stderr)
        return 1
    return 0


def _told(summary: dict[str, Any], out: Path) -> str:
    """The end of a run, for people."""
    from swarm.telemetry.report.side_by_side import table

    lines = [table([summary]).rstrip()]
    for rule in summary.get("accept", []):
        value = rule["value"]
        shown = f"{value:.4g}" if isinstance(value, float) and math.isfinite(value) else value
        lines.append(f"{'holds' if rule['holds'] else 'FAILS'}: {rule['key']} {rule['rule']} (it is {shown})")
    struck = [fault for fault in summary["faults"] if fault["done_s"] is not None]
    if struck:
        again = [fault["recover_s"] for fault in struck]
        lines.append(f"faults: {len(struck)} struck; " + (
            f"after {sum(s is None for s in again)} of them it did not serve as before again" if None in again
            else f"served as before again after {max(again):.2f} s at most"))
    if summary["unwritten"]:
        lines.append("not written, for want of room: " + ", ".join(
            f"{count} of {name}" for name, count in summary["unwritten"].items()))
    if summary["host_overloaded"]:
        lines.append("host_overloaded: this host could not keep up with the boards it emulates; latencies are too high")
    return "\n".join([*lines, f"report: {out / 'report.html'}"])


def _command() -> list[str]:
    """The command line as the user typed it, for the manifest."""
    return ["swarm", *(shlex.quote(argument) for argument in sys.argv[1:])]


