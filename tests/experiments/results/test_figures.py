"""Each kind of figure: what it draws, what its caption says, and the files."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from swarm.core.settings.errors import BadInput
from swarm.core.settings.experiment_file import Figure
from swarm.experiments.design.rows import Results
from swarm.experiments.results.figures import style
from swarm.experiments.results.figures.draw import draw
from swarm.experiments.results.figures.pareto import Mark, front
from swarm.experiments.results.figures.spread import in_words, spread
from tests.experiments.results import fakes

MADE = fakes.results(arms=["local", "greedy", "planner"])
ONE = {"robots": 4, fakes.DELAY: 5}
FIGURES = [
    Figure(name="line", kind="line", metric="latency_ms.p95_all", x="robots", where={fakes.DELAY: 5}),
    Figure(name="box", kind="box", metric="on_time_ratio", x=fakes.DELAY, where={"robots": 4}),
    Figure(name="wins", kind="wins", metric="on_time_ratio", x="robots", y=fakes.DELAY),
    Figure(name="pareto", kind="pareto", metric="on_time_ratio", x="latency_ms.p95_all"),
    Figure(name="cdf", kind="cdf", stream="detect", where=ONE, title="A title, $1$"),
]


@pytest.fixture(scope="module")
def flown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    folder = tmp_path_factory.mktemp("experiment")
    first = msgspec.structs.replace(MADE, rows=[row for row in MADE.rows if row.cell == ONE])
    return folder, fakes.flown(folder, first)


def drawn(figure: Figure, flown: tuple[Path, Results], of: Results = MADE) -> style.Drawn:
    folder, results = flown
    return draw(figure, results if figure.kind == "cdf" else of, folder)


def axes_of(made: style.Drawn) -> Any:
    return made.figure.axes[0]


def texts(made: style.Drawn) -> list[str]:
    return [text.get_text() for text in axes_of(made).texts]


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_a_figure_has_no_type_3_font_and_the_same_bytes_twice(
    figure: Figure, flown: tuple[Path, Results], tmp_path: Path
) -> None:
    made = [path.read_bytes() for name in ("a", "b") for path in style.save(drawn(figure, flown).figure,
                                                                             _folder(tmp_path / name) / figure.name)]
    assert made[:2] == made[2:]
    inside = b"".join(_inflated(stream) for stream in re.findall(rb"stream\r?\n(.*?)endstream", made[0], re.DOTALL))
    for content in (made[0], inside):
        assert re.search(rb"/Type3\b|/Subtype\s*/Type3", content) is None
    assert b"/TrueType" in made[0] or b"/CIDFontType2" in made[0]
    assert b"CreationDate" not in made[0]
    assert b"<dc:date>" not in made[1]
    if shutil.which("pdffonts"):
        told = subprocess.run(["pdffonts", tmp_path / "a" / f"{figure.name}.pdf"], capture_output=True, text=True,
                              check=True).stdout
        assert "Type 3" not in told


def test_another_process_writes_the_same_bytes(tmp_path: Path) -> None:
    code = ("import sys; from pathlib import Path; from tests.experiments.results import test_figures as t;"
            "t.style.save(t.draw(t.FIGURES[2], t.MADE, Path()).figure, Path(sys.argv[1]) / 'wins')")
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=os.environ | {"PYTHONHASHSEED": "7"},
                   cwd=Path(__file__).parents[3])
    for path in style.save(draw(FIGURES[2], MADE, tmp_path).figure, _folder(tmp_path / "here") / "wins"):
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_a_figure_is_as_wide_as_a_column_and_its_letters_can_be_read(
    figure: Figure, flown: tuple[Path, Results]
) -> None:
    made = drawn(figure, flown)
    assert made.figure.get_figwidth() == style.WIDTH_IN
    axes = axes_of(made)
    sizes = [text.get_fontsize() for text in (axes.xaxis.label, axes.yaxis.label, *axes.texts, *axes.get_xticklabels())]
    assert min(sizes) >= 6.0


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_without_a_valid_run_a_figure_says_so(figure: Figure, flown: tuple[Path, Results]) -> None:
    none = [msgspec.structs.replace(row, valid=False) for row in MADE.rows]
    nothing = msgspec.structs.replace(MADE, rows=none, comparisons=[])
    made = draw(figure, nothing, flown[0])
    assert texts(made) == ["no valid run"]


def test_arms_differ_in_grey() -> None:
    for look in (style.line_look, style.fill_look, style.marker_look):
        shapes = [{key: str(value) for key, value in look(place).items() if "color" not in key} for place in range(5)]
        assert len({str(shape) for shape in shapes}) == 5
    assert len({str((style.line_look(place), style.fill_look(place))) for place in range(30)}) == 30
    assert min(min(to_rgb(style.light(place))) for place in range(6)) > 0.7


def test_a_curve_of_latency_is_the_share_on_time_at_the_deadline(flown: tuple[Path, Results]) -> None:
    made = drawn(FIGURES[4], flown)
    curve = axes_of(made).lines[0]
    at = np.interp(fakes.DEADLINE_MS, curve.get_xdata(), curve.get_ydata())
    assert at == pytest.approx(0.8)          # 8 of 10 due frames: one was late, and one failed
    assert curve.get_ydata()[-1] == pytest.approx(0.9)       # with the late one
    assert axes_of(made).get_xlabel() == "latency, ms"
    assert texts(made) == ["deadline 100 ms"]
    assert "Median over 6 runs; band: 95 % interval of the median (order statistics)." in made.caption
    assert "Only points with robots 4, rover:carrier delay 5 ms." in made.caption


def test_streams_with_different_deadlines_are_drawn_over_them(flown: tuple[Path, Results]) -> None:
    made = drawn(msgspec.structs.replace(FIGURES[4], stream=""), flown)
    assert axes_of(made).get_xlabel() == "latency / deadline"
    curve = axes_of(made).lines[0]
    assert np.interp(1.0, curve.get_xdata(), curve.get_ydata()) == pytest.approx(10 / 12)


def test_frames_of_the_warm_up_are_cut_off(flown: tuple[Path, Results]) -> None:
    folder, results = flown
    made = draw(FIGURES[4], fakes.warmed(results, 0.75), folder)
    curve = axes_of(made).lines[0]
    assert np.interp(fakes.DEADLINE_MS, curve.get_xdata(), curve.get_ydata()) == 0.0
    assert curve.get_ydata()[-1] == 0.5          # the late frame and the failed one are left
    assert "after a warm-up of 0.75 s" in made.caption


def test_each_run_is_cut_by_its_own_warm_up(flown: tuple[Path, Results]) -> None:
    folder, results = flown
    made = draw(FIGURES[4], fakes.warmed(results, 0.0, 0.75, 0.0), folder)        # of each arm: local, greedy, planner
    ends = [curve.get_ydata()[-1] for curve in axes_of(made).lines[:3]]
    assert ends == [pytest.approx(0.9), 0.5, pytest.approx(0.9)]
    assert "after each run's warm-up (0 to 0.75 s)" in made.caption
    only = draw(msgspec.structs.replace(FIGURES[4], where=ONE | {"policy": "local"}),
                fakes.warmed(results, 0.0, 0.75, 0.0), folder)
    assert "warm-up" not in only.caption


def test_a_stream_without_frames_and_a_damaged_run_are_told(flown: tuple[Path, Results], tmp_path: Path) -> None:
    assert texts(drawn(msgspec.structs.replace(FIGURES[4], stream="depth"), flown)) == ["no valid run"]
    with pytest.raises(BadInput, match="its requests cannot be drawn"):
        draw(FIGURES[4], flown[1], tmp_path)


def test_few_runs_are_drawn_from_the_least_to_the_largest() -> None:
    values = np.array([[1.0, 5.0], [2.0, math.inf], [9.0, 7.0]])
    assert [list(part) for part in spread(values)] == [[2.0, 7.0], [1.0, 5.0], [9.0, math.inf]]
    many = spread(np.arange(12.0)[:, None])
    assert [float(part[0]) for part in many] == [5.5, 2.0, 9.0]      # the third of each end: Conover, table A3
    assert "from the least to the largest run, too few" in in_words(3, 5, "bars")
    assert "of fewer than 6 runs" in in_words(5, 6, "bars")


def test_a_line_marks_the_medians_and_what_lies_beyond_the_last_result() -> None:
    made = draw(FIGURES[0], MADE, Path())
    local = axes_of(made).lines[0]
    assert list(local.get_ydata()) == [107.5, 112.5]         # one of six is infinite: the median is not
    assert texts(made) == ["no result"]
    assert [label.get_text() for label in axes_of(made).get_xticklabels()] == ["4", "8"]
    assert (axes_of(made).get_xlabel(), axes_of(made).get_ylabel()) == ("robots", "latency p95 of all due, ms")
    assert [text.get_text() for text in made.figure.legends[0].get_texts()] == ["local", "greedy", "planner"]


def test_values_far_apart_get_a_logarithmic_axis() -> None:
    wide = fakes.results(robots=[1, 10, 100], delays=[5])
    made = draw(msgspec.structs.replace(FIGURES[0], where={}), wide, Path())
    assert axes_of(made).get_xscale() == "log"


def test_few_runs_are_dots_in_a_box_and_fewer_have_no_box() -> None:
    assert "a dot is a run" in draw(FIGURES[1], MADE, Path()).caption
    few = fakes.results(seeds=3)
    made = draw(FIGURES[1], few, Path())
    assert "a box" not in made.caption
    assert list(axes_of(made).patches) == []
    many = draw(FIGURES[1], fakes.results(seeds=25), Path())
    assert "a dot" not in many.caption


def test_a_box_never_mixes_two_values_that_read_alike() -> None:
    close = fakes.results(robots=[4], delays=[5, 50])
    rows = [msgspec.structs.replace(row, cell=row.cell | {fakes.DELAY: 5.0 + row.cell[fakes.DELAY] * 1e-13})
            for row in close.rows]
    made = draw(msgspec.structs.replace(FIGURES[1], where={}), msgspec.structs.replace(close, rows=rows), Path())
    assert [label.get_text() for label in axes_of(made).get_xticklabels()] == ["5", "5"]
    assert len(axes_of(made).patches) == 4           # two values, each with two arms
    assert "at most 6 in each place" in made.caption


def test_the_winner_of_each_cell_is_the_arm_that_the_comparisons_name() -> None:
    two = fakes.results(robots=[4], delays=[5, 50], seeds=10)
    made = draw(FIGURES[2], two, Path())
    assert texts(made) == ["+15.5", "-14.5"]
    assert [text.get_text() for text in made.figure.legends[0].get_texts()] == ["local wins", "planner wins"]
    assert "The number is the difference planner - local, in points: the pseudo-median over 10 seeds." in made.caption


def test_without_a_verdict_no_arm_wins() -> None:
    for verdict in ("no difference shown", "too few seeds"):
        told = [msgspec.structs.replace(one, verdict=verdict) for one in MADE.comparisons]
        made = draw(FIGURES[2], msgspec.structs.replace(MADE, comparisons=told), Path())
        assert [text.get_text() for text in made.figure.legends[0].get_texts()] == [verdict]


def test_the_front_has_the_marks_that_none_beats_in_both() -> None:
    marks = [Mark("a", x, y, "") for x, y in ((1, 1), (2, 3), (3, 2), (4, 4), (1, 4))]
    assert [(m.x, m.y) for m in front(marks, ("lower", "higher"))] == [(1, 4)]
    assert [(m.x, m.y) for m in front(marks, ("lower", "lower"))] == [(1, 1)]
    assert [(m.x, m.y) for m in front(marks[1:3], ("higher", "higher"))] == [(2, 3), (3, 2)]


def test_marks_without_a_figure_are_counted() -> None:
    never = [msgspec.structs.replace(row, values=row.values | {"latency_ms.p95_all": None}) if row.arm == "greedy" and
             row.cell == ONE else row for row in MADE.rows]
    made = draw(FIGURES[3], msgspec.structs.replace(MADE, rows=never), Path())
    assert made.caption.endswith("Without a figure, and left out: 1 mark.")
    assert axes_of(made).get_ylabel() == "on time, % (higher is better)"


def _folder(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    return path


def _inflated(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return stream
