"""Lines of the time series, against counts by hand."""

from __future__ import annotations

import pytest

from swarm.core.policy.plan import Placement, Plan
from swarm.core.protocol.messages import AgentNews
from swarm.core.protocol.spans import Ending, RequestId, Span
from swarm.core.units import ns
from swarm.telemetry.figures.planner import PlanHistory
from swarm.telemetry.figures.series import Series
from swarm.telemetry.file_types import LinkPoint

STREAMS = [("rover_0", "detect", 5.0), ("rover_1", "detect", 5.0), ("rover_1", "segment", 0.4)]


def news(busy_s: float, available_s: float, queue: int = 0, **links: tuple[float, float]) -> AgentNews:
    return AgentNews(rss_bytes=1, runs=1, overruns=0, busy_s=busy_s, available_s=available_s, queue=queue, links=links,
                     refused_in=0, duplicates=0, control_bytes=0)


def span(latency_s: float = 0.1, ending: Ending = "completed", robot: str = "rover_0", stream: str = "detect") -> Span:
    return Span(request=RequestId(robot, 1, 1), stream=stream, model="m", priority=0, captured_ns=ns(1.0),
                submitted_ns=ns(1.0), deadline_ns=ns(2.0), ended_ns=ns(1.0 + latency_s), ending=ending)


def series(plans: PlanHistory | None = None) -> Series:
    return Series(["rover_0", "rover_1"], STREAMS, plans or PlanHistory())


def test_an_agents_load_is_that_between_its_reports_of_two_lines() -> None:
    made = series()
    made.reported("rover_0", 1, news(0.0, 0.0))              # at Start
    made.reported("rover_0", 1, news(0.3, 0.5, queue=4))
    one = made.line(1.0).agents
    assert list(one) == ["rover_0"]                          # the other one has not reported
    assert (one["rover_0"].busy, one["rover_0"].queue) == (pytest.approx(0.6), 4)
    assert made.line(2.0).agents == {}
    made.reported("rover_0", 1, news(0.9, 1.5))
    made.reported("rover_0", 1, news(1.8, 2.5, queue=2))
    assert made.line(3.0).agents["rover_0"].busy == pytest.approx(1.5 / 2.0)
    made.reported("rover_0", 2, news(0.1, 0.4))              # restarted: its counters began again
    assert made.line(4.0).agents["rover_0"].busy == pytest.approx(0.1 / 0.4)
    made.reported("rover_0", 2, news(0.1, 0.4))              # the streams have ended
    assert made.line(5.0).agents["rover_0"].busy is None


def test_links_are_told_once_after_each_report_and_only_to_robots_of_the_run() -> None:
    made = series()
    made.reported("rover_0", 1, news(0.1, 1.0, rover_1=(0.004, 1e6), stranger=(0.1, 1.0)))
    made.reported("stranger", 1, news(0.1, 1.0, rover_0=(0.004, 1e6)))
    agents = made.line(1.0).agents
    assert list(agents) == ["rover_0"]
    assert agents["rover_0"].links == {"rover_1": LinkPoint(rtt_ms=4.0, mbit_s=8.0)}
    made.reported("rover_0", 1, news(0.2, 2.0))
    assert made.line(2.0).agents["rover_0"].links == {}


def test_a_streams_requests_count_in_the_second_in_which_they_ended() -> None:
    made = series()
    for one in (span(0.100), span(0.200, "late"), span(0.0, "failed"), span(0.060), span(0.5, robot="rover_9")):
        made.ended(one)
    first, second = made.line(1.0).streams, made.line(2.0).streams
    assert list(first) == ["rover_0/detect", "rover_1/detect", "rover_1/segment"]
    got = first["rover_0/detect"]
    assert (got.due, got.ended, got.on_time, got.mean_ms) == (5, 4, 2, 120.0)
    assert (second["rover_0/detect"].due, second["rover_0/detect"].ended) == (5, 0)
    assert second["rover_0/detect"].mean_ms is second["rover_0/detect"].predicted_ms is None
    assert (first["rover_1/detect"].due, first["rover_1/detect"].ended) == (5, 0)       # due, and nothing came


def test_due_frames_add_up_to_rate_times_time_also_below_one_in_a_second() -> None:
    made = series()
    due = [made.line(float(k)).streams["rover_1/segment"].due for k in range(1, 11)]
    assert due == [0, 0, 1, 0, 1, 0, 0, 1, 0, 1]             # 0.4 a second


def test_the_tail_is_that_of_the_last_ten_seconds() -> None:
    made = series()
    tails = []
    for second in range(1, 16):
        for _ in range(4):
            made.ended(span(0.010 * second))
        tails.append(made.line(float(second)).streams["rover_0/detect"].p95_ms)
    assert tails[:4] == [None] * 4                           # 16 are too few
    assert tails[4] == 50.0                                  # the 19th of 20
    assert tails[14] == pytest.approx(150.0)                 # of 40, from the sixth second on
    for _ in range(40):
        made.ended(span(0.0, "failed"))
    assert made.line(16.0).streams["rover_0/detect"].p95_ms is None      # more than 5 % have no result
    assert made.line(26.0).streams["rover_0/detect"].p95_ms is None
    assert made.line(27.0).streams["rover_0/detect"].p95_ms is None      # nothing is left


def test_the_plan_that_holds_stands_beside_what_came() -> None:
    plans = PlanHistory()
    made = series(plans)
    plans.handle(0.5, Plan(epoch=1, lease_s=3.0, placements=[Placement(
        agent="rover_0", stream="detect", variant="int8", where=["rover_1"], predicted_s=0.0512, predicted_p95_s=0.09,
        predicted_on_time=0.97)]))
    got = made.line(1.0).streams
    point = got["rover_0/detect"]
    assert (point.predicted_ms, point.predicted_p95_ms, point.predicted_on_time) == (51.2, 90.0, 0.97)
    assert got["rover_1/detect"].predicted_on_time is None
    assert made.line(4.0).streams["rover_0/detect"].predicted_ms is None         # its lease has ended
