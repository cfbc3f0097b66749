"""`swarm demo`: the same run twice, without and with the planner."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from swarm.cli import extras

HELP = "run search_rescue twice, local only and with the planner, and compare"
EXAMPLE = "swarm demo"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--duration", type=float, default=25.0, metavar="S", help="of each run; default: 25")
    p.add_argument("--seed", type=int, metavar="N")
    p.add_argument("--out", default="runs/demo", metavar="DIR")


def run(given: argparse.Namespace) -> int:
    """Run the same seed with both policies. Fails unless the planner has more requests on time."""
    extras.needed("swarm demo", *extras.RUN)
    from swarm.cli.commands.launch import command_line
    from swarm.core.clock import MonotonicClock
    from swarm.launcher.host_checks import check_loopback
    from swarm.launcher.launch import Launch
    from swarm.launcher.load import load_launch, warnings
    from swarm.launcher.progress import progress_on
    from swarm.run.settings.resolve import Options
    from swarm.telemetry.report.report import write_report
    from swarm.telemetry.report.side_by_side import percent, table

    check_loopback()
    summaries: list[dict[str, Any]] = []
    commanded_ns = None                              # the first run counts from the start of the command
    for policy in ("local", "planner"):
        resolved = load_launch(Options(
            launch="search_rescue", policy=policy, duration_s=given.duration, seed=given.seed))
        launch = Launch(resolved, Path(given.out) / policy, command=command_line(), progress=progress_on(sys.stderr),
                        commanded_ns=commanded_ns)
        for warning in warnings(resolved):
            print(f"swarm: warning: {warning}", file=sys.stderr)
        print(f"policy {policy}: {resolved.launch.duration_s:g} s with seed {resolved.launch.seed}", file=sys.stderr)
        outcome = launch.run()
        if outcome.summary is None or outcome.exit_code:
            if outcome.error:
                print(f"swarm: {outcome.error}", file=sys.stderr)
            return outcome.exit_code or 1
        summaries.append(outcome.summary)
        commanded_ns = MonotonicClock().now_ns()
    print(table(summaries))
    try:
        print(f"report: {write_report(Path(given.out) / 'planner', [Path(given.out) / 'local'])}")
    except OSError as error:
        print(f"swarm: cannot write the report: {error}", file=sys.stderr)
        return 1
    local, planned = (summary["on_time_ratio"] for summary in summaries)
    if planned is None or local is None or planned <= local:
        print(f"swarm: the planner was not better: {percent(planned)} on time against {percent(local)}",
              file=sys.stderr)
        return 1
    return 0
