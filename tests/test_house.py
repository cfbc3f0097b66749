"""The house: what may be imported where, what the wheel carries, what a board needs."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import agents
import models
import sim_worlds
import swarm
from sim_worlds.classes import TARGET_CLASSES
from sim_worlds.scenarios.search_rescue import scenario as search_rescue
from swarm.core.clock import MonotonicClock
from swarm.core.policy.plan import StreamSpec
from swarm.core.protocol.messages import Ready, Shutdown
from swarm.core.settings.boards import Board
from swarm.core.settings.process_files import AgentFile
from swarm.core.settings.yaml_text import dump
from swarm.net.lanes import open_endpoint
from swarm.net.loop import Loop
from tests.patience import HANG_NS, HANG_S

HOUSE = Path(__file__).parent.parent
NOT_ON_A_BOARD = ("ray", "pybullet", "torch", "onnx", "jinja2", "matplotlib", "pyarrow", "rich", "scipy")
SOURCES = [p for name in ("swarm", "agents", "models", "sim_worlds") for p in (HOUSE / name).rglob("*.py")]
TESTS = list((HOUSE / "tests").rglob("*.py"))
MOST_LINES, MOST_TEST_LINES, MOST_FILES = 300, 400, 12
MEDIAN_LINES = (60, 150)
REGISTRIES = {
    "sim_worlds/scenarios", "agents/behaviours", "models/tasks", "swarm/core/policy/policies", "swarm/bench",
    "swarm/cli/commands",
}


@pytest.mark.parametrize("package", [agents, models, sim_worlds, swarm], ids=lambda p: p.__name__)
def test_the_packages_imported_are_ours(package: object) -> None:
    assert Path(str(package.__file__)).parent.parent == HOUSE


def imported(source: str) -> set[str]:
    """Top-level names of the modules that a source imports anywhere."""
    names: set[str] = set()
    for statement in ast.walk(ast.parse(source)):
        if isinstance(statement, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom) and statement.level == 0:
            names.add((statement.module or "").partition(".")[0])
    return names


def test_launch_is_data_only() -> None:
    assert (HOUSE / "launch" / "search_rescue.yaml").is_file()
    assert list((HOUSE / "launch").rglob("*.py")) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(HOUSE)))
def test_only_the_clock_reads_time(path: Path) -> None:
    if path.parts[-2:] != ("core", "clock.py"):
        assert not {"time", "datetime"} & imported(path.read_text())


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_a_long_file_gives_its_reason_in_its_first_lines() -> None:
    """Such a line has `Over 300 lines: ` and the reason in it. The limit of tests is higher, without exception."""
    long = {str(p.relative_to(HOUSE)) for p in SOURCES if len(lines_of(p)) > MOST_LINES}
    assert {name for name in long if "Over 300 lines: " not in "\n".join(lines_of(HOUSE / name)[:3])} == set()
    assert [str(p.relative_to(HOUSE)) for p in TESTS if len(lines_of(p)) > MOST_TEST_LINES] == []


def test_the_median_file_is_neither_long_nor_a_fragment() -> None:
    least, most = MEDIAN_LINES
    assert least <= statistics.median(len(lines_of(p)) for p in SOURCES if p.name != "__init__.py") <= most


def test_no_folder_but_a_registry_has_more_than_a_dozen_files() -> None:
    files = Counter(p.parent.relative_to(HOUSE).as_posix() for p in SOURCES if p.name != "__init__.py")
    assert files.keys() >= {"swarm/core", "agents", "models", "sim_worlds"}
    assert {folder: n for folder, n in files.items() if n > MOST_FILES and folder not in REGISTRIES} == {}


def test_the_runtime_has_no_words_of_one_scenario() -> None:
    """What search_rescue measures and looks for; measures that are plain words, such as `found`, are left out.

    In a folder of statistics, coverage is that of an interval.
    """
    measures = [name for name in search_rescue.MEASURES if "_" in name or name in ("coverage", "collisions")]
    words = {*measures, *TARGET_CLASSES}
    assert words >= {"found_auc", "coverage", "collisions", "wrong_claims", "casualty", "beacon"}
    word = re.compile(rf"\b({'|'.join(map(re.escape, sorted(words)))})\b")
    files = [p for p in (HOUSE / "swarm").rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    assert len(files) > 100
    assert {(str(p.relative_to(HOUSE)), found) for p in files
            for found in word.findall(p.read_text(errors="replace"))
            if (p.parent.name, found) != ("statistics", "coverage")} == set()


BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ImportError(name + " is not on a board")
sys.meta_path.insert(0, Block())
from swarm.cli.main import main
sys.exit(main(["agent", {path!r}]))
"""


def test_an_agent_runs_without_what_a_board_does_not_have(tmp_path: Path) -> None:
    loop = Loop(MonotonicClock())
    ready = []

    def received(message) -> None:
        if isinstance(message.body, Ready) and not ready:
            ready.append(message)
            launcher.join([message.body.member])
            end()

    def end() -> None:
        if launcher.send("rover_0", Shutdown()):
            loop.stop()
        else:
            loop.after(10_000_000, end)

    launcher = open_endpoint(loop, swarm="t", name="launcher", role="launcher", boot=1, handler=received)
    board = Board(speed={"fp32": 0.5, "int8": 0.5}, power_w=1, source="test")
    settings = AgentFile(
        version=1, name="rover_0", swarm="t", board_name="b", board=board, launcher=launcher.member,
        behaviour="search_rescue", team=["rover_0"],
        streams=[StreamSpec(name="detect", model="detector", rate_hz=5, deadline_s=0.1)],
    )
    path = tmp_path / "rover_0.yaml"
    path.write_text(dump(settings))
    code = BLOCKED.format(blocked=NOT_ON_A_BOARD, path=str(path))
    child = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    loop.after(HANG_NS, loop.stop)
    loop.run()
    launcher.close(200)
    try:
        _, errors = child.communicate(timeout=HANG_S)
    finally:
        child.kill()
    assert ready, errors
    assert child.returncode == 0, errors
