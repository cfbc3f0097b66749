"""The run of a collector for boards, on a clock that the test moves: its begin, its axis of time, its end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from swarm.core.policy.lateness import Lateness
from swarm.core.ports import Received
from swarm.core.protocol import messages as msg
from swarm.core.protocol.spans import Frame, RequestId, Span
from swarm.core.units import ns
from swarm.telemetry import board_collector, table
from swarm.telemetry.board_collector import RUN_S
from tests.clock import FakeClock
from tests.telemetry.test_board_collector import collector, summary


class Desk:
    """The ports of a collector: a clock that the test advances, timers that it runs, members that it speaks for."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.clock, self.waiting = FakeClock(), []
        self.member = msg.Member(name="collector", role="collector", urgent="u", bulk="b", boot=1)
        self.lateness = Lateness()
        self.counting, self.machine, self.folders = collector(folder, self.clock, self, self, **changes)
        self.counting.begin()
        self.open: dict[int, RequestId] = {}
        self.number = 0
        self.sent: list[tuple[str, msg.Body]] = []

    def send(self, to: str, body: msg.Body) -> bool:
        self.sent.append((to, body))
        return True

    def attach(self, received: Callable[[Received], None], undelivered: Any) -> None:
        self.received = received

    def join(self, members: Any) -> None:
        pass

    def peers(self, *roles: str) -> list[str]:
        return []

    def role(self, name: str) -> str:
        return "agent"

    def after(self, delay_ns: int, callback: Callable[[], None]) -> None:
        self.waiting.append((self.clock.now_ns() + delay_ns, callback))

    def advance(self, by_s: float) -> None:
        """Time passes; what falls due is called."""
        now = self.clock.advance(by_s)
        due = [callback for at_ns, callback in self.waiting if at_ns <= now]
        self.waiting = [(at_ns, callback) for at_ns, callback in self.waiting if at_ns > now]
        for callback in due:
            callback()

    def say(self, body: msg.Body, boot: int = 1) -> None:
        now = self.clock.now_ns()
        self.received(Received("rover_0", boot, body, [], None, now, now))

    def report(self, body: msg.Body, boot: int) -> None:
        """An agent sends all its reports as kept ones."""
        self.number += 1
        self.say(msg.Kept(reports=[msg.KeptReport(boot, self.number, 0.0, msgspec.msgpack.encode(body))]))

    def submit(self, number: int, boot: int = 1, due_s: float = 0.0) -> None:
        request = self.open[number] = RequestId("rover_0", boot, number)
        self.report(msg.Submitted(request=request, frame=Frame(1, "detect", number), due_s=due_s), boot)

    def complete(self, number: int) -> None:
        request = self.open.pop(number)
        self.report(msg.Ended(span=Span(
            request=request, stream="detect", model="detector", priority=0, captured_ns=0, submitted_ns=0,
            deadline_ns=ns(1.0), ran_on="rover_0", ended_ns=1, ending="completed")), request.boot)


