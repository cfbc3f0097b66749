"""The waterfall shows the slowest requests of each stream and those that ran out of time; segments have tooltips."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from swarm.core.protocol.spans import Span
from swarm.telemetry import table
from swarm.telemetry.report import sections, svg
from swarm.telemetry.report import slowest as rules
from swarm.telemetry.report.runfiles import Run
from swarm.telemetry.report.slowest import slowest
from swarm.telemetry.report.waterfall import waterfall
from tests.telemetry import paths


def run_of(*spans: Span) -> Run:
    return Run(folder=Path(), requests=paths.columns(*spans) if spans else table.empty())


def drawn(*spans: Span) -> str:
    with svg.styled():
        drawing = waterfall("detect", slowest(run_of(*spans), "detect"))
        return svg.inline(drawing) if drawing else ""


def text(chart: str) -> list[str]:
    return [html.unescape(t) for t in re.findall(r"<text[^>]*>([^<]*)</text>", chart)]


def test_the_slowest_results_come_first_and_then_what_expired() -> None:
    quick = [paths.span(n, ended=61 + n) for n in range(rules.IN_ALL + 5)]
    late = paths.span(100, ended=130, ending="late")
    waiting = [paths.expired(away=away) for away in (True, False)]
    refused = paths.span(200, ended=300, ending="failed", reason="superseded", ran_on="")
    found = slowest(run_of(*quick, *waiting, refused, late), "detect")
    assert found[0].ending_text == "130 ms, late"
    assert [s.ending_text for s in found[1:3]] == ["85.0 ms", "84.0 ms"]
    assert [s.ending_text for s in found[rules.IN_ALL:]] == ["100 ms, failed: expired"] * 2
    assert len(found) == rules.IN_ALL + 2


def test_streams_share_the_places_and_requests_without_an_ending_message_have_none() -> None:
    both = [paths.span(n, stream=name) for n in range(30) for name in ("detect", "segment")]
    unheard = paths.span(99)
    unheard.captured_ns = unheard.ended_ns = 0
    unheard.ending, unheard.reason = "failed", "expired"
    run = run_of(*both, unheard)
    assert [len(slowest(run, name)) for name in run.streams] == [rules.IN_ALL // 2] * 2


@pytest.mark.parametrize(("span", "where"), [
    (paths.span(), "at home"), (paths.on_a_peer(), "→ carrier_0"), (paths.chain(), "rover_0 → carrier_0 → carrier_1"),
])
def test_a_bar_is_headed_by_the_request_its_agents_and_its_model(span: Span, where: str) -> None:
    assert f"rover_0/1/1 {where} · detector int8" in text(drawn(span))


def test_a_segment_has_a_tooltip() -> None:
    tips = [html.unescape(t) for t in re.findall(r"<title>(.*?)</title>", drawn(paths.at_home_preempted()))]
    assert tips[3] == ("rover_0/1/1: preempted, rover_0, 2 times in all: 30.0 ms "
                       "(40.0 to 70.0 ms after capture; submitted at 0.00 s)")
    assert len(tips) == 6
    legs = re.findall(r": run, leg (\d), (\w+):", drawn(paths.chain()))
    assert legs == [("1", "rover_0"), ("1", "rover_0"), ("2", "carrier_0"), ("3", "carrier_1")]


def test_the_legend_names_what_can_be_seen_and_no_more() -> None:
    home, peer = text(drawn(paths.span())), text(drawn(paths.on_a_peer()))
    assert {"frame", "queued here", "run", "delivery", "deadline"} <= set(home)
    assert not {"link out", "at the peer", "preempted", "failed offload", "guard fired", "offload failed"} & set(home)
    assert {"link out", "at the peer", "link back"} <= set(peer)
    assert {"guard fired", "failed offload"} <= set(text(drawn(paths.fell_back(guard=True))))
    assert "offload failed" in text(drawn(paths.fell_back(guard=False)))


def test_names_of_any_length_and_kind_are_headings() -> None:
    chart = drawn(paths.span(variant="<b>&" * 40))
    assert "<b>" not in chart
    assert max(map(len, text(chart))) <= 66


def test_the_same_requests_are_there_in_figures() -> None:
    told = sections.slowest({"detect": slowest(run_of(paths.at_home_preempted(), paths.chain()), "detect")})
    assert [row[0] for row in told.rows] == ["rover_0/1/1", "rover_0/1/1"]
    preempted, run = told.head.index("preempted, ms"), told.head.index("run, ms")
    assert (told.rows[0][preempted], told.rows[1][run]) == ("30.0", "35.0")


def test_without_requests_there_is_no_waterfall() -> None:
    assert drawn() == ""
    assert sections.slowest({"detect": []}).rows == []
