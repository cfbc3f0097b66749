"""experiment.html, and all that a finished experiment writes."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from swarm.core.settings.errors import BadInput
from swarm.core.settings.experiment_file import Figure
from swarm.experiments.design.rows import Results
from swarm.experiments.results import page
from swarm.experiments.results.figures.draw import draw
from swarm.experiments.results.write import write
from tests.experiments.results import fakes
from tests.telemetry.report.test_report import read

WINS = Figure(name="winners", kind="wins", metric="on_time_ratio", x="robots", y=fakes.DELAY)
BOX = Figure(name="boxes", kind="box", metric="on_time_ratio", x=fakes.DELAY, where={"robots": 4})


def page_of(of: Results, tmp_path: Path) -> str:
    (tmp_path / "experiment.html").write_text(page.render(of, {}))
    return read(tmp_path / "experiment.html")[0]


def test_the_page_stands_alone_with_its_figures(tmp_path: Path) -> None:
    made = fakes.results()
    figures = {one.name: draw(one, made, tmp_path) for one in (WINS, BOX)}
    (tmp_path / "experiment.html").write_text(page.render(made, figures))
    text, parsed = read(tmp_path / "experiment.html")
    assert text.count("<svg") == 2
    assert {"question", "comparisons", "figures", "points", "method"} <= set(parsed.ids)
    assert "invalid" not in parsed.ids
    assert "noise" not in parsed.ids
    body = re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
    assert set(re.findall(r"#[0-9a-f]{6}", body)) == set()   # all colours follow the page, light or dark
    assert "<strong>winners</strong>: Which arm wins in on time, %" in text


def test_the_question_says_what_is_compared_over_what(tmp_path: Path) -> None:
    text = page_of(fakes.warmed(fakes.results(), 2.0), tmp_path)
    assert "Policy: planner against local, in on time (higher is better) and latency p95 of all due (lower" in text
    for words in ("48 points · 4 cells · 6 seeds · virtual clock", "<dd>4, 8</dd>", "<dt>rover:carrier delay, ms</dt>",
                  "<dd>1 to 6</dd>", "0123456789ab",
                  "the first 2 s of each run are cut from on_time_ratio and latency_ms.p95_all<"):
        assert words in text, words


def test_further_axes_are_part_of_the_question_and_of_the_news(tmp_path: Path) -> None:
    made = fakes.turned(fakes.results(delays=[5]), "robots", ["4", "8"])
    text = page_of(made, tmp_path)
    assert "Policy: planner against local; robots: 8 against 4, in on time (higher is better)" in text
    assert "policy planner, rover:carrier delay 5 ms: on time: no difference between 8 and 4 is shown" in text
    alone = page_of(msgspec.structs.replace(made, compared="", arms=[], comparisons=[]), tmp_path)
    assert "Robots: 8 against 4, in on time" in alone


def test_invalid_runs_are_named_with_their_block(tmp_path: Path) -> None:
    text = page_of(fakes.without(fakes.results(), 3), tmp_path)
    assert "2 of 48 points do not count. With an invalid run its whole block was taken out" in text
    assert "the host was overloaded: 1 point" in text
    assert "<td>robots 4, rover:carrier delay 5 ms</td><td>planner</td>" in text
    assert text.count("another run of its block does not count") == 2


def test_a_failed_point_is_told_with_its_error(tmp_path: Path) -> None:
    made = fakes.results()
    failed = msgspec.structs.replace(made.rows[0], valid=False, error="policy.py, line 3: <boom>", values={}, folder="")
    text = page_of(msgspec.structs.replace(made, rows=[failed, *made.rows[1:]]), tmp_path)
    assert "failed: policy.py, line 3: &lt;boom&gt;: 1 point" in text
    assert '<b class="bad">1</b><span>failed</span>' in text


def test_the_control_is_the_noise_floor_and_no_news(tmp_path: Path) -> None:
    made = fakes.results(arms=["local", "planner", "local (again)"], robots=[4], delays=[5], seeds=8)
    text = page_of(made, tmp_path)
    noise = text[text.index('id="noise"'):text.index("The same in figures")]
    assert "on time at robots 4, rover:carrier delay 5 ms: local and itself differ by +29.0 points;" in noise
    assert "chance alone makes a difference of more than 27.5 points in 5 % of such comparisons at most" in noise
    assert "no verdict of this experiment holds" in noise            # this control is not alike: it was planted so
    assert "local (again)" not in text[text.index('id="comparisons"'):text.index('id="noise"')]


def test_many_comparisons_are_counted_and_many_points_are_left_to_programs(tmp_path: Path) -> None:
    made = fakes.results(robots=[2, 3, 4, 5, 6, 7, 8], seeds=12)
    text = page_of(made, tmp_path)
    assert re.search(r"<li>on time: planner against local: better in \d+ cells, worse in \d+ cells\.</li>", text)
    assert "<summary>28 comparisons in figures</summary>" in text
    assert f"{len(made.rows) - page.MOST_ROWS} more points are in points.csv" in text
    assert text.count("<tr>") == page.MOST_ROWS + 1 + 28 + 1


def test_an_experiment_without_comparison_has_a_page(tmp_path: Path) -> None:
    rows = [msgspec.structs.replace(row, arm="") for row in fakes.results(arms=["local"]).rows]
    made = fakes.results(axes=["robots", fakes.DELAY], compared="", arms=[], rows=rows, comparisons=[])
    text = page_of(made, tmp_path)
    assert "Nothing is compared: the figures of each run are on time" in text
    assert "Nothing is compared, or no block is valid." in text


def test_a_control_alone_is_no_comparison_and_its_points_are_told_apart(tmp_path: Path) -> None:
    made = fakes.results(arms=["all runs", "all runs (again)"], axes=["robots", fakes.DELAY], compared="")
    text = page_of(made, tmp_path)
    assert "Nothing is compared: the figures of each run are on time" in text
    assert "all runs and itself differ by" in text
    points = text[text.index('id="points"'):]
    assert "<th>arm</th>" in points
    assert points.count("<td>all runs (again)</td>") == len(made.rows) / 2


def test_all_files_are_written_and_are_the_same_again(tmp_path: Path) -> None:
    made = [write(tmp_path / name, fakes.results(), [BOX]) for name in ("a", "b") if not (tmp_path / name).mkdir()]
    names = [str(path.relative_to(tmp_path / "a")) for path in made[0]]
    assert names == ["results.json", "points.parquet", "points.csv", "comparisons.csv", "comparisons.md",
                     "comparisons.tex", "figures/boxes.pdf", "figures/boxes.svg", "figures/boxes.txt",
                     "experiment.html"]
    assert [path.read_bytes() for path in made[0]] == [path.read_bytes() for path in made[1]]
    assert (tmp_path / "a/figures/boxes.txt").read_text().startswith("On time, %, a figure per run")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(
        [*(name for name in names if "/" not in name), "figures"])


def test_figures_that_are_drawn_no_more_are_deleted_and_files_of_others_stay(tmp_path: Path) -> None:
    write(tmp_path, fakes.results(), [BOX, WINS])
    for name in ("boxes.png", "mine.pdf"):
        (tmp_path / "figures" / name).write_text("a user's")
    (tmp_path / "results.json").unlink()             # as after a session that was killed
    write(tmp_path, fakes.results(), [WINS])
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        "boxes.png", "mine.pdf", "winners.pdf", "winners.svg", "winners.txt"]
    write(tmp_path, fakes.results(), [])
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == ["boxes.png", "mine.pdf"]


def test_a_figure_that_cannot_be_drawn_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="made_up: figure boxes: metric"):
        write(tmp_path, fakes.results(), [msgspec.structs.replace(BOX, metric="speed")])
    assert list(tmp_path.iterdir()) == []
