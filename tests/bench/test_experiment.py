"""The bench of experiments: it flies what it says, counts what kills do, and notices a bar that is not met."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from swarm.bench.experiment import bench, kills
from swarm.bench.experiment.kills import killed
from swarm.bench.experiment.points import Empty, experiment, flight_s, small_run
from swarm.cli.main import main

GOOD = {"overhead_ms_per_point": 20.0, "resume_s": 5.0, "speedup_2": 1.7, "lost_points": 0, "doubled": 0, "reran": 2}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return small_run(experiment(tmp_path_factory.mktemp("small"), "small", 2, 1))


@pytest.mark.parametrize(("figure", "worse"), [
    ("overhead_ms_per_point", 20.1), ("resume_s", 5.1), ("speedup_2", 1.69), ("lost_points", 1), ("doubled", 1),
    ("reran", 3)])
def test_a_bar_is_met_or_not(figure: str, worse: float) -> None:
    assert bench.met(figure, GOOD[figure])
    assert not bench.met(figure, worse)
    assert GOOD.keys() == bench.BARS.keys()


def test_an_empty_run_leaves_the_files_of_a_small_one(tmp_path: Path, files: dict[str, bytes]) -> None:
    assert {"summary.json", "manifest.json", "requests.parquet"} <= files.keys()
    one = experiment(tmp_path, "empty", 2, 2)
    assert flight_s(one, tmp_path / "out", 1, Empty(files, log=str(tmp_path / "log"))) > 0.0
    folders = list((tmp_path / "out" / "points").iterdir())
    assert len(folders) == 4
    assert all((folder / name).read_bytes() == content for folder in folders for name, content in files.items())
    ids = (tmp_path / "log").read_text().split()
    assert len(ids) == 5                                     # one flew before, to warm up
    assert {folder.name for folder in folders} == set(ids[1:])


@pytest.mark.long
def test_kills_are_counted(tmp_path: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kills, "COMBINATIONS", 4)
    monkeypatch.setattr(kills, "SEEDS", 15)
    monkeypatch.setattr(kills, "STARTS", 0.0)
    monkeypatch.setattr(kills, "FLIES_S", 0.1)
    found = killed(1, 1, files, tmp_path, lambda text: None)
    assert (found.kills, found.points, found.lost_points, found.doubled) == (1, 60, 0, 0)
    assert 0 <= max(found.reran) <= kills.JOBS
    journal = tmp_path / "killed" / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join([*lines[1:], lines[1]]))      # one line is lost, another one there twice
    flight = kills._Flight.__new__(kills._Flight)
    flight._experiment, flight._out = experiment(tmp_path, "killed", 4, 15), tmp_path / "killed"
    flight._names = sorted(files)
    outcome = flight.outcome([])
    assert (outcome.lost_points, outcome.doubled) == (1, 1)
    (tmp_path / "killed" / "points" / json.loads(lines[2])["id"] / "summary.json").unlink()
    assert flight.outcome([]).lost_points == 2


@pytest.mark.parametrize("word", ["0", "1001"])
def test_the_number_of_kills_has_bounds(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "experiment", "--kills", word]) == 2
    assert "--kills: " in capsys.readouterr().err


def test_the_text_names_every_bar() -> None:
    figures = {**GOOD, "speedup_2": 1.2, "done_points": 10, "done_combinations": 2, "kills": 3, "killed_points": 5,
               "kills_in_flight": 1, "host": "quiet", "cores": 2}
    text = bench.as_text(figures)
    assert text.count("not met") == 1
    assert all(name in text for name in bench.BARS)
