"""What decides a point's result changes its id, and nothing else does."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from models import store
from swarm import plugins
from swarm.core.settings import yaml_text
from swarm.experiments.experiment import Experiment
from swarm.launcher import find
from tests.experiments.files import TINY, write

LINK = "links.rover:carrier.trace"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A launch file with a trace, its boards, and a folder for experiments."""
    here = tmp_path / "here"
    (here / "experiments").mkdir(parents=True)
    source = find.launch_file("patrol")
    shutil.copy(source, here / "own.yaml")
    shutil.copy(find.boards_file(source), here / find.BOARDS)
    (here / "slow.csv").write_text("time_s,rate_mbps\n0,5\n10,2\n")
    return here


def ids(folder: Path, name: str = "e", **keys: Any) -> list[str]:
    """The ids of all points, in the order of seeds and of the file."""
    path = write(folder / "experiments", name, **{
        "launch": "../own.yaml", "set": {**TINY, LINK: "slow.csv"}, "axes": {"policy": ["local", "greedy"]}, **keys})
    made = Experiment(path)
    points = [point for block in made.blocks(made.seeds) for point in block]
    return [point.id for point in sorted(points, key=lambda point: (point.seed, made.arms.index(point.arm)))]


def test_comments_the_order_of_keys_names_and_folders_change_nothing(folder: Path, tmp_path: Path) -> None:
    before = ids(folder)
    launch = folder / "own.yaml"
    assert ids(folder, "another_name") == before
    turned = dict(reversed(yaml_text.parse(launch.read_text(), "").items()))
    launch.write_text("# a comment\n" + yaml_text.dump(turned))
    assert ids(folder) == before
    shutil.move(folder, tmp_path / "there")
    assert ids(tmp_path / "there") == before


def test_a_named_behaviour_that_is_the_scenarios_own_changes_nothing_and_another_one_does(folder: Path) -> None:
    here = {**TINY, LINK: "slow.csv", "scenario": "search_rescue"}
    before = ids(folder, set=here)
    assert ids(folder, set={**here, "behaviour": "search_rescue"}) == before
    for key, value in (("behaviour", "patrol"), ("perception", "perfect")):
        assert not set(ids(folder, set={**here, key: value})) & set(before)


def test_each_fleet_at_once_is_the_same_as_one_after_the_other(folder: Path) -> None:
    here = {**TINY, LINK: "slow.csv"}
    apart = ids(folder, set={**here, "fleet.0.physics": "dynamic", "fleet.1.physics": "dynamic"})
    assert ids(folder, set={**here, "fleet.*.physics": "dynamic"}) == apart


def test_what_is_looked_at_changes_nothing(folder: Path) -> None:
    before = ids(folder)
    launch = folder / "own.yaml"
    launch.write_text(launch.read_text().replace('accept: {lost: "== 0"}', "accept: {}"))
    assert ids(folder, metrics={"lost": "lower"}, repeats=0, compare={"to": "local"}) == before
    assert ids(folder, set={**TINY, LINK: "slow.csv", "accept.on_time_ratio": ">= 0.2"}) == before


def test_a_value_changes_the_points_that_have_it_and_a_seed_is_one_more(folder: Path) -> None:
    before = ids(folder)
    assert len(set(before)) == 4
    assert ids(folder, seeds=3)[:4] == before
    assert ids(folder, first_seed=2)[:2] == before[2:]
    assert ids(folder, axes={"policy": ["planner", "greedy"]})[1::2] == before[1::2]
    assert not set(ids(folder, axes={"policy": ["planner", "greedy"]})[::2]) & set(before)
    assert not set(ids(folder, set={**TINY, LINK: "slow.csv", "duration_s": 2})) & set(before)


def test_a_control_in_virtual_time_flies_with_another_seed(folder: Path) -> None:
    assert len(set(ids(folder, control=True))) == 6
    assert set(ids(folder)) <= set(ids(folder, control=True))


def test_the_content_of_a_trace_changes_all_points(folder: Path) -> None:
    before = ids(folder)
    (folder / "slow.csv").write_text("time_s,rate_mbps\n0,5\n10,3\n")
    assert not set(ids(folder)) & set(before)


def test_a_models_card_changes_the_points_that_run_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, load_card = ids(folder), store.load_card

    def changed(**changes: object) -> list[str]:
        monkeypatch.setattr(store, "load_card", lambda name, folder=None: msgspec.structs.replace(
            load_card(name, folder), **changes) if name == "segmenter" else load_card(name, folder))
        return ids(folder)

    monkeypatch.setattr("swarm.experiments.known.KnownOnce.check_models", lambda *_: ["detector", "segmenter"])
    monkeypatch.setattr("swarm.experiments.known.check_models", lambda _: None)
    assert not set(changed(made_by="another")) & set(before)
    task = folder / "mine.py"
    task.write_text("make = print\n")
    with_task = changed(task=str(task))
    task.write_text("make = repr\n")
    assert not set(changed(task=str(task))) & {*before, *with_task}      # by the content of a user's task, too


def test_a_plug_in_changes_all_points_by_its_content_alone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_plug_in(at: str, kind: str, text: str) -> list[str]:
        (tmp_path / at / kind).mkdir(parents=True, exist_ok=True)
        (tmp_path / at / kind / "mine.py").write_text(text)
        monkeypatch.setenv(plugins.VARIABLE, str(tmp_path / at))
        return ids(folder)

    before, one = ids(folder), with_plug_in("a", "policies", "x = 1\n")
    assert not set(one) & set(before)
    assert not set(with_plug_in("a", "policies", "x = 2\n")) & set(one)
    assert with_plug_in("b", "policies", "x = 1\n") == one
    both = with_plug_in("b", "behaviours", "y = 1\n")            # of one name, in two registries
    assert not set(with_plug_in("b", "policies", "x = 2\n")) & set(both)
