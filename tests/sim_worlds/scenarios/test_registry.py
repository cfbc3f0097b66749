"""The folder is the registry of scenarios: one file more is one scenario more, with an engine under it."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sim_worlds import scenarios
from sim_worlds.engine import mission_of
from sim_worlds.scenarios.search_rescue import scenario as search_rescue
from swarm.cli.main import main
from swarm.core.protocol.world import Drive, Report
from swarm.core.settings.process_files import RobotSpec

RENDEZVOUS = """
\"\"\"Rendezvous: all robots meet in the middle of an empty hall.\"\"\"

import math

from sim_worlds.engine import Engine, mission_of
from sim_worlds.physics.solids import box
from sim_worlds.environment import Environment, spawns_around

HEADLINE = "met"
MEASURES = {"met": ("", "robots within 1 m of the middle")}
GREY = (0.6, 0.6, 0.6)
WALLS = tuple(box(x, y, 0.0, sx, sy, 2.0, GREY) for x, y, sx, sy in (
    (0, 4.9, 10, 0.2), (0, -4.9, 10, 0.2), (4.9, 0, 0.2, 9.6), (-4.9, 0, 0.2, 9.6)))


def build(fleet, seed, *, render=True):
    spawns = spawns_around(WALLS, 10.0, 0.0, 0.0, len(fleet))
    if spawns is None:
        raise ValueError(f"the hall has no room for {len(fleet)} robots")
    hall = Environment(size_m=10.0, walls=WALLS, spawns=tuple(spawns))
    return Rendezvous(hall, fleet, scenario="rendezvous", seed=seed, render=render)


class Rendezvous(Engine):
    def mission(self):
        met = sum(math.hypot(p.x_m, p.y_m) < 1.0 for p in self.motion.poses)
        return mission_of(HEADLINE, MEASURES, {"met": met})
"""


@pytest.fixture
def rendezvous(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[scenarios.Scenario]:
    """A second scenario, from a folder that is added to the registry for one test."""
    (tmp_path / "rendezvous.py").write_text(RENDEZVOUS)
    monkeypatch.setattr(scenarios, "__path__", [*scenarios.__path__, str(tmp_path)])
    yield scenarios.load("rendezvous")
    sys.modules.pop("sim_worlds.scenarios.rendezvous", None)
    vars(scenarios).pop("rendezvous", None)


def test_the_directory_is_the_registry() -> None:
    folder = Path(scenarios.__file__).parent
    here = {f.stem for f in folder.glob("*.py")} | {f.parent.name for f in folder.glob("*/scenario.py")}
    assert set(scenarios.available()) == here - {"__init__"}
    assert scenarios.load("search_rescue").build is search_rescue.build
    with pytest.raises(ValueError, match=r"no scenario 'chess'; there are .*search_rescue"):
        scenarios.load("chess")


def test_a_file_in_another_folder_of_the_path_is_a_scenario(rendezvous: scenarios.Scenario) -> None:
    assert {"rendezvous", "search_rescue"} <= set(scenarios.available())
    fleet = [RobotSpec(name=f"rover_{i}", kind="rover", physics="kinematic") for i in range(5)]
    with rendezvous.build(fleet, 1, render=False) as world:
        assert world.mission().measures[0].value == 5
        assert world.scene().scenario == "rendezvous"
        assert world.judge("rover_0", Report(kind="claim", values={})) == "wrong"
        for name in world.names:
            world.act(name, Drive(v_mps=0.8, w_radps=0.0, ttl_s=9.0))      # they start with their backs to the middle
        for _ in range(round(2.0 / world.dt_s)):
            world.step()
        assert world.mission().measures[0].value < 5
        assert world.view("rover_0").boxes() == []
    with pytest.raises(ValueError, match="no room for 999"):
        rendezvous.build([RobotSpec(name=f"r{i}", kind="rover") for i in range(999)], 1)


def test_the_kind_of_a_scenario_is_a_kind_of_robot(
    rendezvous: scenarios.Scenario, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    assert scenarios.kind("rendezvous") == "rover"
    monkeypatch.setattr(rendezvous, "KIND", "quadrotor", raising=False)
    assert [robot.name for robot in scenarios.fleet_for("rendezvous", 2)] == ["quadrotor_0", "quadrotor_1"]
    monkeypatch.setattr(rendezvous, "KIND", "dragon")
    assert main(["worlds", "show", "rendezvous"]) == 2
    assert capsys.readouterr().err == (
        "swarm: scenario rendezvous: KIND: no kind of robot is called 'dragon'; one of carrier, quadrotor, rover\n")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_measure_that_is_not_finite_ends_the_world_in_plain_words(value: float) -> None:
    """No message carries it: the news of the world would be lost."""
    with pytest.raises(ValueError, match=r"a measure is no finite number: {'met': (nan|inf)}"):
        mission_of("met", {"met": ("", "meetings")}, {"met": value})
