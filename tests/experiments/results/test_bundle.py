"""The archive for an artefact committee."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from docs import make_map
from sim_worlds.maps import floor_plan
from swarm import settings_files
from swarm.cli.main import main
from swarm.core.settings.boards import Board
from swarm.core.settings.errors import BadInput
from swarm.core.settings.experiment_file import Figure
from swarm.core.settings.launch_file import LaunchFile
from swarm.core.settings.links import LinkSpec
from swarm.experiments.design.rows import NOT_RUN, Results
from swarm.experiments.results import results_file
from swarm.experiments.results.bundle import SUMS, Single, _maps, _standing_alone, bundle
from swarm.experiments.results.write import write
from tests.experiments.results import fakes
from tests.telemetry import fakes as runs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment whose points share a trace."""
    folder = tmp_path_factory.mktemp("experiment")
    (folder.parent / "lte.csv").write_text("# lte.csv\n")
    results = fakes.flown(folder, fakes.results(robots=[4], delays=[5], seeds=2))
    for row in results.rows:
        board = Board(speed={"fp32": 0.5, "int8": 0.5}, power_w=1, source="test")
        of = runs.launch(links={"rover:carrier": LinkSpec(trace=str(folder.parent / "lte.csv"))}, boards={"b": board},
                         policy=row.arm, faults=[])
        manifest = {"swarm_run": 1, "launch": msgspec.to_builtins(of), "boards": {}, "seed": row.seed,
                    "renderer": "none", "command": [],
                    "started_unix_s": 1.0, "versions": {"python": "3.11"}, "revision": "0123456789ab",
                    "host": {"cores": 2, "processor": "x", "machine": "y", "memory_mb": 1, "system": "z"}}
        (folder / row.folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "experiment.yaml").write_text("version: 1\n")
    write(folder, results, [])
    return folder


