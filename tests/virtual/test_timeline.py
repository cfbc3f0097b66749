"""The queue of events: a total order, and what ended or paused processes miss."""

from __future__ import annotations

import pytest

from swarm.virtual.process import VirtualProcess
from swarm.virtual.timeline import Timeline


@pytest.fixture
def timeline() -> Timeline:
    return Timeline()


def process(timeline: Timeline, name: str = "a", pid: int = 1) -> VirtualProcess:
    return VirtualProcess(timeline, name, "agent", pid, ended=lambda process: None)


def run(timeline: Timeline) -> None:
    while timeline.step():
        pass


def test_events_happen_by_time_and_those_of_one_time_in_the_order_of_setting(timeline: Timeline) -> None:
    a, told = process(timeline), []
    for name, at_ns in (("late", 9), ("first", 5), ("second", 5), ("now", 0)):
        timeline.at(at_ns, a, lambda name=name: told.append((timeline.now_ns, name)))
    run(timeline)
    assert told == [(0, "now"), (5, "first"), (5, "second"), (9, "late")]
    assert timeline.happened == 4


def test_an_event_of_the_past_happens_now_and_a_cancelled_one_never(timeline: Timeline) -> None:
    a, told = process(timeline), []
    never = timeline.at(7, a, lambda: told.append("never"))
    timeline.at(5, a, lambda: (timeline.at(1, a, lambda: told.append(timeline.now_ns)), never.cancel()))
    run(timeline)
    never.cancel()
    assert told == [5]


def test_an_ended_process_does_nothing_more(timeline: Timeline) -> None:
    a, b, told = process(timeline), process(timeline, "b", 2), []
    timeline.at(1, a, a.end)
    timeline.at(2, a, lambda: told.append("a"))
    timeline.at(2, b, lambda: told.append("b"))
    run(timeline)
    assert told == ["b"]


def test_a_shuffled_timeline_gives_processes_other_turns_and_keeps_the_order_within_each() -> None:
    def order(seed: int) -> list[str]:
        timeline, told = Timeline(seed), []
        processes = [process(timeline, name, pid) for pid, name in enumerate("abcdef", start=1)]
        for number in (1, 2):
            for one in processes:
                timeline.at(5, one, lambda who=one.name, number=number: told.append(f"{who}{number}"))
        timeline.at(4, processes[0], lambda: told.append("first"))
        run(timeline)
        return told

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(20)}) > 10
    for seed in range(20):
        told = order(seed)
        assert told[0] == "first"
        assert all(told.index(f"{name}1") < told.index(f"{name}2") for name in "abcdef")


def test_a_paused_process_catches_up_in_order_and_learns_how_long_it_was_held_up(timeline: Timeline) -> None:
    a, told, clock = process(timeline), [], []
    a.on_held_up(lambda for_s: told.append(("held up", for_s)))
    timeline.at(10, a, a.pause)
    cancelled = timeline.at(25, a, lambda: told.append("cancelled"))
    for at_ns in (20, 30, 2_000_000_050):
        timeline.at(at_ns, a, lambda at_ns=at_ns: (told.append(at_ns), clock.append(timeline.now_ns)))
    b = process(timeline, "b", 2)
    timeline.at(2_000_000_010, b, lambda: (cancelled.cancel(), a.resume()))
    run(timeline)
    assert told == [("held up", 2.0), 20, 30, 2_000_000_050]
    assert clock == [2_000_000_010, 2_000_000_010, 2_000_000_050]
    assert a.lateness.longest_ns == 2_000_000_010 - 20


def test_a_short_pause_is_no_hold_up_and_two_pauses_are_one(timeline: Timeline) -> None:
    a, told = process(timeline), []
    a.on_held_up(lambda for_s: told.append(for_s))
    a.pause()
    a.pause()
    b = process(timeline, "b", 2)
    timeline.at(5, b, a.resume)
    timeline.at(6, b, a.resume)
    timeline.at(7, a, lambda: told.append("goes on"))
    run(timeline)
    assert told == ["goes on"]


