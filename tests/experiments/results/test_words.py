"""Names, units and rounding."""

from __future__ import annotations

import math

import pytest

from swarm.experiments.results import words


@pytest.mark.parametrize(("key", "label"), [
    ("on_time_ratio", "on time, %"), ("streams.detect.latency_ms.p95_all", "detect latency p95 of all due, ms"),
    ("mission.found", "found"), ("offload.share", "offload share, %"), ("loop_late_ms_p99", "loop late p99, ms"),
    ("links.rover:carrier.rate_mbps", "rover:carrier rate, Mbit/s"), ("streams.0.rate_hz", "streams 0 rate, Hz"),
    ("links.rover:carrier.loss", "rover:carrier loss, %"), ("robots", "robots"), ("streams", "streams"),
    ("first_result_s", "first result, s"),
])
def test_a_key_reads_as_a_name_with_its_unit(key: str, label: str) -> None:
    assert words.label(key) == label


@pytest.mark.parametrize(("half_width", "value", "text"), [
    (0.0123, 0.123456, "0.123"), (4.0, 123.456, "123.5"), (40.0, 123.456, "123"), (0.99, 1.0, "1.00"),
    (math.inf, 123.456, "123"), (0.0, 0.00123456, "0.00123"), (math.nan, 12.3456, "12.3"),
])
def test_a_figure_has_the_digits_that_its_interval_bears(half_width: float, value: float, text: str) -> None:
    assert words.number(value, words.decimals(half_width)) == text


def test_what_there_is_not_is_a_dash_and_what_has_no_end_is_infinite() -> None:
    assert [words.number(value) for value in (None, math.nan, math.inf, -math.inf)] == ["-", "-", "∞", "-∞"]
    assert words.number(math.inf, sign="+") == "+∞"
    assert words.number(-0.0001, 2, "+") == "0.00"
    assert words.figure(math.inf, "latency_ms.p95_all") == "no result"
    assert words.figure(0.875, "on_time_ratio") == "87.5 %"
    assert words.figure(None, "on_time_ratio") == "-"


def test_a_cell_reads_as_its_values_with_their_units() -> None:
    cell = {"links.rover:carrier.loss": 0.1, "streams.0.deadline_s": 0.2, "links.rover:carrier.trace": "lte.csv",
            "record": True}
    told = ["rover:carrier loss 10 %", "streams 0 deadline 0.2 s", "rover:carrier trace lte.csv", "record true"]
    assert words.cell_text(cell) == ", ".join(told)
    assert words.cell_text({}) == ""


def test_p_is_not_told_with_digits_that_say_nothing() -> None:
    assert [words.p_text(p) for p in (None, 0.03125, 1.0, 0.00097)] == ["-", "0.031", "1.000", "< 0.001"]


def test_names_are_listed() -> None:
    assert [words.listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "none", "a", "a and b", "a, b and c"]
