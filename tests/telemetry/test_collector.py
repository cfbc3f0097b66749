"""A collector's bounds: one robot cannot fill the disk with events, nor the ledger with requests."""

from __future__ import annotations

from typing import Any

import msgspec

from swarm.core.ports import Received
from swarm.core.protocol import messages as msg
from swarm.core.protocol.messages import Happened, Submitted
from swarm.core.protocol.spans import Frame, RequestId
from swarm.telemetry.collector import MOST_EARLY, MOST_EVENTS, Collector
from tests.telemetry import fakes

NS = fakes.NS


class Written:
    """The events of a run folder; everything else is let go."""

    full = False

    def __init__(self) -> None:
        self.events: list[str] = []

    def event(self, at_s: float, who: str, what: str, detail: Any = None) -> None:
        self.events.append(who)

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


def collecting() -> tuple[Collector, Written]:
    written: Any = Written()
    collector = Collector(fakes.launch(), written, name="launcher", commanded_ns=0, manifest=lambda _: {})
    collector.started(NS)
    written.events.clear()
    return collector, written


def told(collector: Collector, sender: str, body: msg.Body, at_s: float = 1.0, boot: int = 1) -> None:
    now = round(at_s * NS)
    collector.handle(Received(sender, boot, body, [], None, now, now))


def test_of_too_many_events_of_one_robot_the_rest_is_not_written() -> None:
    collector, written = collecting()
    for _ in range(2 * int(MOST_EVENTS)):
        told(collector, "rover_0", Happened(what="flood"))
        told(collector, "planner", Happened(what="agent_joined"))        # of a planner, a thousand may join at once
    told(collector, "rover_1", Happened(what="degraded"))
    assert written.events.count("rover_0") == MOST_EVENTS
    assert written.events.count("planner") == 2 * MOST_EVENTS
    assert written.events.count("rover_1") == 1
    told(collector, "rover_0", Happened(what="flood"), at_s=2.0)
    assert written.events.count("rover_0") == MOST_EVENTS + 1


def test_a_robot_has_no_more_requests_than_its_streams_can_have() -> None:
    collector, _ = collecting()
    for k in range(MOST_EARLY + 200):
        told(collector, "rover_0", Submitted(
            request=RequestId("rover_0", 1, k), frame=Frame(1, "detect", k), due_s=0.0), at_s=11.0)
    most = MOST_EARLY + round(2 * (5 + 1) * 10.0)            # 5 Hz and 1 Hz, for 10 s
    assert collector.ledger().total.submitted == most
    assert collector.ledger().not_theirs == 200 - (most - MOST_EARLY)


def test_how_late_the_loop_of_each_process_was_is_in_the_summary() -> None:
    written: Any = Written()
    written.unwritten = {}
    launch = msgspec.structs.replace(fakes.launch(), boards=fakes.BOARDS)
    collector = Collector(launch, written, name="launcher", commanded_ns=0, manifest=lambda _: {})
    collector.started(NS)
    for boot, late_ms in ((1, 59.0), (1, 3.0), (2, 9.0), (3, 2.0)):      # the last of each start counts
        told(collector, "world", msg.WorldNews(
            time_s=1.0, steps=1, real_time_factor=1.0, lag_ms_p99=0.0, mission=fakes.MISSION, poses={},
            loop_late_ms_p99=late_ms / 2, loop_late_ms_max=late_ms), boot=boot)
        told(collector, "planner", msg.PlannerNews(
            epoch=1, took_s=0.1, solver="s", refined=False, end="kept", loop_late_ms_p99=1.0, loop_late_ms_max=late_ms),
            boot=boot)
    figures = collector.finish(1.0, encrypted=False)
    assert figures["loops"] == {
        "launcher": {"late_ms_p99": 0.0, "late_ms_max": 0.0}, "planner": {"late_ms_p99": 1.0, "late_ms_max": 9.0},
        "world": {"late_ms_p99": 4.5, "late_ms_max": 9.0}}
    assert figures["loop_late_ms_p99"] == 0.0                # of agents and launcher, whose lateness delays results