def test_the_run_begins_with_the_first_request_and_ends_with_the_signal(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.lateness.add(ns(5.0))                               # before the run
    desk.advance(100.0)
    desk.submit(1)
    desk.complete(1)
    desk.lateness.add(ns(0.002))
    desk.advance(8.0)
    desk.counting.end()
    desk.lateness.add(ns(7.0))                               # after it
    assert desk.machine.stopped
    figures = desk.counting.finish()
    assert (figures["ran_s"], figures["duration_s"], figures["first_result_s"]) == (8.0, 8.0, 100.0)
    assert figures["loop_late_ms_p99"] == 2.0
    assert figures["loops"] == {"collector": {"late_ms_p99": 2.0, "late_ms_max": 2.0}}
    series = [json.loads(line) for line in (tmp_path / "out" / "series.jsonl").read_text().splitlines()]
    assert [line["at_s"] for line in series] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    assert [line["streams"]["rover_0/detect"]["ended"] for line in series] == [1, *[0] * 7]
    assert [line["streams"]["rover_0/detect"]["due"] for line in series] == [20] * 8


def test_frames_lie_on_the_axis_of_the_run_however_long_their_agent_has_been_up(tmp_path: Path) -> None:
    """The agent was up for an hour, then restarts; its messages are late by 0 or 0.2 s."""
    desk = Desk(tmp_path)
    for number, (late_s, due_s, boot) in enumerate(
            [(0.2, 3600.0, 1), (0.0, 3600.5, 1), (0.0, 3601.0, 1), (0.0, 0.5, 2), (0.2, 1.0, 2)]):
        desk.advance(0.5 + late_s)
        desk.submit(number, boot, due_s)
        desk.complete(number)
        desk.advance(-late_s)
    desk.counting.end()
    desk.counting.finish()
    requests = table.read(tmp_path / "out" / "requests.parquet")
    told = requests["due_s"][requests["ending"] == "completed"]
    assert list(told) == pytest.approx([0.0, 0.3, 0.8, 1.3, 1.8], abs=0.21)
    assert list(told)[1:] == pytest.approx([0.3, 0.8, 1.3, 1.8])


def test_at_the_end_open_requests_are_awaited_and_new_ones_are_not_counted(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.submit(1)
    desk.counting.end()
    desk.submit(2)
    desk.complete(2)
    desk.advance(0.1)
    assert not desk.machine.stopped
    desk.complete(1)
    desk.advance(0.1)
    assert desk.machine.stopped
    requests = desk.counting.finish()["requests"]
    assert (requests["submitted"], requests["completed"], requests["lost"]) == (1, 1, 0)


def test_requests_of_a_silent_agent_fail_and_do_not_keep_the_process(tmp_path: Path) -> None:
    desk = Desk(tmp_path, drain_s=4.0)
    desk.submit(1)
    desk.counting.end()
    desk.advance(3.9)
    assert not desk.machine.stopped
    desk.advance(0.2)
    assert desk.machine.stopped
    requests = desk.counting.finish()["requests"]
    assert (requests["failed_by"], requests["lost"]) == ({"agent_lost": 1}, 0)


def test_a_second_signal_ends_at_once_and_a_request_of_a_living_agent_is_lost(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.submit(1)
    desk.counting.end()
    desk.counting.end()
    assert desk.machine.stopped
    assert desk.counting.finish()["requests"]["lost"] == 1


def test_an_agent_that_started_anew_has_lost_its_open_requests(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.submit(1)
    desk.submit(2, boot=2)
    desk.complete(2)
    desk.counting.end()
    requests = desk.counting.finish()["requests"]
    assert (requests["completed"], requests["failed_by"]) == (1, {"agent_lost": 1})


def kept(desk: Desk, number: int, age_s: float, body: msg.Body, boot: int = 1) -> None:
    """An agent sends a report that it has kept; the collector answers."""
    desk.say(msg.Kept(reports=[msg.KeptReport(boot, number, age_s, msgspec.msgpack.encode(body))]), boot=9)
    assert desk.sent[-1] == ("rover_0", msg.KeptReceived(boot=boot, number=number))


def requested(number: int, boot: int = 1) -> tuple[msg.Submitted, msg.Ended]:
    request = RequestId("rover_0", boot, number)
    return msg.Submitted(request=request, frame=Frame(1, "detect", number), due_s=0.05 * number), msg.Ended(span=Span(
        request=request, stream="detect", model="detector", priority=0, captured_ns=0, submitted_ns=0,
        deadline_ns=ns(1.0), ran_on="rover_0", ended_ns=1, ending="completed"))


def test_reports_that_an_agent_kept_count_once_at_their_own_time(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.advance(5.0)
    for number in range(1, 1501):                    # more than an agent has at once; a minute and a quarter of them
        for at, body in enumerate(requested(number)):
            for _ in range(2):                       # the first answer was lost
                kept(desk, 2 * number + at, 100.0 - 0.05 * number, body)
    desk.counting.end()
    figures = desk.counting.finish()
    assert figures["requests"]["completed"] == 1500
    assert figures["ledger"]["not_theirs"] == figures["ledger"]["submitted_twice"] == 0
    assert figures["ran_s"] == pytest.approx(99.95)
    requests = table.read(tmp_path / "out" / "requests.parquet")
    told = requests["at_s"][requests["ending"] == "completed"]
    assert (told[0], told[-1]) == pytest.approx((0.0, 74.95))


def test_requests_older_than_the_run_are_counted(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.submit(9000, boot=1)
    desk.complete(9000)
    for number in range(1, 1501):
        for at, body in enumerate(requested(number, boot=2)):
            kept(desk, 2 * number + at, 100.0 - 0.05 * number, body, boot=2)
    desk.counting.end()
    requests = desk.counting.finish()["requests"]
    assert (requests["completed"], requests["lost"]) == (1501, 0)


def test_reports_of_too_many_starts_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_collector, "MOST_STARTS", 3)
    desk = Desk(tmp_path)
    for boot in range(1, 7):
        kept(desk, 1, 1.0, requested(boot, boot)[0], boot=boot)
    desk.counting.end()
    assert desk.counting.finish()["requests"]["submitted"] == 3


def test_a_kept_report_that_makes_no_sense_is_refused_and_not_asked_for_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    kept(desk, 1, 0.0, msg.Shutdown())
    assert not desk.machine.stopped


def test_a_report_that_overtakes_those_of_an_earlier_start_costs_no_request(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.say(msg.Happened(what="held_up", detail={"for_s": 2.0}), boot=2)
    desk.submit(1, boot=1)
    desk.submit(2, boot=2)
    desk.complete(2)
    desk.counting.end()
    requests = desk.counting.finish()["requests"]
    assert (requests["completed"], requests["failed_by"]) == (1, {"agent_lost": 1})


# --- one run after the other ---


def figures_of(folder: Path, *runs: str) -> list[tuple[int, int, int]]:
    """Submitted, completed and lost requests of each run."""
    found = [summary(folder, run)["requests"] for run in runs]
    return [(one["submitted"], one["completed"], one["lost"]) for one in found]


@pytest.mark.parametrize("long", ["by its time", "by its requests"])
def test_a_long_run_is_written_and_its_open_requests_go_over_to_the_next(
    long: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path)
    desk.advance(3.0)
    for number in (1, 2):
        desk.submit(number, due_s=3.0)
    desk.complete(1)
    if long == "by its time":
        desk.advance(RUN_S)                              # no message comes then
    else:
        monkeypatch.setattr(board_collector, "MOST_REQUESTS", 2)
        desk.advance(9.0)
        desk.say(msg.Heartbeat(sequence=1))
    assert figures_of(tmp_path, "out") == [(1, 1, 0)]
    monkeypatch.undo()
    desk.complete(2)
    desk.submit(3, boot=2)
    desk.complete(3)
    desk.counting.end()
    desk.counting.finish()
    assert figures_of(tmp_path, "out-2") == [(2, 2, 0)]
    requests = table.read(tmp_path / "out-2" / "requests.parquet")
    assert min(requests["at_s"][requests["ending"] == "completed"]) < -8.0


def test_a_request_that_stays_open_over_runs_fails_with_its_agent(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.submit(1)
    desk.advance(RUN_S)
    desk.counting.end()
    desk.advance(RUN_S)
    requests = desk.counting.finish()["requests"]
    assert (requests["submitted"], requests["failed_by"], requests["lost"]) == (1, {"agent_lost": 1}, 0)


@pytest.mark.parametrize("hindered", ["writes", "full"])
def test_while_the_next_run_cannot_begin_a_full_one_takes_no_more_and_agents_keep_theirs(
    hindered: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(tmp_path)
    for number in (1, 2):
        desk.submit(number)
        desk.complete(number)
    monkeypatch.setattr(board_collector, "MOST_REQUESTS", 2)
    answered = len(desk.sent)
    setattr(desk.folders, hindered, True)
    for _ in range(3):
        desk.submit(3)
    assert len(desk.sent) == answered == 4
    assert len(caplog.records) == (hindered == "full")
    setattr(desk.folders, hindered, False)
    desk.submit(3)
    assert len(desk.sent) == answered + 1
    assert figures_of(tmp_path, "out") == [(2, 2, 0)]
