"""Odd words for every argument of every command: exit code 2 and one line (or 0), never a traceback."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.build.cut import verify_variant
from models.build.measure import profiler
from models.host_speed import HostSpeed
from sim_worlds.sensors.suite import SUITE
from swarm.bench.fidelity import bench as fidelity
from swarm.cli.main import main, parser
from swarm.cli.parser import Parser
from swarm.core.settings.errors import BadInput
from swarm.experiments.session import Session
from swarm.launcher.launch import Launch
from swarm.launcher.load import Installed
from swarm.virtual.explore import seeds
from tests.experiments.files import write
from tests.launcher.world import write_launch

NUMBERS = ["", "nan", "-inf", "1e400", "-1", "²", "9" * 400, "9" * 5000, "0x10"]
TEXTS = ["", " ", "-1", "x" * 5000, "\0", "\udcff", "a\nb", "../..", "[", "%s", "\x1b[31m", "="]
ODD_SETS = [
    "fleet.².count=5", f"fleet.{'9' * 5000}.count=5", "fleet.-1.count=5", "fleet.0.count=²",
    f"fleet.0.count={'9' * 400}", f"fleet.0.count={'9' * 5000}",
    "seed=nan", "seed=1e400", "duration_s=.nan", "duration_s=1e400", "duration_s=",
    f"{'a.' * 5000}b=1", f"faults.{'0.' * 5000}b=1", "..=1", f"seed={'[' * 5000}", f"seed={'[' * 5000}{']' * 5000}",
    "seed=&a [*a]", "seed=*a", "seed=!!python/object:os.system x", "seed=\udcff", "fleet.0.name=\udcff",
    "fleet.0.name='\0'",
    "fleet.0.spawn=[[nan, 0], [0, 0]]", "fleet.0.spawn=[[.nan, 0], [0, 0]]", "fleet.0.spawn=[[.inf, 0], [0, 1e308]]",
    "faults=[{at_s: .nan, kill: any}]", "faults=[{at_s: -.inf, kill: any}]", "faults=[{kill: any, kill: any, at_s: 1}]",
    "accept={1: 2}", "accept={lost: '== ²'}", f"accept={{lost: '== {'9' * 400}'}}", "boards.=1", "boards={1: 2}",
    "boards.b={speed: {fp32: nan}}", "streams.0.on=[[]]", "streams.0.on={}", "streams.0.model=../..",
    "streams.0.model=", "scenario=../..", "scenario=", "policy=split:²", f"policy=split:{'9' * 5000}", "policy=:",
    "version=true", "record=yes",
]
PLAIN = {"launch": "patrol.yaml", "name": "detector", "model": "detector", "names": "rover_9",
         "keys_given": "rover_9", "calibrate": "random", "action": "show", "seeds": "1",
         "experiment": "tiny.yaml", "difference": "0.1"}
"""A value for each argument that a command must have. What is not here gets the name of a file that does not exist."""


def leaves(p: Parser, words: list[str]) -> Iterator[tuple[list[str], list[argparse.Action]]]:
    """Every command with the arguments that take a value."""
    if p._arguments is not None:
        add, p._arguments = p._arguments, None
        add(p)
    actions = [action for action in p._actions if action.nargs != 0]
    below = [action for action in actions if isinstance(action, argparse._SubParsersAction)]
    yield words, [action for action in actions if action not in below]
    for action in below:
        for name, inner in action.choices.items():
            yield from leaves(inner, [*words, name])


COMMANDS = [leaf for leaf in leaves(parser(), []) if leaf[1]]      # pyright: ignore[reportArgumentType]


def no_boards(where: str) -> None:
    """Refuses to start boards."""
    raise BadInput(where, "boards in namespaces need root", "")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of its own, in which nothing is started."""
    def refuse(launch: Launch) -> None:
        launch._loop.close()
        sys.exit(0)

    monkeypatch.setattr(Launch, "run", refuse)
    monkeypatch.setattr(Session, "run", lambda _: sys.exit(0))
    monkeypatch.setattr("models.host_speed.host_speed", lambda _: HostSpeed(speed=1.0))       # its measurement lasts
    monkeypatch.setattr("swarm.bench.support.host.TURNS", 1)
    monkeypatch.setattr(fidelity.psutil, "cpu_percent", lambda interval: 0.0)
    for module, work in ((seeds, "explore"), (verify_variant, "verify_variant"), (profiler, "profile"),
                         (fidelity, "launch")):
        monkeypatch.setattr(module, work, lambda *_, **__: sys.exit(0))
    monkeypatch.setattr("swarm.bench.deploy.root.check_privilege", no_boards)
    # These take long, and see no word as it was typed.
    monkeypatch.setattr(Installed, "check_model", lambda *_: None)
    monkeypatch.setattr(Installed, "sensors", lambda _, __, robots, *___: {robot.name: SUITE for robot in robots})
    monkeypatch.setattr(Installed, "check_models", lambda *_: ["detector", "segmenter"])
    monkeypatch.setenv("SWARM_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("SWARM_MODELS", str(tmp_path / "models"))
    (tmp_path / "a" / "b").mkdir(parents=True)
    write_launch(tmp_path / "a" / "b")
    write(tmp_path / "a" / "b", axes={"policy": ["local", "greedy"]})
    monkeypatch.chdir(tmp_path / "a" / "b")


def fault_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What is wrong with a command's answer, or nothing."""
    try:
        code: Any = main(arguments)
    except SystemExit as ended:
        code = ended.code
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the fault
        return f"{type(error).__name__}: {error}"
    lines = capsys.readouterr().err
    if code == 0 or (code == 2 and lines.startswith("swarm: ") and lines.count("\n") == 1 and len(lines) < 1500):
        return ""
    return f"exit code {code}: {lines}"


def filled(action: argparse.Action, word: str) -> list[str]:
    return [action.option_strings[0], word] if action.option_strings else [word]


@pytest.mark.parametrize(("words", "actions"), COMMANDS, ids=[" ".join(words) for words, _ in COMMANDS])
@pytest.mark.parametrize("each", [4, pytest.param(1, marks=pytest.mark.long)])
def test_odd_words_are_answered_in_one_line(
    words: list[str], actions: list[argparse.Action], each: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """One odd word in `each`, others for the next argument."""
    faults = {}
    for k, odd in enumerate(actions):
        needed = [action for action in actions if action is not odd and action.required]
        plain = [text for action in needed for text in filled(action, PLAIN.get(action.dest, "absent"))]
        for word in (NUMBERS if odd.type in (int, float) else TEXTS)[k % each::each]:
            fault = fault_of([*words, *plain, *filled(odd, word)], capsys)
            if fault:
                faults[odd.dest, word[:20]] = fault[-300:]
    assert faults == {}


def test_odd_assignments_are_answered_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    faults = {text[:40]: fault for text in ODD_SETS
              if (fault := fault_of(["launch", "patrol.yaml", "--dry-run", "--set", text], capsys))}
    assert faults == {}


@pytest.mark.parametrize("variable", ["SWARM_PLUGINS", "SWARM_MODELS", "SWARM_CACHE", "SWARM_KEYS", "XDG_CONFIG_HOME"])
@pytest.mark.parametrize("value", ["nowhere", "\udcff", "/dev/null", "x" * 300, ":", "patrol.yaml"])
@pytest.mark.parametrize("words", [["models", "list"], ["keys", "list"], ["worlds", "list"], ["version"]], ids=" ".join)
def test_odd_variables_are_answered_in_one_line(
    variable: str, value: str, words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    assert fault_of(words, capsys) == ""


@pytest.mark.parametrize(("variable", "value"), [
    *[("SWARM_CLOCK_STEP_S", value) for value in ("soon", "nan", "1e400", "²", "9" * 5000)],
    *[("SWARM_LIFELINE_FD", value) for value in ("soon", "-1", "1.5", "987654", "9" * 5000)],
])
def test_variables_of_a_process_that_are_no_numbers(
    variable: str, value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.nice", lambda _: 0)              # the planner's; this process is the tests'
    Path("planner.yaml").write_text("{version: 1, swarm: s}")
    monkeypatch.setenv(variable, value)
    assert main(["planner", "planner.yaml"]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"swarm: ${variable}: ")
    assert told.count("\n") == 1
