"""A run folder that lacks keys, or has odd ones: the report goes as far as it can, and says what is missing."""

from __future__ import annotations

import copy
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from swarm.core.settings.errors import BadInput
from swarm.telemetry.report.map import world_map
from swarm.telemetry.report.over_time import over_time
from swarm.telemetry.report.report import charts_of, contents, render, write_report
from swarm.telemetry.report.runfiles import Run, read_run
from swarm.telemetry.report.tolerant import fitted
from tests.telemetry import fakes

DOCUMENTS = ("manifest.json", "summary.json", "scene.json")
HISTORIES = ("plans.jsonl", "events.jsonl", "paths.jsonl", "series.jsonl")
NO_DRAWINGS: dict[str, list[str]] = {
    place: [] for place in ("latency", "mean_parts", "slowest", "over_time", "map", "plan_maps")}
ODD: tuple[Any, ...] = (None, "odd", -1, 1e300, float("nan"), True, [], {}, [None], {"odd": None})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run with everything in it."""
    folder = tmp_path_factory.mktemp("whole")
    of = fakes.launch(duration_s=2, fleet=[fakes.launch().fleet[1]], accept={"lost": "== 0"},
                      faults=[fakes.FaultSpec(at_s=1, kill="carrier_1")])
    fakes.write_run(folder, of)
    scene = fakes.scene()
    scene["shapes"], scene["marks"] = scene["shapes"][:1], scene["marks"][:1]
    (folder / "scene.json").write_text(json.dumps(scene))
    for name in HISTORIES:
        lines = (folder / name).read_text().splitlines()
        (folder / name).write_text("\n".join(lines[:2]) + "\n")
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def page(run: Run) -> str:
    """The page without its charts, which are built and not drawn."""
    charts_of(run)
    return render(contents(run), NO_DRAWINGS)


def places(content: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each value, of lists the first element."""
    if at:
        yield at
    inside = content.items() if isinstance(content, dict) else enumerate(content[:1]) if isinstance(
        content, list) else ()
    for key, value in inside:
        yield from places(value, (*at, key))


def changed(content: Any, at: tuple[Any, ...], *value: Any) -> Any:
    """The content with another value at this place; without a value: without it."""
    made = copy.deepcopy(content)
    inside = made
    for key in at[:-1]:
        inside = inside[key]
    if value:
        inside[at[-1]] = value[0]
    else:
        del inside[at[-1]]
    return made


