"""`swarm launch NAME|FILE`: one run, from its launch file to its run folder."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swarm.cli import extras
from swarm.core.settings.errors import BadInput

if TYPE_CHECKING:
    from swarm.run.settings.resolve import Resolved
    from swarm.run.snapshot import Progress
    from swarm.telemetry.outcome import Outcome

HELP = "start a world, its robots and the planner, and write a run folder"
EXAMPLE = "swarm launch search_rescue --set streams.0.rate_hz=3 --duration 30 --policy planner"


def arguments(p: argparse.ArgumentParser) -> None:
    from swarm.core.policy import policies

    p.add_argument("launch", metavar="NAME|FILE", help="a launch file, or its name in ./launch or in the package")
    p.add_argument("--set", dest="assignments", metavar="path.to.0.key=value", action="append", default=[],
                   help="change a value of the launch file; may be repeated")
    p.add_argument("--robots", type=int, metavar="N", help="total number of robots, in the proportions of the fleets")
    p.add_argument("--duration", type=float, metavar="S", help="duration of the streams in seconds")
    p.add_argument("--seed", type=int, metavar="N")
    p.add_argument("--policy", metavar="P", help=f"one of {', '.join(policies.available())}; a file like mine.py")
    p.add_argument("--clock", choices=("real", "virtual"))
    p.add_argument("--network", choices=("loopback", "ether", "radio"))
    p.add_argument("--record", action="store_true", help="keep frames and results for: swarm models replay RUN")
    p.add_argument("--ray", default="local", metavar="ADDRESS", help="local, none, or the address of a cluster")
    p.add_argument("--gui", action="store_true", help="in real time: show the world in a window; needs a display")
    boards_option(p)
    p.add_argument("--out", metavar="DIR", help="the run folder; default: runs/NAME-TIME")
    turn = p.add_mutually_exclusive_group()
    turn.add_argument("--no-wait", action="store_true",
                      help="in real time: if an experiment has this host, do not wait for its end, but exit with 2")
    turn.add_argument("--beside", action="store_true",
                      help="in real time: run beside an experiment, by force; the figures of neither count then")
    p.add_argument("--dry-run", action="store_true", help="print the resolved launch file and start nothing")
    p.add_argument("--require-accepted", action="store_true", help="exit with 1 if a rule of `accept` fails")
    p.add_argument("--json", action="store_true", help="print the summary as one JSON object")


def boards_option(p: argparse.ArgumentParser) -> None:
    """The option of all commands that fly a launch file on other boards."""
    p.add_argument("--boards", metavar="FILE", action="append", default=[],
                   help="boards in place of those of the same name, as `swarm models profile --out` writes them; "
                        "may be repeated")


def run(given: argparse.Namespace) -> int:
    """Resolve the launch file, run it, print the result.

    Errors go to stderr in one line. With --json, stdout has only the summary."""
    from swarm.launcher.host_checks import check_display
    from swarm.launcher.load import load_launch, warnings
    from swarm.run.settings.resolve import Options, dry_run

    resolved = load_launch(Options(
        launch=given.launch, assignments=given.assignments, robots=given.robots, duration_s=given.duration,
        seed=given.seed, policy=given.policy, clock=given.clock, network=given.network, ray=given.ray,
        record=given.record or None, gui=given.gui, boards=given.boards,
    ))
    if resolved.gui and not given.dry_run:
        check_display("--gui", os.environ.get("DISPLAY", ""))
    if given.require_accepted and not resolved.launch.accept:
        raise BadInput("--require-accepted", "the launch file has no `accept`", "a launch file with rules")
    if resolved.launch.clock == "virtual":
        from swarm.virtual.perception import check_models

        check_models(stream.model for stream in resolved.launch.streams)
    for warning in warnings(resolved):
        print(f"swarm: warning: {warning}", file=sys.stderr)
    if given.dry_run:
        print(dry_run(resolved), end="")
        return 0
    extras.needed("swarm launch", *extras.RUN)
    outcome = (_in_virtual_time if resolved.launch.clock == "virtual" else _in_real_time)(resolved, given)
    if outcome.summary is not None:
        print(json.dumps(outcome.summary) if given.json else _result(outcome.summary, outcome.report))
    if outcome.error:
        print(f"swarm: {outcome.error}", file=sys.stderr)
    if given.require_accepted and outcome.exit_code == 0 and outcome.summary is not None:
        failed = [f"{rule['key']} {rule['rule']}" for rule in outcome.summary["accept"] if not rule["holds"]]
        if failed:
            print(f"swarm: the run is not accepted: {', '.join(failed)}", file=sys.stderr)
            return 1
    return outcome.exit_code


def _in_real_time(resolved: Resolved, given: argparse.Namespace) -> Outcome:
    """When it is this run's turn on this host."""
    from swarm.core.clock import MonotonicClock
    from swarm.launcher.host_checks import check_loopback
    from swarm.launcher.host_lock import shared
    from swarm.launcher.launch import Launch

    check_loopback()
    with nullcontext() if given.beside else shared(wait=not given.no_wait, told=told) as waited:
        return Launch(resolved, _out(resolved, given), command=command_line(), progress=_progress(given),
                      commanded_ns=MonotonicClock().now_ns() if waited else None).run()


