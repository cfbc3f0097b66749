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
    p.add_argument("--policy", metavar="P", help="local, greedy, planner, or split:N (cut over N agents)")
    p.add_argument("--clock", choices=("real", "virtual"))
    p.add_argument("--network", choices=("loopback", "ether", "radio"))
    p.add_argument("--record", action="store_true", help="keep what robots saw and were told: swarm models replay RUN")
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
    actions = p.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, does: str, example: str, run: Run) -> argparse.ArgumentParser:
        sub = actions.add_parser(name, help=does, description=does, epilog=f"example: swarm models {example}",
                                 allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
        sub.add_argument("--json", action="store_true")
        sub.set_defaults(run=run)
        return sub

    action("list", "every variant of every model: size, accuracy, run time here", "list --json",
           lazily("swarm.cli.models.models", "list_models"))
    sub = action("show", "one model: accuracy against run time and size, and its cuts", "show detector",
                 lazily("swarm.cli.models.models", "show"))
    sub.add_argument("name", metavar="NAME")
    sub = action("profile", "measure run times, load times and memory of a model on this board",
                 "profile detector --board orin_nano", lazily("swarm.cli.models.profile", "profile"))
    sub.add_argument("name", metavar="NAME")
    sub.add_argument("--board", metavar="B", default="host", help="a board of boards.yaml; default: host")
    sub = action("quantize", "make int8 variants, and keep those that pass the gate",
                 "quantize detector --calibrate world", lazily("swarm.cli.models.quantize", "quantize"))
    sub.add_argument("name", metavar="NAME")
    sub.add_argument("--calibrate", metavar="SOURCE", required=True,
                     help="world (rendered frames), random, or a .npy or .npz file or a folder of these")
    sub = action("import", "take in any ONNX graph", "import resnet.onnx --axis batch=1",
                 lazily("swarm.cli.models.partition", "import_model"))
    sub.add_argument("file", metavar="FILE", help="an ONNX graph, with its external data beside it")
    sub.add_argument("--name", metavar="N", help="of the model; default: the file's")
    sub.add_argument("--axis", metavar="AXIS=SIZE", action="append", default=[],
                     help="bind a dynamic axis; may be given again; default: 1 for one that leads")
    sub = action("partition", "cut a model into stages that take about as long each", "partition detector --stages 8",
                 lazily("swarm.cli.models.partition", "partition"))
    sub.add_argument("name", metavar="NAME")
    sub.add_argument("--stages", type=int, metavar="N", default=8, help="at most; default: 8")
    sub.add_argument("--variant", metavar="V", help="default: all")
    sub = action("verify", "show that the stages of a cut graph give what the whole gives",
                 "verify detector --all-cuts --json", lazily("swarm.cli.models.verify", "verify"))
    sub.add_argument("model", metavar="NAME|FILE", help="a model, or an .onnx file")
    sub.add_argument("--all-cuts", action="store_true", help="every cut, not only the 8 best")
    sub.add_argument("--variant", metavar="V", help="default: all")
    sub.add_argument("--inputs", metavar="SOURCE",
                     help="real inputs: world (rendered frames), random (none), or a .npy or .npz file or a folder of "
                          "these; default: world where the model takes such frames")
    sub.add_argument("--axis", metavar="AXIS=SIZE", action="append", default=[],
                     help="bind a dynamic axis of a file; may be given again")
    sub = action("replay", "run whole models on the frames of a run, and compare with what robots were told",
                 "replay runs/split --json", lazily("swarm.cli.models.replay", "replay"))
    sub.add_argument("folder", metavar="RUN", help="the folder of a run with --record")


def _keys(p: argparse.ArgumentParser) -> None:
    actions = p.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, does: str, example: str, function: str) -> argparse.ArgumentParser:
        sub = actions.add_parser(name, help=does, description=does, epilog=f"example: swarm keys {example}",
                                 allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
        sub.add_argument("--keys", metavar="DIR", help="default: $SWARM_KEYS, else ~/.config/swarm/keys")
        sub.set_defaults(run=lazily("swarm.cli.keys", function))
        return sub

    sub = action("new", "make the keys of processes: NAME.key, to stay with its process, and NAME.pub, for the others",
                 "new rover_0 rover_1 planner", "new")
    sub.add_argument("names", metavar="NAME", nargs="+")
    sub = action("enrol", "let the owners of these keys be heard; running processes follow within a second",
                 "enrol rover_0 /media/usb/rover_1.pub", "enrol")
    sub.add_argument("keys_given", metavar="NAME|FILE.pub|NAME=KEY", nargs="+",
                     help="a key that was made here, a public key's file, or the key itself, in quotes")
    sub.add_argument("--again", action="store_true", help="although the key was revoked")
    sub = action("revoke", "hear the owners of these names no more, on connections that stand, too",
                 "revoke rover_1", "revoke")
    sub.add_argument("names", metavar="NAME", nargs="+")
    sub = action("list", "name, fingerprint and state of every key", "list --json", "list_keys")
    sub.add_argument("--json", action="store_true")


KEYS = """\
make, enrol, revoke and list the keys by which the processes of a swarm know each other

  DIR/NAME.key            secret and public key of a process; only its owner may read it (0600)
  DIR/NAME.pub            its public key, to be carried to the others
  DIR/enrolled/NAME.pub   who is heard; copy this folder to every board
  DIR/revoked/            who no longer is

A process's file says `keys: DIR`. Without it a process speaks in plaintext, on loopback alone unless its file says
`security: plaintext`. `swarm launch` makes keys of its own for each run."""


def _report(p: argparse.ArgumentParser) -> None:
    p.add_argument("folder", metavar="RUN", help="a run folder")
    p.add_argument("--compare", action="append", default=[], metavar="RUN", help="another run to set beside it")


def _bench(p: argparse.ArgumentParser) -> None:
    p.add_argument("name", choices=(
        "batch", "chaos", "lanes", "memory", "overhead", "preempt", "presence", "scheduler", "split", "transport"))
    p.add_argument("--model", metavar="NAME", help="split: the network to cut; default: squeezenet")
    p.add_argument("--duration", type=float, metavar="S", help="chaos, presence: how long faults last; default: 60")
    p.add_argument("--seed", type=int, metavar="N", help="chaos: which faults; default: 1")
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
    Command(name="collector", help="run the process that counts requests, for boards without a launcher",
            example="swarm collector /etc/swarm/collector.yaml", arguments=_file,
            run=lazily("swarm.cli.process", "collector")),
    Command(name="worlds", help="list scenarios, show one, or draw one",
            example="swarm worlds render search_rescue --seed 7 --out building.svg",
            arguments=_worlds, run=lazily("swarm.cli.worlds", "worlds")),
    Command(name="models", help="list models, show, measure, shrink and take them apart",
            example="swarm models show detector", arguments=_models,
            run=lazily("swarm.cli.models.models", "list_models")),
    Command(name="report", help="write a run folder's report.html again",
            example="swarm report runs/demo/planner --compare runs/demo/local",
            arguments=_report, run=lazily("swarm.cli.report", "report")),
    Command(name="bench", help="measure what the runtime costs", example="swarm bench transport --json",
            arguments=_bench, run=lazily("swarm.cli.report", "bench")),
    Command(name="keys", help="make, enrol, revoke and list the keys of a swarm", description=KEYS,
            example="swarm keys new rover_0 && swarm keys enrol rover_0", arguments=_keys,
            run=lazily("swarm.cli.keys", "list_keys")),
    Command(name="doctor", help="check this machine: Python, packages, cores, boards, models",
            example="swarm doctor", arguments=_json_only, run=lazily("swarm.cli.doctor", "doctor")),
    Command(name="version", help="print the version", example="swarm version", arguments=lambda p: None,
            run=lazily("swarm.cli.doctor", "version")),
)