@pytest.mark.parametrize("deepest", [1, pytest.param(99, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", [*DOCUMENTS, *HISTORIES])
def test_every_key_may_be_missing_or_odd(
    name: str, deepest: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = read_run(folder).requests
    monkeypatch.setattr("swarm.telemetry.table.read", lambda path, odd: requests)
    text = (folder / name).read_text()
    first, newline, rest = text.partition("\n") if name in HISTORIES else (text, "", "")
    content = json.loads(first)
    for i, at in enumerate(places(content)):
        if at[0] == "swarm_run" or len(at) > deepest:        # the mark of a run folder
            continue
        (folder / name).write_text(json.dumps(changed(content, at, ODD[i % len(ODD)])) + newline + rest)
        contents(read_run(folder))
        (folder / name).write_text(json.dumps(changed(content, at)) + newline + rest)
        run = read_run(folder)
        assert "<h1>" in render(contents(run), NO_DRAWINGS), at
        if len(at) == 1:
            assert any(note.startswith(name) for note in run.notes), at
        if name in ("scene.json", "paths.jsonl"):
            world_map(run)
        elif name in ("plans.jsonl", "series.jsonl") or at[0] == "faults":
            over_time(run)


def test_what_is_missing_is_named(folder: Path) -> None:
    summary = json.loads((folder / "summary.json").read_text())
    del summary["on_time_ratio"], summary["agents"]["carrier_0"]["board"]
    summary["streams"]["detect"]["latency_ms"] = "fast"
    (folder / "summary.json").write_text(json.dumps(summary))
    run = read_run(folder)
    assert run.notes == [
        "summary.json lacks, or has with another type: on_time_ratio, streams.*.latency_ms, agents.*.board."]
    text = page(run)
    assert run.notes[0] in text
    tiles = {name: value for name, value, _ in contents(run)["tiles"]}
    assert tiles["on time"] == "-"
    assert tiles["requests lost"] == "0"


def test_odd_lines_are_left_out_and_counted(folder: Path) -> None:
    for name in HISTORIES:
        with open(folder / name, "ab") as file:
            file.write(b'[1]\nnot json\n\xff\xfe\n3\n{"at_s": NaN}\n' + b"[" * 100_000 + b'\n{"at_s": 1')
    run = read_run(folder)
    assert [note for note in run.notes if "6 broken lines left out" in note] == [
        f"{name}: 6 broken lines left out." for name in HISTORIES]
    assert "<h1>" in page(run)


@pytest.mark.parametrize("text", ["", "[]", "3", "{", "\xff", '{"a":' * 10_000])
def test_a_document_that_is_no_object_is_as_if_absent_and_named(text: str, folder: Path) -> None:
    for name in ("summary.json", "scene.json"):
        (folder / name).write_text(text, encoding="latin-1")
    run = read_run(folder)
    assert [f"{name} cannot be read: it is not a JSON object." for name in ("summary.json", "scene.json")] == run.notes
    assert "<h1>" in page(run)


@pytest.mark.parametrize("every", [6, pytest.param(1, marks=pytest.mark.long)])
def test_every_column_may_be_missing_or_of_another_type(every: int, folder: Path) -> None:
    path = folder / "requests.parquet"
    whole = pq.read_table(path)
    for name in whole.column_names[::every]:
        for table in (whole.drop_columns([name]), whole.set_column(whole.column_names.index(name), name, [
                [{"odd": 1}] * whole.num_rows])):
            pq.write_table(table, path)
            run = read_run(folder)
            assert run.notes == [f"requests.parquet lacks, or has with another type: {name}."]
            assert "<h1>" in render(contents(run), NO_DRAWINGS)
    pq.write_table(whole.select(["at_s"]), path)
    assert "<h1>" in page(read_run(folder))


def test_nulls_in_every_column_are_nothing(folder: Path) -> None:
    path = folder / "requests.parquet"
    whole = pq.read_table(path)
    pq.write_table(pa.table({f.name: pa.nulls(whole.num_rows, f.type) for f in whole.schema}), path)
    assert "<h1>" in page(read_run(folder))


def test_an_empty_mark_of_a_run_folder_is_enough(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"swarm_run": 1}')
    text = write_report(tmp_path).read_text()
    assert "This run did not finish." in text
    assert "manifest.json lacks, or has with another type: launch" in text
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(BadInput, match="not a run folder"):
        write_report(tmp_path)


class Inner(msgspec.Struct, kw_only=True):
    name: str
    size_m: float


class Outer(msgspec.Struct, kw_only=True):
    count: int
    flag: bool
    word: str = "usual"
    maybe: Inner | None = None
    many: list[Inner] = []
    by_name: dict[str, float] = {}


def test_what_fits_is_kept_and_the_rest_is_nothing() -> None:
    odd = Counter[str]()
    made = fitted(Outer, {"count": 2.5, "flag": 1, "maybe": 3, "many": [{"name": "a", "size_m": 1}, 4, {"name": "b"}],
                          "by_name": {"a": 1, "b": None, "c": 1e300, "d": float("nan")}, "unknown": 1}, odd)
    assert str(made.count) == "nan"
    assert (made.flag, made.word, made.maybe) == (None, "usual", None)
    assert made.many[0] == Inner(name="a", size_m=1.0)
    assert [one.name for one in made.many] == ["a", "b"]
    assert made.by_name == {"a": 1.0}
    assert list(odd) == ["count", "flag", "word", "maybe", "many.*", "many.*.size_m", "by_name.*"]
    assert odd["by_name.*"] == 3


def test_what_is_whole_comes_as_it_is() -> None:
    odd = Counter[str]()
    whole = Outer(count=1, flag=False, word="", maybe=Inner(name="a", size_m=2.0), by_name={"a": 0.0})
    assert fitted(Outer, msgspec.to_builtins(whole), odd) == whole
    assert not odd