def unpacked(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        entries = tar.getmembers()
        assert {(entry.mtime, entry.uid, entry.uname, entry.mode) for entry in entries} == {(0, 0, "", 0o644)}
        return {entry.name: tar.extractfile(entry).read() for entry in entries}       # pyright: ignore


def changed(folder: Path, of: Results) -> None:
    (folder / results_file.NAME).write_bytes(results_file.encoded(of))


def test_it_holds_all_that_a_committee_needs(folder: Path, tmp_path: Path) -> None:
    files = unpacked(bundle(folder, tmp_path / "x.tar.gz"))
    names = {name.removeprefix("made_up/") for name in files}
    assert {"README.md", SUMS, "experiment.yaml", "results.json", "points.parquet", "comparisons.tex",
            "experiment.html", "versions.json"} <= names
    assert sum(name.endswith("/requests.parquet") for name in names) == 4
    assert sum(name.endswith("/summary.json") for name in names) == 4
    listed = dict(reversed(line.split("  ")) for line in files[f"made_up/{SUMS}"].decode().splitlines())
    assert listed.keys() == names - {SUMS}
    assert all(hashlib.sha256(files[f"made_up/{name}"]).hexdigest() == digest for name, digest in listed.items())


def test_it_holds_the_figures_that_the_results_name_and_no_others(folder: Path, tmp_path: Path) -> None:
    box = Figure(name="boxes", kind="box", metric="on_time_ratio")
    write(folder, results_file.read(folder), [box])
    (folder / "figures" / "old.pdf").write_text("of another file")
    names = unpacked(bundle(folder, tmp_path / "x.tar.gz"))
    assert [name for name in names if "figures/" in name] == [
        f"made_up/figures/boxes.{suffix}" for suffix in ("pdf", "svg", "txt")]


@pytest.mark.parametrize("name", ["../../secret", "a/b", ""])
def test_a_figure_of_no_name_is_damage(folder: Path, tmp_path: Path, name: str) -> None:
    of = results_file.read(folder)
    changed(tmp_path, msgspec.structs.replace(of, figures=[name]))
    with pytest.raises(BadInput, match="damaged"):
        bundle(tmp_path, tmp_path / "x.tar.gz")


def test_its_launch_files_name_only_files_that_are_in_it(folder: Path, tmp_path: Path) -> None:
    files = unpacked(bundle(folder, tmp_path / "x.tar.gz"))
    launches = {name: content for name, content in files.items() if name.endswith(".yaml") and "/launch/" in name}
    assert len(launches) == 2                        # a cell with two arms
    for name, content in launches.items():
        (tmp_path / "one.yaml").write_bytes(content)
        launch = settings_files.read(tmp_path / "one.yaml", LaunchFile)
        trace = launch.links["rover:carrier"].trace
        assert files[f"made_up/launch/{trace}"] == b"# lte.csv\n"
        command = f"swarm launch {name.removeprefix('made_up/')} --seed {launch.seed} --ray none"
        assert command in files["made_up/README.md"].decode()


def test_a_map_is_in_the_archive_with_its_image(tmp_path: Path) -> None:
    results = fakes.results(robots=[4], delays=[5], seeds=1)
    launch = runs.launch(map=str(make_map.FOLDER / "office.yaml"))
    made = _maps([Single(results.rows[0], launch)])
    for name, content in made.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    again = settings_files.load_map(tmp_path / "launch" / _standing_alone(launch).map)
    wanted = settings_files.load_map(make_map.FOLDER / "office.yaml")
    assert again.image == wanted.image
    assert floor_plan(again).walls == floor_plan(wanted).walls


def test_the_same_folder_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    first, second = (bundle(folder, tmp_path / name).read_bytes() for name in ("a.tar.gz", "b.tar.gz"))
    assert first == second
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar.gz", "b.tar.gz"]


@pytest.mark.parametrize("change", [{"folder": "", "error": NOT_RUN, "valid": False}])
def test_an_unfinished_experiment_is_refused_unless_told(folder: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    before = results_file.read(folder)
    try:
        changed(folder, msgspec.structs.replace(before, rows=[
            msgspec.structs.replace(before.rows[0], **change), *before.rows[1:]]))
        with pytest.raises(BadInput, match="1 of 4 points have not run"):
            bundle(folder, tmp_path / "x.tar.gz")
        assert len([name for name in unpacked(bundle(folder, tmp_path / "x.tar.gz", unfinished=True))
                    if name.endswith("requests.parquet")]) == 3
    finally:
        changed(folder, before)


def test_a_file_that_is_gone_is_named(folder: Path, tmp_path: Path) -> None:
    trace = folder.parent / "lte.csv"
    trace.rename(tmp_path / "away")
    try:
        with pytest.raises(BadInput, match=r"lte\.csv: No such file"):
            bundle(folder, tmp_path / "x.tar.gz")
    finally:
        (tmp_path / "away").rename(trace)
    assert not (tmp_path / "x.tar.gz").exists()


@pytest.mark.parametrize("name", ["summary.json", "requests.parquet"])
def test_a_damaged_run_is_not_packed(folder: Path, tmp_path: Path, name: str) -> None:
    run = folder / results_file.read(folder).rows[1].folder
    before = (run / name).read_bytes()
    try:
        (run / name).write_bytes(b"garbage " * 100)
        with pytest.raises(BadInput, match=rf"{run.name}: it is damaged; .*--resume flies it again"):
            bundle(folder, tmp_path / "x.tar.gz", unfinished=True)
    finally:
        (run / name).write_bytes(before)
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_it(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    assert main(["experiment", "bundle", f"{folder.name}/"]) == 0
    assert capsys.readouterr().out == f"{folder.name}.tar.gz\n"
    assert main(["experiment", "bundle", str(folder), "--out", str(tmp_path / "no" / "x")]) == 2
    assert "No such file or directory; a file that can be written" in capsys.readouterr().err
    assert main(["experiment", "bundle", str(tmp_path)]) == 2
    assert "it has no results.json" in capsys.readouterr().err


@pytest.mark.parametrize(("at", "given"), [(".", "."), (".", "./"), ("points", "..")])
def test_an_archive_without_a_name_lies_beside_the_folder(
    folder: Path, at: str, given: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, archive = sorted(folder.iterdir()), folder.with_name(f"{folder.name}.tar.gz")
    archive.unlink(missing_ok=True)
    monkeypatch.chdir(folder / at)
    assert main(["experiment", "bundle", given]) == 0
    assert capsys.readouterr().out == f"{archive}\n"
    assert archive.is_file()
    assert sorted(folder.iterdir()) == before


def test_an_archive_that_cannot_be_written_leaves_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    assert main(["experiment", "bundle", str(folder), "--out", str(tmp_path / "out")]) == 2
    assert "Is a directory; a file that can be written" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
