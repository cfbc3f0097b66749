"""`swarm demo`: the same run twice, without and with the planner."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swarm.cli import extras

if TYPE_CHECKING:
    from swarm.core.settings.launch_file import LaunchFile

HELP = "run search_rescue twice, local only and with the planner, and compare"
EXAMPLE = "swarm demo"
LAUNCH = "search_rescue"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--duration", type=float, default=25.0, metavar="S", help="of each run; default: 25")
    p.add_argument("--robots", type=int, metavar="N", help="default: as many of the launch file's as this host bears")
    p.add_argument("--seed", type=int, metavar="N")
    p.add_argument("--out", default="runs/demo", metavar="DIR")


def run(given: argparse.Namespace) -> int:
    """Run the same seed with both policies. Fails unless the planner has more requests on time."""
    extras.needed("swarm demo", *extras.RUN)
    from swarm.cli.commands.launch import command_line, told
    from swarm.core.clock import MonotonicClock
    from swarm.launcher.host_checks import check_loopback
    from swarm.launcher.host_lock import shared
    from swarm.launcher.launch import Launch
    from swarm.launcher.load import load_launch, warnings
    from swarm.launcher.progress import progress_on
    from swarm.run.settings.resolve import Options
    from swarm.telemetry.report.report import write_report
    from swarm.telemetry.report.side_by_side import percent, table

    check_loopback()
    robots, host = given.robots, ""
    if robots is None:
        robots, host = _robots(load_launch(Options(launch=LAUNCH, duration_s=given.duration, seed=given.seed)).launch)
    with shared(told=told) as waited:
        commanded_ns = MonotonicClock().now_ns() if waited else None     # None: from the start of the command
        summaries: list[dict[str, Any]] = []
        for policy in ("local", "planner"):
            resolved = load_launch(Options(
                launch=LAUNCH, robots=robots, policy=policy, duration_s=given.duration, seed=given.seed))
            launch = Launch(resolved, Path(given.out) / policy, command=command_line(),
                            progress=progress_on(sys.stderr), commanded_ns=commanded_ns)
            if host:
                print(host, file=sys.stderr)
                host = ""
            for warning in warnings(resolved):
                print(f"swarm: warning: {warning}", file=sys.stderr)
            print(f"policy {policy}: {resolved.launch.duration_s:g} s with seed {resolved.launch.seed}",
                  file=sys.stderr)
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


def _robots(launch: LaunchFile) -> tuple[int, str]:
    """As many robots as this host bears, and the sentence that says so. Measures the host, unless it is known."""
    from models.host_speed import host_speed
    from swarm.launcher.host_checks import bearable_robots, cores

    wanted = sum(fleet.count for fleet in launch.fleet)
    host = host_speed([stream.model for stream in launch.streams])
    robots = bearable_robots(wanted, cores() * host.speed)
    fewer = "" if robots == wanted else f": {robots} robots fly instead of {wanted} (--robots N flies N)"
    return robots, (f"this host: {cores()} cores, each at {host.speed:.2f} of the speed for which the boards are "
                    f"described ({'measured before' if host.kept else 'measured now'}){fewer}")
