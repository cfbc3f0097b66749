"""Reports to a collector that comes late, goes, and comes back: none is lost, and what it has is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import msgspec
import pytest

from swarm.core.ports import KeptRecord, Timers
from swarm.core.protocol import messages as msg
from swarm.membership import kept_reports
from swarm.membership.kept_reports import MOST_UNANSWERED, KeptReports
from swarm.membership.participant import Participant
from tests.clock import FakeClock


class Later:
    """A pending call."""

    def __init__(self, at_ns: int, call: Callable[[], None]) -> None:
        self.at_ns, self.call = at_ns, call

    def cancel(self) -> None:
        self.call = lambda: None


class Desk:
    """An agent of one start, with a collector that the test speaks for. `disk` is shared by all starts of the agent."""

    has_collector = True

    def __init__(self, boot: int = 1, disk: list[KeptRecord] | None = None, lost: int = 0) -> None:
        self.boot, self.clock, self.waiting = boot, FakeClock(), list[Later]()
        self.disk = disk if disk is not None else []
        self.found, self.lost = list(self.disk), lost
        self.reachable = self.answers = True
        self.got: list[tuple[int, int, float, Any]] = []     # boot, number, age and report
        self.messages = self.renewed = 0
        self.reports = KeptReports(cast(Any, self.clock), cast(Timers, self), cast(Participant, self), self)

    # the shelf

    def keep(self, record: KeptRecord) -> None:
        self.disk.append(record)

    def forget(self, count: int, last: KeptRecord, lost: int) -> None:
        assert not count or self.disk[count - 1] == last
        del self.disk[:count]
        self.lost = lost

    # timers, and the collector

    def after(self, delay_ns: int, call: Callable[[], None]) -> Later:
        self.waiting.append(Later(self.clock.now_ns() + delay_ns, call))
        return self.waiting[-1]

    def report(self, body: msg.Kept) -> bool:
        if self.reachable:
            self.messages += 1
            self.got += [(one.boot, one.number, one.age_s, msgspec.msgpack.decode(one.body, type=msg.Happened))
                         for one in body.reports]
            last = body.reports[-1]
            if self.answers:
                self.after(1_000_000, lambda: self.reports.received(
                    msg.KeptReceived(boot=last.boot, number=last.number)))
        return self.reachable

    def tell_through(self, put: Callable[[msg.Body], None]) -> None:
        self.tell = put

    def reconnect(self) -> None:
        self.renewed += 1

    def advance(self, by_s: float) -> None:
        until_ns = self.clock.now_ns() + round(by_s * 1e9)
        while due := sorted((one for one in self.waiting if one.at_ns <= until_ns), key=lambda one: one.at_ns)[:1]:
            self.waiting.remove(due[0])
            self.clock.advance((due[0].at_ns - self.clock.now_ns()) / 1e9)
            due[0].call()
        self.clock.advance((until_ns - self.clock.now_ns()) / 1e9)

    def say(self, *whats: str) -> None:
        for what in whats:
            self.reports.put(msg.Happened(what=what))

    def heard(self) -> list[str]:
        return [report.what for _, _, _, report in self.got]


def test_while_a_collector_answers_nothing_is_kept_nor_written() -> None:
    desk = Desk()
    desk.say("a")
    desk.advance(0.1)
    desk.disk.clear()                                # of the time before the first answer
    for _ in range(30):
        desk.say("b", "c")
        desk.advance(0.1)
    assert len(desk.got) == 61
    assert (desk.reports.kept, len(desk.reports), desk.disk) == (0, 0, [])


def test_what_was_reported_before_a_collector_came_comes_in_order_with_its_age() -> None:
    desk = Desk()
    desk.reachable = False
    desk.say("a")
    desk.advance(60.0)
    desk.say("b")
    assert ([record.number for record in desk.disk], desk.reports.kept, len(desk.reports)) == ([1, 2], 2, 0)
    desk.reachable = True
    desk.advance(1.5)
    assert desk.heard() == ["a", "b"]
    ages_s = [age_s for _, _, age_s, _ in desk.got]
    assert ages_s[0] - ages_s[1] == pytest.approx(60.0)
    assert ages_s[1] <= 1.0
    assert (desk.disk, desk.reports.kept) == ([], 0)


def test_a_restarted_agent_sends_what_its_earlier_start_kept() -> None:
    first = Desk()
    first.reachable = False
    first.say("a", "b")
    again = Desk(boot=2, disk=first.disk, lost=3)
    again.say("c")
    again.advance(1.0)
    assert [(boot, number) for boot, number, _, _ in again.got] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert again.heard() == ["a", "b", "c", "reports_dropped"]
    assert again.got[-1][3].detail == {"count": 3}
    assert (again.disk, again.lost) == ([], 0)


def test_what_is_not_answered_is_written_and_sent_again_on_a_new_connection() -> None:
    desk = Desk()
    desk.say("a")
    desk.advance(0.1)
    desk.answers = False
    desk.say("b")
    desk.advance(1.05)
    assert [record.number for record in desk.disk] == [2]
    desk.advance(MOST_UNANSWERED - 1.5)
    assert desk.renewed == 0
    desk.advance(1.0)
    assert desk.renewed == 1
    desk.answers = True
    desk.advance(1.1)
    assert (desk.reports.kept, desk.disk) == (0, [])
    assert set(desk.heard()) == {"a", "b"}


def test_beyond_the_bound_the_oldest_are_dropped_and_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_reports, "MOST_BYTES", 1000)
    desk = Desk()
    desk.reachable = False
    for number in range(100):
        desk.say(f"{number:03d}")
    kept = desk.reports.kept
    assert 5 < kept < 30
    assert [record.number for record in desk.disk] == list(range(101 - kept, 101))
    desk.reachable = True
    desk.advance(2.0)
    assert desk.heard() == [*(f"{number:03d}" for number in range(100 - kept, 100)), "reports_dropped"]
    assert desk.got[-1][3].detail == {"count": 100 - kept}


def test_an_orderly_end_leaves_what_is_not_answered_on_the_disk() -> None:
    desk = Desk()
    desk.say("a")
    desk.advance(0.1)
    desk.say("b")
    assert desk.disk == []
    desk.reports.end()
    assert [record.number for record in desk.disk] == [2]


def test_many_reports_travel_in_few_messages_that_fit_the_urgent_lane() -> None:
    desk = Desk()
    desk.reachable = False
    for _ in range(1000):
        desk.say("x" * 20)
    desk.reachable = True
    desk.advance(3.0)
    assert len(desk.got) == 1000
    assert desk.messages < 30


def test_without_a_collector_reports_are_kept_and_nothing_is_tried() -> None:
    desk = Desk()
    desk.has_collector = False
    desk.say("a", "b")
    desk.advance(10.0)
    assert (desk.reports.kept, len(desk.reports), desk.messages, desk.waiting) == (2, 0, 0, [])


def test_what_the_process_tells_of_itself_comes_in_order_with_the_rest() -> None:
    desk = Desk()
    desk.say("a")
    desk.tell(msg.Happened(what="held_up"))
    desk.say("b")
    desk.advance(1.0)
    assert desk.heard() == ["a", "held_up", "b"]
