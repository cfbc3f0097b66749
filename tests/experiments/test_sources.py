"""The folder of an experiment holds all that it read, and repeats it without the files that it was made from."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from swarm import plugins
from swarm.core.settings.errors import BadInput
from swarm.experiments.experiment import Experiment
from swarm.experiments.results.bundle import bundle
from swarm.experiments.sources import sources
from swarm.experiments.store import Store
from tests.experiments.files import TINY, write
from tests.experiments.flights import fly_all

LAUNCH = """
version: 1
scenario: patrol
fleet:
  - {name: rover, count: 2, board: raspberry_pi_zero_2w, physics: kinematic}
streams:
  - {name: detect, on: [rover], model: detector, rate_hz: 2, deadline_s: 0.5}
links:
  rover_0:rover_1: {trace: ../traces/slow.csv, delay_ms: 5}
"""
BEHAVIOUR = '"""Nothing that this experiment uses, but that could change its results."""\n'


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An experiment file with a launch file, a trace and a plug-in around it."""
    for folder in ("a/experiments", "a/launches", "a/traces", "a/plug ins/policies"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "a/launches/two.yaml").write_text(LAUNCH)
    (tmp_path / "a/traces/slow.csv").write_text("0,8\n1,4\n2,0\n")
    (tmp_path / "a/plug ins/policies/unused.py").write_text(BEHAVIOUR)
    monkeypatch.setenv(plugins.VARIABLE, str(tmp_path / "a/plug ins"))
    tiny = {key: value for key, value in TINY.items() if key != "robots"}
    return write(tmp_path / "a/experiments", launch="../launches/two.yaml", set=tiny,
                 axes={"policy": ["local", "greedy"]})


def test_a_bundle_repeats_an_experiment_where_its_files_are_gone(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, _ = fly_all(path, tmp_path / "out")
    assert ended.exit_code == 0
    archive = bundle(tmp_path / "out", tmp_path / "x.tar.gz")
    shutil.rmtree(tmp_path / "a")
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "elsewhere").mkdir()
    subprocess.run(["tar", "-xzf", archive, "-C", tmp_path / "elsewhere"], check=True)
    folder = tmp_path / "elsewhere" / "tiny"
    setting, *command = shlex.split(ended.results.again)
    assert f"`{ended.results.again}`" in (folder / "README.md").read_text()
    assert setting == "SWARM_PLUGINS=source/plug ins"
    assert command == ["swarm", "experiment", "run", "source/experiments/tiny.yaml", "--out", "again"]
    monkeypatch.chdir(folder)
    monkeypatch.setenv(*setting.split("="))
    again, _ = fly_all(Path(command[3]), Path("again"))
    assert [row.id for row in again.results.rows] == [row.id for row in ended.results.rows]
    assert [row.values for row in again.results.rows] == [row.values for row in ended.results.rows]


def test_boards_from_files_are_flown_and_kept(path: Path, tmp_path: Path) -> None:
    """Boards that were measured elsewhere: they are those of the runs, of their commands, and of the copies."""
    board = "raspberry_pi_zero_2w: {speed: {fp32: 0.3, int8: 0.3}, power_w: 1, source: measured}"
    (tmp_path / "a/launches/mine.yaml").write_text(board)
    text = path.read_text()
    path.write_text(text.replace("boards: []", "boards: [../launches/mine.yaml]"))
    experiment = Experiment(path)
    experiment.launches.check(experiment.combinations, lambda _: None)
    resolved = experiment.launches.resolved(experiment.combinations[0])
    assert resolved.launch.boards["raspberry_pi_zero_2w"].source == "measured"
    assert "launches/mine.yaml" in sources(experiment).files
    path.write_text(text.replace("boards: []", "boards: [../launches/none.yaml]"))
    with pytest.raises(BadInput, match=r"tiny\.yaml: boards: .*none\.yaml: No such file"):
        Experiment(path)


def test_bodies_of_robots_are_kept(path: Path, tmp_path: Path) -> None:
    (tmp_path / "a/robots").mkdir()
    shutil.copy(Path(__file__).parents[2] / "launch" / "robots" / "mule.urdf", tmp_path / "a/robots")
    (tmp_path / "a/launches/two.yaml").write_text(LAUNCH.replace("count: 2", "count: 2, urdf: ../robots/mule.urdf"))
    experiment = Experiment(path)
    experiment.launches.check(experiment.combinations, lambda _: None)
    assert "robots/mule.urdf" in sources(experiment).files
    assert "<robot" in experiment.launches.resolved(experiment.combinations[0]).launch.fleet[0].urdf


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_experiment_goes_on_from_its_own_copies(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fly_all(path, tmp_path / "out")
    monkeypatch.chdir(tmp_path / "out")
    monkeypatch.setenv(plugins.VARIABLE, "source/plug ins")
    before = contents(Path("source"))
    ended, flown = fly_all(Path("source/experiments/tiny.yaml"), Path(), resume=True)
    assert (ended.exit_code, flown, contents(Path("source"))) == (0, [], before)
    assert len(before) == 4


def test_copies_that_would_be_moved_are_kept(path: Path, tmp_path: Path) -> None:
    """As if a plug-in were gone, so that the others lay in other places."""
    fly_all(path, tmp_path / "out")
    before = contents(tmp_path / "out")
    store = Store(tmp_path / "out", before["experiment.yaml"].decode(), resume=True)
    with pytest.raises(BadInput, match=r"tiny\.yaml, a copy that it would replace; the files of which"):
        store.keep_sources({"tiny.yaml": tmp_path / "out/source/experiments/tiny.yaml"})
    store.close()
    assert contents(tmp_path / "out") == before


def test_a_copy_that_fails_leaves_the_copies_of_before(path: Path, tmp_path: Path) -> None:
    fly_all(path, tmp_path / "out")
    before = contents(tmp_path / "out" / "source")
    store = Store(tmp_path / "out", "", resume=True)
    with pytest.raises(FileNotFoundError):
        store.keep_sources({"a.yaml": path, "gone.yaml": tmp_path / "gone.yaml"})
    assert contents(tmp_path / "out" / "source") == before
    store.keep_sources({"a.yaml": path})
    assert contents(tmp_path / "out" / "source").keys() == {"a.yaml"}
    store.keep_sources({})
    assert not (tmp_path / "out" / "source").exists()
    store.close()


def test_an_experiment_that_names_no_file_needs_no_copies(tmp_path: Path) -> None:
    experiment = Experiment(write(tmp_path))
    experiment.check(lambda text: None)
    assert sources(experiment) == ({}, "swarm experiment run experiment.yaml --out again")
