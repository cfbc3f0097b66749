"""Plug-ins that cannot be used: one line with the file and its line; our own errors are not hidden."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from agents import behaviours
from models import tasks
from sim_worlds import scenarios
from swarm import bench, plugins
from swarm.cli import commands
from swarm.cli.main import main
from swarm.core.policy import policies
from swarm.core.settings.errors import BadInput

CARD: Any = SimpleNamespace(task="odd")
REGISTRIES: list[tuple[str, ModuleType, Callable[[], object]]] = [
    ("scenarios", scenarios, lambda: scenarios.load("odd")),
    ("behaviours", behaviours, lambda: behaviours.load("odd")),
    ("tasks", tasks, lambda: tasks.task(CARD)),
    ("policies", policies, lambda: policies.load("odd")),
    ("benches", bench, lambda: bench.load("odd")),
    ("commands", commands, lambda: main(["version"])),
]
BROKEN = [
    ("def odd(:\n", "odd.py: line 1: SyntaxError: "),
    ("x = 1\nraise ValueError('no\\nluck')\n", "odd.py: line 2: ValueError: no"),
    ("import nothing_of_this_name\n", "odd.py: line 1: ModuleNotFoundError: "),
    ("import sys\n\ndef f():\n    return 1 / 0\n\nf()\n", "odd.py: line 4: ZeroDivisionError: "),
    ("x = 1\n", "odd.py: AttributeError: "),
    ("import sys\nsys.exit()\n", "odd.py: line 2: SystemExit: "),
]


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, ModuleType, str], Path]]:
    """Writes a plug-in called `odd` for a registry."""
    changed: list[ModuleType] = []

    def put(kind: str, registry: ModuleType, text: str) -> Path:
        sys.modules.pop(f"{registry.__name__}.odd", None)        # of another test, whatever that left behind
        vars(registry).pop("odd", None)
        importlib.invalidate_caches()
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "odd.py").write_text(text)
        monkeypatch.setenv(plugins.VARIABLE, str(tmp_path))
        monkeypatch.setattr(registry, "__path__", plugins.extended(registry.__path__, kind))
        changed.append(registry)
        return tmp_path / kind / "odd.py"

    yield put
    for registry in changed:
        sys.modules.pop(f"{registry.__name__}.odd", None)
        vars(registry).pop("odd", None)


@pytest.mark.parametrize(("kind", "registry", "use"), REGISTRIES, ids=[kind for kind, _, _ in REGISTRIES])
@pytest.mark.parametrize(("text", "told"), BROKEN, ids=[told.split()[-1] for _, told in BROKEN])
def test_a_broken_plug_in_is_named_with_its_line(
    put: Any, kind: str, registry: ModuleType, use: Callable[[], object], text: str, told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = put(kind, registry, text)
    if kind == "commands":
        assert use() == 2
        line = capsys.readouterr().err
        assert line.count("\n") == 1
    else:
        with pytest.raises(BadInput) as refused:
            use()
        line = str(refused.value)
    assert f"{file.parent}/{told}" in line


def test_a_bench_whose_text_is_broken_is_named(put: Any, capsys: pytest.CaptureFixture[str]) -> None:
    put("benches", bench, "def odd(:\n")
    assert main(["bench"]) == 2
    assert "odd.py: line 1: SyntaxError" in capsys.readouterr().err


def test_an_error_of_our_own_is_not_hidden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(plugins.VARIABLE, str(tmp_path))
    with pytest.raises(AttributeError), plugins.blamed("swarm.core.policy.policies.local"):
        plugins.load("swarm.core.policy.policies.local", "NO_SUCH_NAME")
    with pytest.raises(ModuleNotFoundError):
        plugins.load("swarm.core.policy.policies.no_such_policy")


@pytest.mark.parametrize("words", [["version"], ["--help"], ["launch", "search_rescue", "--dry-run"]], ids=" ".join)
def test_a_folder_that_does_not_exist_is_named(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(plugins.VARIABLE, f"{tmp_path}:{tmp_path}/gone")
    assert main(words) == 2
    assert capsys.readouterr().err == (
        f"swarm: $SWARM_PLUGINS: there is no folder {tmp_path}/gone; folders of plug-ins, separated by colons\n")


def test_the_files_of_plug_ins_are_named_by_their_place_and_the_first_folder_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mine/policies/calm.py", "mine/behaviours/calm.py", "theirs/policies/calm.py", "theirs/tasks/tell.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setenv("SWARM_PLUGINS", f"{tmp_path}/mine:{tmp_path}/theirs")
    assert plugins.files() == {
        "policies/calm.py": tmp_path / "mine/policies/calm.py", "tasks/tell.py": tmp_path / "theirs/tasks/tell.py",
        "behaviours/calm.py": tmp_path / "mine/behaviours/calm.py"}


PLACE = """
from sim_worlds.engine import Engine, mission_of
from sim_worlds.environment import Environment
from sim_worlds.physics.solids import box
from swarm.core.protocol.sensors import Lidar, Sensor, SensorSuite
from swarm.core.protocol.world import Pose

