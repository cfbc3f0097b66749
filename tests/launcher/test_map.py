"""`map` of a launch file: found beside it, refused in one line, and flown."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from docs import make_map
from swarm.cli.main import main
from swarm.core.protocol.messages import Member
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import WorldFile
from swarm.experiments.design.identity import identity
from swarm.launcher.load import load_launch
from swarm.run.settings.process_specs import process_specs
from swarm.run.settings.resolve import Options, Resolved
from swarm.virtual.launch import VirtualLaunch
from tests.launcher.world import LAUNCH, write_launch
from tests.virtual.flights import LAUNCH as SHORT
from tests.virtual.flights import events

LAUNCHER = Member(name="launcher", role="launcher", urgent="tcp://127.0.0.1:1", bulk="tcp://127.0.0.1:2")
MEADOW = '''
"""Meadow: it is always the same."""
from sim_worlds.scenarios.patrol import HEADLINE, MEASURES, build
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(make_map.FOLDER, tmp_path / "maps")
    write_launch(tmp_path, LAUNCH + "map: maps/office.yaml\n")
    return tmp_path


def loaded(folder: Path, *assignments: str, gui: bool = False) -> Resolved:
    return load_launch(Options(launch=str(folder / "patrol.yaml"), assignments=list(assignments), gui=gui))


def test_a_map_is_found_beside_the_launch_file_and_handed_to_the_world(folder: Path) -> None:
    run = loaded(folder)
    assert run.launch.map == str(folder / "maps" / "office.yaml")
    assert run.floor is not None
    world = process_specs(run, "swarm", LAUNCHER, "")[0].settings
    assert isinstance(world, WorldFile)
    assert world.map == run.launch.map
    assert loaded(folder, "map=''").floor is None


@pytest.mark.parametrize("gui", [False, True])
def test_the_world_is_told_to_show_a_window(folder: Path, gui: bool) -> None:
    world = process_specs(loaded(folder, gui=gui), "swarm", LAUNCHER, "")[0].settings
    assert isinstance(world, WorldFile)
    assert world.gui == gui


@pytest.mark.parametrize(("assignments", "told"), [
    (["map=maps/no.yaml"], "maps/no.yaml: No such file or directory; a readable YAML file"),
    (["map=maps/office.png"], "maps/office.png: line 1: byte 0x89 is not UTF-8"),
    (["map=patrol.yaml"], "patrol.yaml: unknown key 'version'; known keys: image, resolution"),
    (["map=7"], "map: 7 is a whole number, not text"),
    (["fleet.0.count=500"], "fleet: the map"),
    (["fleet.0.spawn=[[0], [1, 0]]"], "fleet[0].spawn[0]: it has 1 entry; exactly 2"),
    (["fleet.0.spawn=[[0, 0], [90, 0]]"], "fleet: a robot cannot start at (90, 0)"),
])
def test_a_bad_map_is_refused_in_one_line(folder: Path, assignments: list[str], told: str) -> None:
    with pytest.raises(BadInput) as refused:
        loaded(folder, *assignments)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_named_behaviour_is_tried_on_the_map_where_the_robots_are(folder: Path) -> None:
    """The scenario's own building has a wall there."""
    places = ["behaviour=search_baseline", "fleet.0.spawn=[[0.3, 1.2], [1.3, 1.2]]"]
    assert loaded(folder, *places).floor is not None
    with pytest.raises(BadInput, match=r"cannot start at \(0\.3, 1\.2\): a wall"):
        loaded(folder, *places, "map=''")


def test_a_scenario_without_maps_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch,
                                          capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "plugins" / "scenarios").mkdir(parents=True)
    (folder / "plugins" / "scenarios" / "clearing.py").write_text(MEADOW)
    monkeypatch.setenv("SWARM_PLUGINS", str(folder / "plugins"))
    from sim_worlds import scenarios
    monkeypatch.setattr(scenarios, "__path__", [*scenarios.__path__, str(folder / "plugins" / "scenarios")])
    with pytest.raises(BadInput, match=r"map: scenario clearing takes no map; no map, or one of patrol, search_rescue"):
        loaded(folder, "scenario=clearing")
    assert main(["worlds", "show", "clearing", "--map", str(folder / "maps" / "office.yaml")]) == 2
    assert capsys.readouterr().err == ("swarm: --map: scenario clearing takes no map; no map, or one of patrol, "
                                       "search_rescue\n")


def test_a_swarm_flies_on_a_map(folder: Path) -> None:
    run = loaded(folder)
    launch = msgspec.structs.replace(SHORT, duration_s=2.0, map=run.launch.map, policy="local")
    flight = VirtualLaunch(
        msgspec.structs.replace(run, launch=launch, kinds={"rover": "rover", "carrier": "carrier"}),
        folder / "run", command=["test"], report=False)
    outcome = flight.run()
    assert outcome.error == ""
    assert outcome.summary is not None
    assert outcome.summary["mission"]["coverage"] > 0.05
    assert outcome.summary["requests"]["lost"] == 0
    assert {event["what"] for event in events(folder / "run")} >= {"started"}


def test_the_floor_decides_the_identity_of_a_point_and_not_its_path(folder: Path) -> None:
    first = identity(loaded(folder), {})
    shutil.copytree(folder / "maps", folder / "elsewhere")
    assert identity(loaded(folder, "map=elsewhere/office.yaml"), {}) == first
    text = (folder / "maps" / "office.yaml").read_text()
    (folder / "maps" / "office.yaml").write_text(text.replace("0.05", "0.06"))
    assert identity(loaded(folder), {}) != first
    assert identity(loaded(folder, "map=''"), {}) != first


def test_the_floor_is_shown_with_its_place_in_the_map(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["worlds", "show", "patrol", "--map", str(make_map.FOLDER / "office.yaml")]) == 0
    assert "office.yaml; (0, 0) is (0.00, 0.00) in the map's frame" in capsys.readouterr().out
