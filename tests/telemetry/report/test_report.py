"""The report: complete, self-contained, and made from whatever a run has left."""

from __future__ import annotations

import html.parser
import json
import re
from pathlib import Path

import msgspec
import pytest

from swarm.core.settings.errors import BadInput
from swarm.core.settings.launch_file import FleetSpec
from swarm.core.settings.links import LinkSpec
from swarm.telemetry.ledger import Ledger
from swarm.telemetry.recorder import RunFolder
from swarm.telemetry.report.report import contents, render, write_report
from swarm.telemetry.report.runfiles import read_run
from swarm.telemetry.report.side_by_side import labels, percent
from swarm.telemetry.report.side_by_side import table as side_by_side
from swarm.telemetry.summary_types import BatteryFigures
from tests.telemetry import fakes

SECTIONS = ("streams", "latency", "time", "slowest", "over-time", "endings", "faults", "robots", "plans",
            "run", "method")
CHARTS = ("latency", "mean_parts", "slowest", "over_time", "map", "plan_maps")
VOID = {"meta", "path", "use", "rect"}


class Balanced(html.parser.HTMLParser):
    """Collects what is on the page and refuses tags that do not pair up."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "xlink:href", "srcset", "data"):
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def read(report: Path) -> tuple[str, Balanced]:
    text = report.read_text(encoding="utf-8")
    parsed = Balanced()
    parsed.feed(text)
    assert parsed.open == []
    assert "://" not in text
    assert "<script" not in text
    assert "@import" not in text
    assert all(link.startswith("#") for link in parsed.links)
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert {link[1:] for link in parsed.links} <= set(parsed.ids)
    assert set(re.findall(r"url\(([^)]*)\)", text)) <= {f"#{i}" for i in parsed.ids}
    return text, parsed


def without_charts(folder: Path) -> str:
    """The page with the places of its charts empty: drawing them takes seconds."""
    return render(contents(read_run(folder)), {place: [] for place in CHARTS})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same fleet under the planner and at home."""
    folder = tmp_path_factory.mktemp("runs")
    fakes.write_run(folder / "planner", fakes.launch())
    fakes.write_run(folder / "local", fakes.launch(policy="local"))
    return folder / "planner", folder / "local"


def test_the_report_stands_alone_and_has_every_section(runs: tuple[Path, Path]) -> None:
    text, parsed = read(write_report(runs[0]))
    assert [i for i in parsed.ids if i in SECTIONS] == sorted(
        SECTIONS, key=[i for i in parsed.ids if i in SECTIONS].index)
    assert set(SECTIONS) <= set(parsed.ids)
    assert "compared" not in parsed.ids
    for words in ("Accepted", "Boards are emulated", "deadline 150 ms", "kill rover_2", "agent_lost", "rover_5",
                  "carrier_1 → carrier_0", "casualty", "0123456789ab",
                  "the latency of its sensors; transport is not measured"):
        assert words in text, words
    assert "overloaded:" not in text
    assert "Links are shaped" not in text
    assert text.count("<svg") == 10


def test_forecasts_stand_beside_what_was_observed(runs: tuple[Path, Path]) -> None:
    text = without_charts(runs[0])
    assert re.search(r"Of \d+ pairs of a stream and a plan with at least 20 frames, \d+ \(\d+\.\d %\) had", text)
    assert "Forecast and observed share on time" in text
    assert "Forecast and observed share on time" not in without_charts(runs[1])


def test_batteries_have_a_table_where_there_are_some(runs: tuple[Path, Path], tmp_path: Path) -> None:
    assert "<h3>Batteries</h3>" not in without_charts(runs[0])
    fakes.write_run(tmp_path, fakes.launch(duration_s=3, streams=fakes.launch().streams[:1]))
    summary = json.loads((tmp_path / "summary.json").read_text())
    summary["agents"]["rover_1"]["battery"] = msgspec.to_builtins(BatteryFigures(
        charge=0.0, charge_least=0.0, charge_mean=0.25, compute_j=12.5, radio_j=0.5, motion_j=99.0, charged_j=4.0,
        empty=True))
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    text = without_charts(tmp_path)
    row = text[text.index("<h3>Batteries</h3>"):]
    for words in ("rover_1", "25.0 %", "12.5", "99.0", "empty"):
        assert words in row[:2000], words


def test_the_same_folder_gives_the_same_report(tmp_path: Path) -> None:
    fakes.write_run(tmp_path, fakes.launch(duration_s=3, streams=fakes.launch().streams[:1]))
    assert write_report(tmp_path).read_text() == write_report(tmp_path).read_text()


def test_another_behaviour_and_perception_than_the_usual_ones_are_told(tmp_path: Path) -> None:
    of = fakes.launch(duration_s=3, streams=fakes.launch().streams[:1], clock="virtual")
    fakes.write_run(tmp_path / "usual", of)
    usual = without_charts(tmp_path / "usual")
    assert "Behaviour patrol" not in usual
    assert "Perception" not in usual
    fakes.write_run(tmp_path / "other", msgspec.structs.replace(of, behaviour="patrol", perception="perfect"))
    other = without_charts(tmp_path / "other")
    assert "Behaviour patrol: the launch file names it." in other
    assert "Perception perfect: models found everything, exactly, and nothing false." in other