def _in_virtual_time(resolved: Resolved, given: argparse.Namespace) -> Outcome:
    """Ctrl-C ends the run in order, twice at once."""
    from swarm.launcher.signals import Signals
    from swarm.virtual.launch import VirtualLaunch

    with Signals() as signals:
        return VirtualLaunch(resolved, _out(resolved, given), command=command_line(), progress=_progress(given),
                             interruptions=lambda: len(signals.received)).run()


def _out(resolved: Resolved, given: argparse.Namespace) -> Path:
    from swarm.core.clock import local_stamp
    from swarm.telemetry.recorder import new_folder

    return Path(given.out) if given.out else new_folder(Path("runs") / f"{resolved.launch.scenario}-{local_stamp()}")


def _progress(given: argparse.Namespace) -> Progress:
    from swarm.launcher.progress import progress_on
    from swarm.run.snapshot import Quiet

    return Quiet() if given.json else progress_on(sys.stderr)


def told(line: str) -> None:
    """Tell the user about the lock of this host."""
    print(f"swarm: {line}", file=sys.stderr, flush=True)


def _result(summary: dict[str, Any], report: Path | None) -> str:
    """The result of a run as text for people."""
    from swarm.telemetry.figures.remarks import remarks, settings
    from swarm.telemetry.report.side_by_side import table

    lines = [table([summary]).rstrip()]
    for rule in summary.get("accept", []):
        lines.append(f"{'holds' if rule['holds'] else 'FAILS'}: {rule['key']} {rule['rule']} ({_value(rule['value'])})")
    begun = [fault for fault in summary["faults"] if fault["verdict"] is not None]
    if begun:
        lines.append(f"faults: {len(begun)} began; {_recovered(begun)}")
    lines += [*remarks(summary), *settings(summary)]
    if state_hash := summary.get("state_hash"):      # older versions wrote none
        lines.append(f"virtual time: run times and results were drawn, no model ran; state hash {state_hash}")
    if summary["unwritten"]:
        lines.append("could not be written: " + ", ".join(
            f"{count} of {name}" for name, count in summary["unwritten"].items()))
    if lost := getattr(sys.stderr, "lost", 0):
        lines.append(f"could not be written to standard error: {lost} times")
    if summary["host_overloaded"]:
        lines.append("host_overloaded: this host could not keep up, so these figures are not those of the swarm: "
                     + "; ".join(summary["overloaded_by"]))
    return "\n".join([*lines, f"report: {report}" if report else "no report was written"])


def _value(value: Any) -> str:
    """The figure that a rule is about."""
    if value is None:
        return "there is no such figure in this run"
    if isinstance(value, bool):
        return f"it is {str(value).lower()}"
    return f"it is {value:.4g}" if isinstance(value, float) else f"it is {value}"


def _recovered(faults: Sequence[Mapping[str, Any]]) -> str:
    """How the service came through the faults."""
    verdicts = Counter(fault["verdict"] for fault in faults)
    longest_s = max((fault["recover_s"] for fault in faults if fault["verdict"] == "recovered"), default=0.0)
    words = {"not_hit": "no loss after {}", "recovered": f"recovered from {{}}, within {longest_s:.2f} s",
             "lasting": "a lasting loss after {}", "too_few": "too few requests to tell after {}"}
    return "; ".join(text.format(verdicts[verdict]) for verdict, text in words.items() if verdicts[verdict])


def command_line() -> list[str]:
    """The command as the user typed it, for the manifest."""
    return ["swarm", *(shlex.quote(argument) for argument in sys.argv[1:])]
