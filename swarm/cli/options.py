"""The commands of `swarm`, with their arguments; what they do is imported when they are asked for."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from dataclasses import dataclass

Arguments = Callable[[argparse.ArgumentParser], None]
Run = Callable[[argparse.Namespace], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command: how it is called and what runs it."""

    name: str
    help: str
    example: str
    arguments: Arguments
    run: Run
    description: str = ""


def lazily(module: str, function: str) -> Run:
    """A function of a module that is imported when it is called."""
    return lambda given: getattr(importlib.import_module(module), function)(given)


def _launch(p: argparse.ArgumentParser) -> None:
    p.add_argument("launch", metavar="NAME|FILE", help="a launch file, or its name in ./launch or in the package")
    p.add_argument("--set", dest="assignments", metavar="path.to.0.key=value", action="append", default=[],
                   help="change a value of the launch file; may be given again")
    p.add_argument("--robots", type=int, metavar="N", help="this many robots in all, in the fleet's proportions")
    p.add_argument("--duration", type=float, metavar="S", help="seconds that the streams run")
    p.add_argument("--seed", type=int, metavar="N")
    p.add_argument("--policy", metavar="P", help="local, greedy or planner")
    p.add_argument("--clock", choices=("real", "virtual"))
    p.add_argument("--network", choices=("loopback", "ether", "radio"))
    p.add_argument("--ray", default="local", metavar="ADDRESS", help="local, none, or the address of a cluster")
    p.add_argument("--out", metavar="DIR", help="the run folder; default: runs/NAME-TIME")
    p.add_argument("--dry-run", action="store_true", help="print the resolved launch file and start nothing")
    p.add_argument("--json", action="store_true", help="print the summary as one JSON object")


def _file(p: argparse.ArgumentParser) -> None:
    p.add_argument("file", metavar="FILE", help="the settings of this process, YAML")


def _worlds(p: argparse.ArgumentParser) -> None:
    p.add_argument("action", choices=("list", "show", "render"))
    p.add_argument("name", nargs="?", metavar="NAME")
    p.add_argument("--seed", type=int, default=0, metavar="N")
    p.add_argument("--robots", type=int, default=2, metavar="N")
    p.add_argument("--out", default="", metavar="FILE", help="render: the floor plan; default: NAME-SEED.svg")
    p.add_argument("--json", action="store_true")


def _models(p: argparse.ArgumentParser) -> None:
    p.add_argument("action", choices=("list", "show"))
    p.add_argument("name", nargs="?", metavar="NAME")
    p.add_argument("--json", action="store_true")


def _report(p: argparse.ArgumentParser) -> None:
    p.add_argument("folder", metavar="RUN", help="a run folder")
    p.add_argument("--compare", action="append", default=[], metavar="RUN", help="another run to set beside it")


def _bench(p: argparse.ArgumentParser) -> None:
    p.add_argument("name", choices=("overhead",))
    p.add_argument("--json", action="store_true")


def _demo(p: argparse.ArgumentParser) -> None:
    p.add_argument("--duration", type=float, default=25.0, metavar="S", help="of each flight; default: 25")
    p.add_argument("--seed", type=int, metavar="N")
    p.add_argument("--out", default="runs/demo", metavar="DIR")


def _json_only(p: argparse.ArgumentParser) -> None:
    p.add_argument("--json", action="store_true")


COMMANDS = (
    Command(name="launch", help="start a world, its robots and the planner, and write a run folder",
            example="swarm launch search_rescue --set streams.0.rate_hz=3 --duration 30 --policy planner",
            arguments=_launch, run=lazily("swarm.cli.launch", "launch")),
    Command(name="demo", help="fly search_rescue twice, each robot for itself and then planned, and compare",
            example="swarm demo", arguments=_demo, run=lazily("swarm.cli.launch", "demo")),
    Command(name="agent", help="run one robot's process", example="swarm agent /etc/swarm/agent.yaml",
            arguments=_file, run=lazily("swarm.cli.process", "agent")),
    Command(name="planner", help="run the planner's process", example="swarm planner /etc/swarm/planner.yaml",
            arguments=_file, run=lazily("swarm.cli.process", "planner")),
    Command(name="world", help="run the world's process", example="swarm world world.yaml",
            arguments=_file, run=lazily("swarm.cli.process", "world")),
    Command(name="worlds", help="list scenarios, show one, or draw one",
            example="swarm worlds render search_rescue --seed 7 --out building.svg",
            arguments=_worlds, run=lazily("swarm.cli.worlds", "worlds")),
    Command(name="models", help="list models, or show one", example="swarm models show detector",
            arguments=_models, run=lazily("swarm.cli.models", "models")),
    Command(name="report", help="write a run folder's report.html again",
            example="swarm report runs/demo/planner --compare runs/demo/local",
            arguments=_report, run=lazily("swarm.cli.report", "report")),
    Command(name="bench", help="measure the runtime's own cost", example="swarm bench overhead --json",
            arguments=_bench, run=lazily("swarm.cli.report", "bench")),
    Command(name="doctor", help="check this machine: Python, packages, cores, boards, models",
            example="swarm doctor", arguments=_json_only, run=lazily("swarm.cli.doctor", "doctor")),
    Command(name="version", help="print the version", example="swarm version", arguments=lambda p: None,
            run=lazily("swarm.cli.doctor", "version")),
)