def test_shaped_links_are_told_as_a_model_and_no_packets(tmp_path: Path) -> None:
    of = fakes.launch(duration_s=3, streams=fakes.launch().streams[:1], links={"rover:carrier": LinkSpec(delay_ms=5.0)})
    fakes.write_run(tmp_path, of)
    text = without_charts(tmp_path)
    assert "network: shaped" in text
    assert re.search(r"Links are shaped: .* No network lost or delayed a packet\..*<li>rover:carrier</li>", text, re.S)


def test_two_runs_stand_side_by_side(runs: tuple[Path, Path]) -> None:
    text, parsed = read(write_report(runs[0], [runs[1]]))
    assert "compared" in parsed.ids
    assert "run local, all" in text
    assert ">run local<" in text


def test_names_are_escaped_and_are_no_formulas(tmp_path: Path) -> None:
    evil = "<b>$x^2$&\"'"
    of = fakes.launch(fleet=[FleetSpec(name=evil, count=2, board="orin_nano")], streams=[], duration_s=2,
                      scenario=evil, faults=[])
    stream = fakes.launch().streams[0]
    of = fakes.launch(fleet=of.fleet, duration_s=2, scenario=evil, faults=[],
                      streams=[type(stream)(name=evil, on=[evil], model="detector", rate_hz=5, deadline_s=0.15)])
    fakes.write_run(tmp_path, of)
    text, _ = read(write_report(tmp_path))
    assert "<b>$" not in text
    assert "&lt;b&gt;$x^2$" in text


def test_a_run_without_requests_has_a_report(tmp_path: Path) -> None:
    of, folder = fakes.launch(faults=[]), RunFolder(tmp_path)
    folder.manifest({"launch": fakes.to_plain(of)})
    folder.requests([])
    folder.summary(fakes.summary(of, Ledger(0)))
    text, parsed = read(write_report(tmp_path))
    assert set(SECTIONS) <= set(parsed.ids)
    assert "Not accepted" in text
    assert "<svg" not in text
    assert re.search(r'<section id="slowest">[^\0]*?Nothing was recorded', text)


def test_a_run_that_was_cut_short_has_a_report(tmp_path: Path) -> None:
    fakes.write_run(tmp_path, fakes.launch(duration_s=3, streams=fakes.launch().streams[:1]))
    for name in ("summary.json", "scene.json", "plans.jsonl"):
        (tmp_path / name).unlink()
    with open(tmp_path / "paths.jsonl", "ab") as paths:
        paths.write(b'{"time_s": 61, "rob')
    text, _ = read(write_report(tmp_path))
    assert "summary.json is absent" in text
    assert "1 broken line left out" in text
    (tmp_path / "requests.parquet").write_bytes(b"PAR1 no")
    assert "requests.parquet cannot be read" in read(write_report(tmp_path))[0]


def test_a_manifest_alone_has_a_report(tmp_path: Path) -> None:
    RunFolder(tmp_path)
    assert "did not finish" in read(write_report(tmp_path))[0]


def test_what_is_no_run_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a run folder"):
        write_report(tmp_path)


def test_trouble_is_shown_first(tmp_path: Path) -> None:
    made = fakes.write_run(tmp_path, fakes.launch(duration_s=5, faults=[]))
    made["host_overloaded"], made["requests"]["lost"] = True, 3
    made["accepted"], made["accept"] = False, [{"key": "requests.lost", "rule": "== 0", "value": 3, "holds": False}]
    (tmp_path / "summary.json").write_text(json.dumps(made))
    text = without_charts(tmp_path)
    for words in ("Not accepted", "requests.lost is 3, wanted == 0", "host was overloaded", "3 requests are lost"):
        assert words in text, words


def test_the_plain_table_has_a_column_per_run() -> None:
    summaries = []
    for policy in ("planner", "local"):
        of = fakes.launch(policy=policy, duration_s=10, faults=[])
        summaries.append(fakes.summary(of, fakes.ledger(of)))
    drawn = side_by_side(summaries).splitlines()
    assert drawn[0].split() == ["planner", "local"]
    assert [line.split("  ")[0] for line in drawn[2:]] == [
        "on time (95 % interval)", "latency p50", "latency p95 of all due", "latency p99 of all due", "due",
        "missed", "lost", "offloaded", "found", "coverage", "collisions",
        "detect on time", "segment on time"]
    assert len({len(line) for line in drawn[1:]}) == 1
    assert side_by_side([{}]).count("-") == 8


def test_small_and_near_whole_shares_are_not_rounded_away() -> None:
    assert [percent(v) for v in (1.0, 0.99999, 0.5, 0.0001, 0.0, None)] == [
        "100.0 %", "99.9 %", "50.0 %", "< 0.1 %", "0.0 %", "-"]
    assert [percent(0.0, of=0), percent(0.0, of=3), percent(float("nan"))] == ["-", "0.0 %", "-"]
    assert labels([{"policy": "a", "seed": 1}, {"policy": "a", "seed": 2}]) == ["a seed 1", "a seed 2"]
    assert labels([{"policy": "a", "perception": "model", "behaviour": ""}, {"policy": "a", "perception": "halved"},
                   {"policy": "a", "behaviour": "patrol", "perception": "perfect"}]) == [
                       "a", "a, perception halved", "a, patrol, perception perfect"]