HEADLINE, MEASURES = "met", {"met": ("", "robots that have met")}
WALL = box(1.0, 0.0, 0.0, 0.2, 2.0, 2.0, (0.5, 0.5, 0.5))


class Sonar(Sensor, frozen=True, tag="sonar"):
    pass


class Odd(Engine):
    suite = SensorSuite({"lidar": Lidar(beams=8, range_m=6.0)})

    def mission(self):
        return mission_of(HEADLINE, MEASURES, {"met": 0.0})


def build(fleet, seed, *, render=True):
    place = Environment(size_m=9.0, walls=(WALL,), spawns=tuple(Pose(-3.0, k - 2.0, 0.0) for k in range(len(fleet))))
    return Odd(place, fleet, scenario="odd", seed=seed, render=render)
"""
LAUNCH = """
version: 1
scenario: odd
behaviour: patrol
seed: 1
duration_s: 5
fleet: [{name: rover, count: 2, board: orin_nano}]
streams: [{name: detect, on: [rover], model: detector, rate_hz: 1, deadline_s: 1.0, source: scan}]
"""
FAULTS = [
    ('"lidar": Lidar(beams=8, range_m=6.0)', '"sonar": Sonar()',
     "sensor sonar: no kind of sensor is called Sonar; one of Camera, Lidar, Range, Imu, Odometry, Localisation, "),
    ('SensorSuite({"lidar": Lidar(beams=8, range_m=6.0)})', '{"lidar": 1}',
     'suite: it is a dict; a SensorSuite, like SensorSuite({"lidar": LIDAR})'),
    ("return Odd(", "Odd(", "odd.py: TypeError: build returned None, which is no World; a plug-in that can be loaded"),
    ("return Odd(", "{}['luck'] or Odd(", "odd.py: line 25: KeyError: 'luck'; a plug-in that can be loaded"),
    ("Pose(-3.0,", "Pose(1.0,", "(1, -1), 0 m up, heading 0: a wall is there; a free place on the floor for "),
    ("size_m=9.0", "size_m=float('nan')", "the environment: its size_m is nan; metres, above 0 and up to 500"),
]


@pytest.mark.parametrize(("old", "new", "told"), FAULTS, ids=[new for _, new, _ in FAULTS])
def test_a_world_that_a_plug_in_builds_wrong_is_told_in_one_line(
    put: Any, old: str, new: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    assert old in PLACE
    put("scenarios", scenarios, PLACE.replace(old, new))
    (tmp_path / "odd.yaml").write_text(LAUNCH)
    assert main(["launch", str(tmp_path / "odd.yaml"), "--out", str(tmp_path / "run"), "--dry-run"]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "odd.yaml: scenario: " in line
    assert told in line
    assert "another seed" not in line
    assert main(["worlds", "show", "odd"]) == 2
    assert told in capsys.readouterr().err


def test_a_fleet_that_does_not_fit_a_plug_in_is_told_to_change(
    put: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put("scenarios", scenarios, PLACE.replace("range(len(fleet))", "range(1)"))
    (tmp_path / "odd.yaml").write_text(LAUNCH)
    assert main(["launch", str(tmp_path / "odd.yaml"), "--dry-run"]) == 2
    assert "odd.yaml: fleet: 2 robots, but only 1 spawn poses; a smaller fleet, other places, or another seed" in (
        capsys.readouterr().err)
