"""`swarm.load`: runs and experiments as tables."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import swarm
from swarm.core.settings.errors import BadInput
from swarm.experiments.design.rows import Results
from swarm.experiments.results import results_file
from swarm.experiments.results.loading import ExperimentData, RunData, load
from tests.experiments.results import fakes
from tests.telemetry import fakes as runs


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    folder = tmp_path_factory.mktemp("run")
    runs.write_run(folder, runs.launch(duration_s=3, faults=[]))
    found = swarm.load(str(folder))
    assert isinstance(found, RunData)
    return found


@pytest.fixture(scope="module")
def flown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    folder = tmp_path_factory.mktemp("experiment")
    results = fakes.without(fakes.flown(folder, fakes.results(robots=[4], delays=[5])), 3)
    (folder / results_file.NAME).write_bytes(results_file.encoded(results))
    return folder, results


def experiment(folder: Path) -> ExperimentData:
    found = load(folder)
    assert isinstance(found, ExperimentData)
    return found


def test_importing_the_package_loads_nothing_of_it() -> None:
    code = ("import sys, swarm; heavy = {'numpy', 'pyarrow', 'msgspec', 'matplotlib', 'pandas'} & set(sys.modules);"
            "sys.exit(sorted([*heavy, *(m for m in sys.modules if m.startswith('swarm.'))]) or 0)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False,
                          cwd=Path(__file__).parents[3])
    assert (done.returncode, done.stderr) == (0, "")


def test_a_run_has_its_documents_and_its_tables(run: RunData) -> None:
    assert run.manifest["seed"] == run.summary["seed"]
    assert run.requests().num_rows == run.summary["requests"]["due"]
    plans = run.plans()
    assert plans.schema.names[:7] == ["at_s", "epoch", "lease_s", "solver", "solve_s", "agent", "stream"]
    assert plans.num_rows > len(set(plans["epoch"].to_pylist()))     # a row per placement
    assert str(plans.schema.field("where").type) == "list<item: string>"
    events = run.events()
    assert events.schema.names == ["at_s", "who", "what", "detail"]
    assert events["detail"].to_pylist()[0] == "{}"


def test_the_series_of_a_run_is_three_tables(run: RunData) -> None:
    streams, agents, links = (run.series(of) for of in ("streams", "agents", "links"))
    assert streams.schema.names[:3] == ["at_s", "stream", "due"]
    assert agents.schema.names == ["at_s", "agent", "busy", "queue"]
    assert links.schema.names == ["at_s", "agent", "peer", "rtt_ms", "mbit_s"]
    assert all(table.num_rows for table in (streams, agents, links))
    with pytest.raises(BadInput, match="streams, agents or links"):
        run.series("robots")


def test_a_run_without_histories_has_empty_tables(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"swarm_run": 1}')
    bare = RunData(tmp_path)
    assert [table.num_rows for table in (bare.plans(), bare.events(), bare.series())] == [0, 0, 0]
    with pytest.raises(BadInput, match="No such file"):
        _ = bare.summary
    with pytest.raises(BadInput, match="no such file"):
        bare.requests()


@pytest.mark.parametrize(("name", "content"), [
    ("summary.json", "{"), ("summary.json", "[]"), ("events.jsonl", '{"at_s": 1.0, "who": "x", "what": "y"}\n{"at'),
    ("plans.jsonl", "{}\n"), ("requests.parquet", "PAR1"),
])
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    bare = RunData(tmp_path)
    with pytest.raises(BadInput, match="it is damaged") as told:
        _ = getattr(bare, name.partition(".")[0]) if name == "summary.json" else getattr(bare, name.partition(".")[0])()
    assert name in told.value.where
    assert ("line 2" in told.value.where) == (name == "events.jsonl")


def test_an_experiment_has_points_comparisons_and_runs(flown: tuple[Path, Results]) -> None:
    folder, results = flown
    found = experiment(folder)
    assert found.results == results
    assert found.points().num_rows == 12
    assert found.points()["valid"].to_pylist().count(False) == 2
    assert found.comparisons()["verdict"].to_pylist() == [one.verdict for one in results.comparisons]
    assert list(found.runs()) == [row.id for row in results.rows]
    assert found.runs()[results.rows[0].id].summary["seed"] == results.rows[0].seed


def test_all_requests_of_the_valid_points_are_one_table(flown: tuple[Path, Results]) -> None:
    folder, results = flown
    reader = experiment(folder).requests()
    first = next(iter(reader))
    assert first.schema.names[:7] == ["id", "policy", "robots", fakes.DELAY, "seed", "arm", "agent"]
    assert first.num_rows == 12                      # one run at a time
    rest = reader.read_all()
    assert first.num_rows + rest.num_rows == 12 * 10
    assert set(rest["seed"].to_pylist()) == {1, 2, 4, 5, 6}
    assert set(rest["id"].to_pylist()) < {row.id for row in results.rows if row.valid}


def test_an_experiment_without_valid_points_has_no_requests(flown: tuple[Path, Results]) -> None:
    folder, results = flown
    none = msgspec.structs.replace(results, rows=[msgspec.structs.replace(r, valid=False) for r in results.rows])
    table = ExperimentData(folder, none).requests().read_all()
    assert (table.num_rows, table.schema.names[0]) == (0, "id")


def test_a_run_folder_that_is_gone_is_named_when_it_is_read(flown: tuple[Path, Results]) -> None:
    folder, results = flown
    gone = [*results.rows[:1], msgspec.structs.replace(results.rows[1], folder="points/gone")]
    reader = ExperimentData(folder, msgspec.structs.replace(results, rows=gone)).requests()
    with pytest.raises(BadInput, match="points/gone"):
        reader.read_all()


def test_what_is_no_such_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no such folder"):
        load(tmp_path / "nothing")
    with pytest.raises(BadInput, match="no folder of a run or of an experiment"):
        load(tmp_path)
    (tmp_path / "experiment.yaml").write_text("version: 1")
    with pytest.raises(BadInput, match=r"it has no results\.json"):
        load(tmp_path)


def test_without_pandas_there_are_no_dataframes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BadInput, match="pandas is not installed"):
        load(tmp_path, pandas=True)


def test_with_pandas_tables_are_dataframes(run: RunData, flown: tuple[Path, Results]) -> None:
    pandas = pytest.importorskip("pandas")
    made = RunData(run.folder, pandas=True)
    for frame in (made.requests(), made.plans(), made.events(), made.series(),
                  ExperimentData(*flown, pandas=True).points(), ExperimentData(*flown, pandas=True).requests()):
        assert isinstance(frame, pandas.DataFrame)
