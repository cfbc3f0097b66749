"""`make paper`: a figure of each kind from one file, flown by the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import swarm
from swarm.cli.main import main
from swarm.experiments.experiment import Experiment
from swarm.experiments.results.figures.check import check
from swarm.experiments.results.loading import ExperimentData
from tests.experiments.results.test_bundle import unpacked

FILES = sorted((Path(__file__).parents[3] / "launch" / "experiments").glob("*.yaml"))
(PAPER,) = (path for path in FILES if path.stem == "paper")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_figures_of_our_experiments_can_be_drawn(path: Path) -> None:
    experiment = Experiment(path)
    check(experiment.file.figures, experiment.facts(), str(path))


def test_the_paper_has_a_figure_of_each_kind() -> None:
    assert sorted(one.kind for one in Experiment(PAPER).file.figures) == ["box", "cdf", "line", "pareto", "wins"]


@pytest.mark.long
def test_it_flies_writes_its_figures_and_can_be_repeated_from_its_archive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = PAPER.read_text().replace("duration_s: 5, warmup_s: 1", "duration_s: 2, warmup_s: 0.5").replace(
        "seeds: 9", "seeds: 2")
    (tmp_path / "paper.yaml").write_text(short)
    out = tmp_path / "out"
    assert main(["experiment", "run", str(tmp_path / "paper.yaml"), "--out", str(out)]) == 0
    before = {path: path.read_bytes() for path in [*sorted((out / "figures").iterdir()), out / "points.parquet"]}
    assert sum(path.suffix == ".pdf" for path in before) == 5
    assert main(["experiment", "run", str(tmp_path / "paper.yaml"), "--out", str(out), "--resume"]) == 0
    assert before == {path: path.read_bytes() for path in before}

    found = swarm.load(out)
    assert isinstance(found, ExperimentData)
    summaries = [run.summary for run in found.runs().values()]
    assert found.requests().read_all().num_rows == sum(one["requests"]["due"] for one in summaries)

    assert main(["experiment", "bundle", str(out)]) == 0
    row = found.results.rows[0]
    (tmp_path / "again.yaml").write_bytes(unpacked(tmp_path / "out.tar.gz")[f"paper/launch/{row.id}.yaml"])
    capsys.readouterr()
    assert main(["launch", str(tmp_path / "again.yaml"), "--out", str(tmp_path / "again"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state_hash"] == found.runs()[row.id].summary["state_hash"]
