"""The tables of points and comparisons, and results.json."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import msgspec
import pytest

from swarm.core.settings.errors import BadInput
from swarm.experiments.results import arrow, comparisons, point_table, results_file
from tests.experiments.results import fakes

MADE = fakes.results()
AXES = ["robots", fakes.DELAY]


def test_a_row_per_point_has_its_place_its_validity_and_its_figures() -> None:
    columns = point_table.columns(fakes.without(MADE, 3))
    assert list(columns) == ["id", "policy", "robots", fakes.DELAY, "seed", "arm", "valid", "invalid", "error",
                             "on_time_ratio", "latency_ms.p95_all"]
    assert [columns[name][5] for name in ("policy", "robots", "seed", "arm", "valid", "invalid")] == [
        "planner", 4, 3, "planner", False, "the host was overloaded"]
    assert columns["valid"].count(False) == 2


def test_the_control_has_the_value_of_the_arm_that_it_repeats() -> None:
    columns = point_table.columns(fakes.results(arms=["local", "local (again)"]))
    assert set(columns["policy"]) == {"local"}
    assert set(columns["arm"]) == {"local", "local (again)"}


@pytest.mark.parametrize(("values", "told"), [
    ([1, 2], [1, 2]), ([1, 2.5], [1.0, 2.5]), ([True, False], [True, False]), ([1, True], ["1", "true"]),
    (["a", None], ["a", None]), (["a", 1], ['"a"', "1"]), ([[1, 2], {"b": 1, "a": 2}], ["[1, 2]", '{"a": 2, "b": 1}']),
])
def test_the_values_of_an_axis_make_one_column(values: list[object], told: list[object], tmp_path: Path) -> None:
    rows = [msgspec.structs.replace(MADE.rows[0], cell={"odd": value}) for value in values]
    columns = point_table.columns(msgspec.structs.replace(MADE, axes=["odd"], compared="", rows=rows))
    assert columns["odd"] == told
    assert [type(value) for value in columns["odd"]] == [type(value) for value in told]
    arrow.write(tmp_path / "points.parquet", columns)
    assert arrow.read(tmp_path / "points.parquet")["odd"].to_pylist() == told


def test_the_same_points_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        arrow.write(tmp_path / name, point_table.columns(fakes.results()))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    table = arrow.read(tmp_path / "a")
    assert table["latency_ms.p95_all"].to_pylist() == [row.values["latency_ms.p95_all"] for row in MADE.rows]
    assert str(table.schema.field("robots").type) == "int64"


def test_csv_has_numbers_in_full_and_nothing_where_there_is_nothing() -> None:
    text = point_table.as_csv({"a": [0.1 + 0.2, None], "b": [True, False], "c": ['say "no", please', "x"]})
    assert text == 'a,b,c\n0.30000000000000004,true,"say ""no"", please"\n,false,x\n'


def test_comparisons_for_people_are_rounded_by_their_interval() -> None:
    table = comparisons.readable(MADE.comparisons, AXES)
    row = dict(zip(table.head, table.rows[0], strict=True))
    assert row | {"p adjusted": "", "verdict": ""} == {
        "metric": "on time, %", "robots": "4", "rover:carrier delay, ms": "5", "arm": "planner", "against": "local",
        "seeds": "6", "mean": "94.2", "mean against": "80.7", "difference": "+13.5", "95 % interval": "+11.0 to +16.0",
        "p": "0.031", "p adjusted": "", "won": "6 of 6", "verdict": ""}


def test_comparisons_of_a_further_axis_follow_those_of_the_compared_one_and_nothing_stands_at_their_own_axis() -> None:
    made = fakes.turned(MADE, "robots", ["4", "8"])
    axes = comparisons.fixed_axes(made)
    assert axes == ["policy", "robots", fakes.DELAY]
    assert comparisons.fixed_axes(MADE) == AXES
    table = comparisons.readable(made.every_comparison, axes)
    assert [row[:6] for row in table.rows[::8]] == [
        ["on time, %", "-", "4", "5", "planner", "local"], ["on time, %", "local", "-", "5", "8", "4"]]
    first, *_, last = csv.DictReader(io.StringIO(point_table.as_csv(comparisons.columns(made.every_comparison, axes))))
    assert [first[name] for name in ("policy", "robots", "arm")] == ["", "4", "planner"]
    assert [last[name] for name in ("policy", "robots", "arm")] == ["planner", "", "8"]
    assert [row[2] for row in table.rows] == ["4", "4", "8", "8"] * 2 + ["-"] * 8


def test_a_comparison_without_figures_has_dashes() -> None:
    one = msgspec.structs.replace(MADE.comparisons[0], mean_arm=None, mean_against=None, difference=None, interval=None,
                                  p=None, p_adjusted=None, ratio=None, won=None, verdict="too few seeds")
    (row,) = comparisons.readable([one], []).rows
    assert row == ["on time, %", "planner", "local", "6", *["-"] * 7, "too few seeds"]
    assert comparisons.sentence(one) == "on time: too few seeds to compare planner with local."


@pytest.mark.parametrize(("verdict", "told"), [
    ("better", "planner is better than local"), ("worse", "planner is worse than local"),
    ("no difference shown", "no difference between planner and local is shown"),
])
def test_a_comparison_in_words(verdict: str, told: str) -> None:
    one = msgspec.structs.replace(MADE.comparisons[0], difference=0.1, interval=(-0.08, 0.13), verdict=verdict, p=0.031,
                                  p_adjusted=0.062)
    assert comparisons.sentence(one) == (f"on time: {told}: the difference is +10 points (95 % interval -8 to +13); "
                                         "p = 0.031, adjusted = 0.062.")


def test_the_csv_of_comparisons_reads_back() -> None:
    (first, *_) = csv.DictReader(io.StringIO(point_table.as_csv(comparisons.columns(MADE.comparisons, AXES))))
    assert float(first["difference"]) == MADE.comparisons[0].difference
    assert (first["robots"], first[fakes.DELAY], first["n"], first["better"]) == ("4", "5", "6", "higher")


def test_latex_has_rules_and_no_letter_that_is_a_command() -> None:
    one = msgspec.structs.replace(MADE.comparisons[0], arm=r"50%_&{x}\~^#$<", difference=-0.1, interval=(-0.2, -0.04))
    text = comparisons.latex(comparisons.readable([one], AXES))
    assert r"50\%\_\&\{x\}\textbackslash{}\textasciitilde{}\textasciicircum{}\#\$\textless{}" in text
    assert r"& $-$10.0 & $-$20.0 to $-$4.0 &" in text
    lines = text.splitlines()
    assert [line for line in lines if line.endswith("rule")] == [r"\toprule", r"\midrule", r"\bottomrule"]
    assert {line.count(" & ") for line in lines if line.endswith(r"\\")} == {13}
    assert lines[1] == r"\begin{tabular}{lllllrrrrrrrrl}"


def test_a_minus_within_a_name_stays_a_hyphen() -> None:
    assert comparisons.tex("-1.5 in h264-2, -∞") == r"$-$1.5 in h264-2, $-$$\infty$"


def test_markdown_has_a_line_per_comparison() -> None:
    lines = comparisons.markdown(comparisons.readable(MADE.comparisons, AXES)).splitlines()
    assert len(lines) == 2 + len(MADE.comparisons)
    assert len({line.count(" | ") for line in lines}) == 1
    assert comparisons.markdown(comparisons.Table(["a"], [["x|y"]])).endswith("| x\\|y |\n")


def test_results_read_back_with_what_is_infinite(tmp_path: Path) -> None:
    (tmp_path / results_file.NAME).write_bytes(results_file.encoded(MADE))
    assert results_file.read(tmp_path) == MADE
    assert any(value == math.inf for row in MADE.rows for value in row.values.values())
    assert "Infinity" not in (tmp_path / results_file.NAME).read_text()


@pytest.mark.parametrize("content", [None, b"{", b"[]", b'{"name": "x"}', b"\xff"])
def test_results_that_are_absent_or_damaged_are_told(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / results_file.NAME).write_bytes(content)
    with pytest.raises(BadInput, match=r"it has no results\.json" if content is None else "damaged"):
        results_file.read(tmp_path)


def test_a_damaged_parquet_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_text(json.dumps({}))
    with pytest.raises(BadInput, match="damaged"):
        arrow.read(tmp_path / "x.parquet")
    with pytest.raises(BadInput, match="no such file"):
        arrow.read(tmp_path / "y.parquet")