def test_each_clock_has_a_zero_of_its_own_and_times_of_timers_are_its_readings(timeline: Timeline) -> None:
    a, b, told = process(timeline), process(timeline, "b", 2), []
    assert a.now_ns() != b.now_ns()
    b.at(b.now_ns() + 7, lambda: told.append(timeline.now_ns))
    a.after(3, lambda: told.append(timeline.now_ns))
    run(timeline)
    assert told == [3, 7]


def test_repeated_calls_keep_their_rate_and_skip_what_was_missed(timeline: Timeline) -> None:
    a, told = process(timeline), []
    handle = a.every(10, lambda: told.append(timeline.now_ns))
    b = process(timeline, "b", 2)
    timeline.at(15, b, a.pause)
    timeline.at(47, b, a.resume)
    timeline.at(75, b, handle.cancel)
    run(timeline)
    assert told == [10, 47, 50, 60, 70]


def test_boots_follow_the_wall_clock_and_differ_even_at_one_time(timeline: Timeline) -> None:
    first, second = process(timeline), process(timeline, "b", 2)
    assert first.new_boot() != second.new_boot()
    back = VirtualProcess(timeline, "a", "agent", 3, ended=lambda process: None, clock_step_s=-3600.0)
    assert back.new_boot() < first.new_boot()


def test_a_process_that_stops_itself_ends_after_the_present_event(timeline: Timeline) -> None:
    told: list[str] = []
    a = VirtualProcess(timeline, "a", "agent", 1, ended=lambda process: told.append(f"{process.name} ended"))
    timeline.at(1, a, lambda: (a.stop(), told.append("still here")))
    timeline.at(2, a, lambda: told.append("never"))
    run(timeline)
    assert told == ["still here", "a ended"]


def test_what_a_pause_has_mixed_keeps_the_order_of_each_lane() -> None:
    def order(shuffle: int | None) -> list[str]:
        timeline, told = Timeline(shuffle), []
        a, b = process(timeline), process(timeline, "b", 2)
        for number in range(4):
            for lane in ("x", "y", None):
                timeline.at(10 + number, a, lambda what=f"{lane}{number}": told.append(what), lane)
        timeline.at(1, b, a.pause)
        timeline.at(99, b, a.resume)
        run(timeline)
        return told

    assert order(None) == [f"{lane}{number}" for number in range(4) for lane in ("x", "y", None)]
    mixed = [order(seed) for seed in range(5)]
    assert len({tuple(told) for told in mixed}) == 5
    for told in mixed:
        for lane in ("x", "y", "None"):
            assert [what for what in told if what.startswith(lane)] == [f"{lane}{number}" for number in range(4)]


def test_a_loop_that_is_held_up_is_late_by_less_than_the_bound_and_keeps_its_order() -> None:
    timeline, told = Timeline(shuffle=1, late_ns=500), []
    a = process(timeline)
    for due_ns in range(0, 100_000, 100):
        timeline.at(due_ns, a, lambda due_ns=due_ns: told.append((due_ns, timeline.now_ns - due_ns)))
    run(timeline)
    assert [due_ns for due_ns, _ in told] == list(range(0, 100_000, 100))
    late = [late_ns for _, late_ns in told if late_ns]
    assert 0 < len(late) < 200
    assert 0 < min(late) <= max(late) < 1000             # held up again while it catches up, at most


def test_events_to_come_are_of_processes_that_live_and_not_cancelled(timeline: Timeline) -> None:
    a, b = process(timeline), process(timeline, "b", 2)
    kept, cancelled = (timeline.at(5, a, lambda: None) for _ in range(2))
    timeline.at(5, b, lambda: None)
    cancelled.cancel()
    b.end()
    assert list(timeline.to_come()) == [kept]
