"""`swarm experiment power`: the folder's results are the pilot."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from swarm.cli.main import main
from swarm.experiments.experiment import Experiment
from swarm.experiments.statistics.power import POWER, power, seeds_needed
from swarm.experiments.workers.flight import Task, fly
from tests.experiments.files import write
from tests.experiments.flights import Here, fly_all, planted

AXES = {"policy": ["local", "greedy"]}
NOISE = [0.013, -0.021, 0.004, 0.017, -0.008, -0.011, 0.026, -0.015]


def value(policy: str, seed: int) -> float:
    return 0.5 + (policy == "greedy") * (0.05 + NOISE[seed % 8])


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with eight seeds of a pilot."""
    folder = tmp_path_factory.mktemp("power")
    path = write(folder, axes=AXES, seeds=8)
    one = Experiment(path)
    point = one.blocks([1])[0][0]
    base = fly(Task(id=point.id, resolved=one.launches.of(one.combination(point), point), command="test")).files
    fly_all(path, folder / "out", Here(planted(base, value)))
    return folder / "out"


def told(capsys: pytest.CaptureFixture[str], path: Path, out: Path, *arguments: str) -> str:
    assert main(["experiment", "power", str(path), "--out", str(out), *arguments]) == 0
    return capsys.readouterr().out


def test_the_plan_is_that_of_the_pilots_differences(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, axes=AXES, seeds=8)
    plan = json.loads(told(capsys, path, out, "--difference", "0.02", "--json"))
    one, = plan["comparisons"]
    pilot = np.array([value("greedy", seed) - 0.5 for seed in range(1, 9)])
    needed = seeds_needed(pilot, 0.02)
    assert needed is not None
    assert (one["arm"], one["against"], one["pilot"]) == ("greedy", "local", 8)
    assert (one["seeds"], one["power"]) == (needed.seeds, needed.power)
    assert plan["seeds"] == needed.seeds
    assert one["power"] >= POWER > one["power_now"] == power(pilot, 0.02, 8)
    assert one["spread"][0] < np.std(pilot, ddof=1) < one["spread"][1]
    larger = json.loads(told(capsys, path, out, "--difference", "0.05", "--json"))
    assert larger["seeds"] < plan["seeds"]
    text = told(capsys, path, out, "--difference", "0.02")
    assert f"{needed.seeds} seeds are enough for all; the file has 8" in text
    assert "power of 8" in text


def test_all_metrics_are_one_family_and_need_more_seeds(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = json.loads(told(capsys, write(tmp_path, axes=AXES, seeds=8), out, "--difference", "0.02", "--json"))
    more = {"lost": "lower", "on_time_ratio": "higher", "streams.detect.on_time_ratio": "higher"}
    path = write(tmp_path, axes=AXES, seeds=8, metrics=more)
    three = json.loads(told(capsys, path, out, "--difference", "0.02", "--metric", "on_time_ratio", "--json"))
    assert (alone["family"], three["family"]) == (1, 3)
    assert three["seeds"] > alone["seeds"]
    lost = json.loads(told(capsys, path, out, "--difference", "1", "--json"))
    assert lost["metric"] == "lost"
    assert lost["comparisons"][0]["seeds"] is None           # all differences are 0: they tell nothing
    assert lost["seeds"] is None
    assert lost["notes"]


@pytest.mark.parametrize(("arguments", "what"), [
    (["--difference", "0.02", "--metric", "lost"], "--metric: 'lost' is no metric of "),
    (["--difference", "0"], "--difference: 0; a number that is not 0"),
    (["--difference", "nan"], "--difference: nan"),
    ([], "the following arguments are required: --difference"),
])
def test_wishes_that_make_no_sense(
    arguments: list[str], what: str, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["experiment", "power", str(write(tmp_path, axes=AXES)), "--out", str(out), *arguments]) == 2
    assert what in capsys.readouterr().err


def test_too_few_results_name_the_command_to_run(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, axes=AXES, seeds=5)
    for folder, seeds in ((tmp_path / "nowhere", 0), (out, 5)):
        assert main(["experiment", "power", str(path), "--out", str(folder), "--difference", "0.1"]) == 2
        line = capsys.readouterr().err.split("\x1b[K")[-1]
        assert f"at most {seeds} seeds of a comparison have this figure; at least 6" in line
        assert f"`swarm experiment run {path} --out {folder} --resume`" in line
    assert not (tmp_path / "nowhere").exists()


def test_without_a_comparison_there_is_nothing_to_plan(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["experiment", "power", str(write(tmp_path)), "--out", str(out), "--difference", "0.1"]) == 2
    assert "nothing is compared" in capsys.readouterr().err
