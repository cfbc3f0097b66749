"""Errors of forecasts: what corrects the next one, what chance explains, and what is forgotten."""

from __future__ import annotations

import pytest

from swarm.core.protocol.messages import Advert
from swarm.core.protocol.messages.presence import StreamSeen
from swarm.planner.observed.streams import StreamRecords
from swarm.planner.problem import Correction
from tests.planner.builders import stream

DETECT = stream("a", "detect", "detector", 5.0, 0.1, 0)
CHOICE = ("int8", "b")


ADVERT = (1, Advert(board="b", executors=1, profiles=[], streams=[DETECT.spec]))


def seen(ended: int, on_time: int, variant: str = "int8", *where: str) -> StreamSeen:
    return StreamSeen(stream="detect", variant=variant, where=list(where) or ["b"], ended=ended, on_time=on_time)


def corrected(*reports: StreamSeen, expected: float = 0.9) -> list[float]:
    records = StreamRecords()
    records.expect({DETECT.key: (CHOICE, expected)})
    for report in reports:
        records.reported("a", [report], ADVERT)
    return [correction.by for correction in records.corrections([DETECT])]


def test_a_forecast_that_promised_too_much_is_corrected_within_two_reports() -> None:
    """9 of 10 were expected, 0 of 10 came: by (0 - 0.8 x 4.5 - 4.5) / (0.8 x 5 + 5 + 4) = -0.62."""
    assert corrected(seen(5, 0), seen(5, 0)) == pytest.approx([-0.60])
    assert corrected(seen(5, 0)) == pytest.approx([-0.50])                # -4.5 / 9


def test_one_that_promised_too_little_is_raised() -> None:
    assert corrected(seen(20, 20), expected=0.5) == pytest.approx([0.40])         # 10 / 24 = 0.417


@pytest.mark.parametrize(("ended", "on_time", "expected"), [
    (10, 8, 0.9),                    # 8 of 10 where 9 were expected
    (5, 5, 1.0),
    (100, 90, 0.9),
    (0, 0, 0.5),
    (3, 2, 1.0),                     # one request, whatever was expected
])
def test_what_chance_explains_is_no_error(ended: int, on_time: int, expected: float) -> None:
    assert corrected(seen(ended, on_time), expected=expected) == []


def test_what_was_seen_under_another_placement_does_not_count() -> None:
    assert corrected(seen(20, 0, "int8", "c")) == []
    assert corrected(seen(20, 0, "fp32", "b")) == []
    assert corrected(seen(20, 20), seen(20, 0, "int8", "c")) == []         # it moved: the earlier record is gone
    assert corrected(seen(20, 20, "int8", "c"), seen(20, 0)) != []


def test_a_report_that_says_more_on_time_than_ended_counts_what_is_possible() -> None:
    assert corrected(seen(4, 400), expected=0.9) == []
    assert corrected(seen(40, 400), expected=0.2) == pytest.approx([0.75])         # 32 / 44 = 0.727


def test_an_old_error_fades_with_new_reports() -> None:
    bad, *rest = corrected(seen(5, 0), *[seen(5, 5)] * 8, expected=0.9) or [0.0]
    assert rest == []
    assert abs(bad) <= 0.05


def test_a_lost_agent_takes_what_was_seen_of_it() -> None:
    for lost, left in (("a", 0), ("b", 0), ("c", 1)):
        records = StreamRecords()
        records.expect({DETECT.key: (CHOICE, 0.9)})
        records.reported("a", [seen(20, 0)], ADVERT)
        records.forget(lost)
        assert len(records.corrections([DETECT])) == left


def test_a_correction_names_its_placement() -> None:
    records = StreamRecords()
    records.expect({DETECT.key: (CHOICE, 0.9)})
    records.reported("a", [seen(20, 0)], ADVERT)
    assert records.corrections([DETECT]) == (Correction(
        agent="a", stream="detect", model="detector", variant="int8", where=("b",), by=-0.75),)
    assert records.corrections([]) == ()


def test_reports_of_streams_that_nobody_has_do_no_harm() -> None:
    records = StreamRecords()
    records.reported("stranger", [seen(20, 0)], ADVERT)
    assert records.corrections([DETECT]) == ()
