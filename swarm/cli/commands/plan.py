"""`swarm plan NAME|FILE|RUN`: the planner's plan of a launch, why, and what it would be otherwise."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from swarm.cli.commands.launch import boards_option
from swarm.core.settings.errors import BadInput

if TYPE_CHECKING:
    from swarm.planner.explanation import Explained
    from swarm.planner.problem import Problem
    from swarm.run.settings.resolve import Resolved

HELP = "show the plan of a launch file or a run, why, and what it would be otherwise"
EXAMPLE = "swarm plan overload --explain --without carrier_1 --link rover:carrier_0=2mbit"

RATE = re.compile(r"(?P<one>[^:=]+):(?P<other>[^:=]+)=(?P<rate>\d+(\.\d+)?)(?P<unit>[kmg]bit)")
UNITS = {"kbit": 1e3 / 8, "mbit": 1e6 / 8, "gbit": 1e9 / 8}      # bytes per second
MANIFEST = "manifest.json"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("launch", metavar="NAME|FILE|RUN", help="a launch file, its name, or a run folder")
    p.add_argument("--set", dest="assignments", metavar="path.to.0.key=value", action="append", default=[],
                   help="change a value of the launch file; may be repeated")
    boards_option(p)
    p.add_argument("--explain", action="store_true", help="with the best alternatives of each stream")
    p.add_argument("--without", metavar="ROBOT", action="append", default=[],
                   help="what the plan would be if this robot left; may be repeated")
    p.add_argument("--link", metavar="ONE:OTHER=RATE", action="append", default=[],
                   help="what it would be with this rate between two robots or fleets, like rover:carrier_1=2mbit")
    p.add_argument("--json", action="store_true")


def run(given: argparse.Namespace) -> int:
    """Raises: BadInput."""
    import msgspec

    from swarm.cli import extras

    extras.needed("swarm plan", *extras.RUN)
    from swarm.planner.explanation import explained
    from swarm.virtual.perception import check_models
    from swarm.virtual.planning.problem import problem_of

    resolved = _resolved(given.launch, given.assignments, given.boards)
    links = [_link(text, resolved) for text in given.link]
    robots = [robot for fleet in resolved.launch.fleet for robot in fleet.robots()]
    for name in given.without:
        if name not in robots:
            raise BadInput(f"--without {name}", "there is no such robot", f"one of {', '.join(robots)}")
    if set(given.without) >= set(robots):
        raise BadInput("--without", "no robot is left", "fewer robots")
    check_models(stream.model for stream in resolved.launch.streams)
    alternatives = given.explain or given.json
    print("planning, for some seconds", file=sys.stderr, flush=True)
    problem = problem_of(resolved)
    plan = explained(problem, resolved.launch.seed, alternatives=alternatives)
    otherwise = None
    if given.without or links:
        otherwise = explained(_changed(problem, given.without, links), resolved.launch.seed, alternatives=False)
    if given.json:
        print(msgspec.json.encode({"plan": plan, "otherwise": otherwise}).decode())
        return 0
    print(_as_text(plan, given.explain), end="")
    if otherwise is not None:
        print("\notherwise:\n" + _compared(plan, otherwise), end="")
    return 0


def _resolved(launch: str, assignments: list[str], boards: list[str]) -> Resolved:
    """A launch file, or that of a run folder. Raises: BadInput."""
    import json

    from swarm.launcher.load import Installed, load_from, load_launch
    from swarm.run.settings.resolve import Options, Source

    manifest = Path(launch) / MANIFEST
    if not manifest.is_file():
        return load_launch(Options(launch=launch, assignments=assignments, boards=boards))
    if boards:
        raise BadInput("--boards", f"{launch} is a run, which has its boards", "a launch file, or no --boards")
    try:
        told = json.loads(manifest.read_text(encoding="utf-8"))
        source = Source(path=str(manifest), launch=told["launch"], boards_path=str(manifest),
                        boards=told["launch"]["boards"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(str(manifest), f"{type(error).__name__}: {error}", "the manifest of a run") from None
    return load_from(source, Options(launch=launch, assignments=assignments), Installed(manifest.parent))


def _link(text: str, resolved: Resolved) -> tuple[list[tuple[str, str]], float]:
    """The pairs of robots of `--link`, and their rate in bytes per second. Raises: BadInput."""
    match = RATE.fullmatch(text)
    if match is None or float(match["rate"]) <= 0.0:
        raise BadInput(f"--link {text}", "not a link and its rate", "ONE:OTHER=RATE, like rover:carrier_1=2mbit")
    fleets = {fleet.name: fleet.robots() for fleet in resolved.launch.fleet}
    robots = [robot for fleet in fleets.values() for robot in fleet]
    sides: list[list[str]] = []
    for name in (match["one"], match["other"]):
        if name not in fleets and name not in robots:
            raise BadInput(f"--link {text}", f"there is no {name}", f"a robot or one of {', '.join(fleets)}")
        sides.append(fleets.get(name, [name]))
    return [(a, b) for a in sides[0] for b in sides[1] if a != b], float(match["rate"]) * UNITS[match["unit"]]


def _changed(
    problem: Problem, gone: list[str], links: list[tuple[list[tuple[str, str]], float]]
) -> Problem:
    from swarm.planner.explanation import with_rate, without

    for pairs, bytes_per_s in links:
        problem = with_rate(problem, pairs, bytes_per_s)
    return without(problem, gone)


def _as_text(plan: Explained, explain: bool) -> str:
    from swarm.telemetry.text_table import text_table

    rows = [(one.agent, one.stream, _way(one.variant, one.where, one.agent), f"{one.on_time:.1%}",
             f"{one.low:.0%} to {one.high:.0%}", f"{one.p50_s * 1e3:.0f}", f"{one.p95_s * 1e3:.0f}", one.limit or "-")
            for one in plan.streams]
    text = text_table(("robot", "stream", "runs", "on time", "interval", "p50 ms", "p95 ms", "held back by"), rows)
    busy = ", ".join(f"{agent} {share:.0%}" for agent, share in plan.busy.items())
    text += f"\non time {plan.on_time:.1%}; {plan.gap:.2f} points behind {plan.gap_to}\nbusy: {busy}\n"
    if plan.unplaced:
        text += "no robot in reach runs: " + ", ".join(
            f"{name} ({memory})" if memory else name for name, memory in plan.unplaced.items()) + "\n"
    if explain:
        for one in plan.streams:
            text += f"\n{one.agent} {one.stream} instead:\n"
            text += text_table(("runs", "on time", "p95 ms", "results per second, by priority"), [
                (_way(other.variant, other.where, one.agent), f"{other.on_time:.1%}", f"{other.p95_s * 1e3:.0f}",
                 ", ".join(f"{priority}: {gained:+.2f}" for priority, gained in sorted(
                     other.gained.items(), reverse=True)))
                for other in one.alternatives]) if one.alternatives else "  nothing else can run it\n"
    return text


def _compared(plan: Explained, otherwise: Explained) -> str:
    from swarm.telemetry.text_table import text_table

    before = {(one.agent, one.stream): one for one in plan.streams}
    rows = []
    for one in otherwise.streams:
        was = before.get((one.agent, one.stream))
        rows.append((one.agent, one.stream, _way(was.variant, was.where, one.agent) if was else "nowhere",
                     _way(one.variant, one.where, one.agent), f"{was.on_time:.1%}" if was else "0.0%",
                     f"{one.on_time:.1%}", one.limit or "-"))
    if otherwise.unplaced:
        rows += [(*name.split(" ", 1), "", "nowhere", "", "0.0%", memory or "no robot in reach runs it")
                 for name, memory in otherwise.unplaced.items()]
    return text_table(("robot", "stream", "runs now", "would run", "on time", "would be", "held back by"), rows) + (
        f"\non time {plan.on_time:.1%}, would be {otherwise.on_time:.1%}\n")


def _way(variant: str, where: tuple[str, ...], owner: str) -> str:
    return f"{' > '.join('home' if agent == owner else agent for agent in where)} ({variant})"
