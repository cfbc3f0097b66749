"""The loop: timers in order, calls from threads, and descriptors."""

from __future__ import annotations

import os
import threading

import pytest

from swarm.core.clock import MonotonicClock
from swarm.core.units import ns, seconds
from swarm.net.loop import Loop
from tests.clock import FakeClock
from tests.patience import HANG_NS, HANG_S

HOUR_S = 3600.0


def turn(loop: Loop) -> None:
    """What is due or posted now, once; never sleeps."""
    loop.stop()
    loop.run()


def test_timers_fire_in_order_and_not_when_cancelled() -> None:
    loop, fired = Loop(MonotonicClock()), []
    now = loop.clock.now_ns()
    loop.at(now + 3000, lambda: fired.append("third"))
    loop.at(now + 1000, lambda: fired.append("first"))
    loop.at(now + 1000, lambda: fired.append("second"))
    loop.at(now + 2000, lambda: fired.append("never")).cancel()
    loop.at(now + 4000, loop.stop)
    loop.run()
    assert fired == ["first", "second", "third"]
    assert loop.statistics().timers == 4


def test_calls_from_other_threads_run_in_the_loop() -> None:
    loop, ran = Loop(MonotonicClock()), []
    here = threading.get_ident()

    def call() -> None:
        for i in range(100):
            loop.post(lambda i=i: ran.append((i, threading.get_ident())))
        loop.stop()

    thread = threading.Thread(target=call)
    thread.start()
    loop.run()
    thread.join()
    assert ran == [(i, here) for i in range(100)]


def test_a_period_that_was_missed_is_skipped_not_made_up() -> None:
    clock, at = FakeClock(), []
    loop = Loop(clock)

    def slow() -> None:
        at.append(seconds(clock.now_ns()))
        if len(at) == 1:
            clock.advance(0.019)                             # the first call overruns by several periods

    loop.every(ns(0.004), slow)
    for _ in range(40):
        clock.advance(0.001)
        turn(loop)
    assert at == [0.004, 0.024, 0.028, 0.032, 0.036, 0.04, 0.044, 0.048, 0.052, 0.056]


def test_a_descriptor_is_watched_until_it_is_unwatched() -> None:
    loop, seen = Loop(MonotonicClock()), []
    read, write = os.pipe()

    def readable() -> None:
        seen.append(os.read(read, 1))
        loop.unwatch(read)
        loop.post(loop.stop)

    loop.watch(read, readable)
    os.write(write, b"ab")
    loop.run()
    os.close(read)
    os.close(write)
    assert seen == [b"a"]


def test_a_timer_that_is_always_due_does_not_starve_the_rest() -> None:
    loop, rounds = Loop(MonotonicClock()), []

    def again() -> None:
        rounds.append(1)
        loop.at(0, again)
        if len(rounds) == 3:
            loop.stop()
        assert len(rounds) < 100

    loop.at(0, again)
    loop.run()
    assert 3 <= len(rounds) <= 5


def test_an_error_of_another_thread_ends_the_loop_loudly() -> None:
    loop = Loop(MonotonicClock())
    thread = threading.Thread(target=lambda: loop.fail(KeyError("elsewhere")))
    thread.start()
    with pytest.raises(KeyError, match="elsewhere"):
        loop.run()
    thread.join()


def test_an_exit_in_another_thread_ends_the_loop_as_loudly() -> None:
    loop = Loop(MonotonicClock())
    loop.fail(SystemExit(0))
    with pytest.raises(RuntimeError, match="SystemExit in a thread: 0") as told:
        loop.run()
    assert isinstance(told.value.__cause__, SystemExit)


def test_a_bug_in_a_callback_ends_the_loop_loudly() -> None:
    loop = Loop(MonotonicClock())
    loop.post(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        loop.run()


# --- clocks that step ---


@pytest.mark.parametrize("step_s", [HOUR_S, HOUR_S + 0.0005, 86_400.0])
def test_after_a_leap_of_the_clock_a_period_fires_once_and_goes_on_from_there(step_s: float) -> None:
    clock = FakeClock(ns(5.0))
    loop, at = Loop(clock), []
    loop.every(ns(0.001), lambda: at.append(clock.now_ns()))
    clock.advance(step_s)
    for _ in range(3):
        turn(loop)
    assert at == [ns(5.0 + step_s)]
    clock.advance(0.001)
    turn(loop)
    assert len(at) == 2


def test_after_a_leap_of_the_clock_each_timer_fires_once_in_order() -> None:
    clock = FakeClock()
    loop, fired = Loop(clock), []
    for delay_s in (3.0, 1.0, 2.0):
        loop.after(ns(delay_s), lambda delay_s=delay_s: fired.append(delay_s))
    clock.advance(HOUR_S)
    turn(loop)
    turn(loop)
    assert fired == [1.0, 2.0, 3.0]
    assert loop.lateness.longest_ns == ns(HOUR_S - 1.0)


def test_how_late_timers_are_is_counted_and_can_be_begun_anew() -> None:
    clock = FakeClock()
    loop = Loop(clock)
    for _ in range(99):
        loop.at(clock.now_ns(), lambda: None)
    turn(loop)
    loop.after(ns(0.001), lambda: None)
    clock.advance(0.0312)                                    # something else took so long
    turn(loop)
    assert loop.lateness.quantile_ms(0.99) == 0.0
    assert loop.lateness.quantile_ms(1.0) == 30.2
    loop.lateness.clear()
    assert loop.lateness.quantile_ms(1.0) == 0.0


def test_a_clock_set_back_fires_nothing_before_its_time() -> None:
    clock = FakeClock(ns(HOUR_S))
    loop, fired = Loop(clock), []
    loop.every(ns(1.0), lambda: fired.append("every"))
    loop.after(ns(1.0), lambda: fired.append("once"))
    clock.advance(-HOUR_S)
    turn(loop)
    assert fired == []
    clock.advance(HOUR_S + 1.0)
    turn(loop)
    assert fired == ["every", "once"]


def test_a_period_ends_when_cancelled_even_by_itself() -> None:
    clock = FakeClock()
    loop, fired = Loop(clock), []
    other = loop.every(ns(1.0), lambda: fired.append("other"))

    def last() -> None:
        fired.append("last")
        own.cancel()
        other.cancel()

    own = loop.every(ns(1.5), last)
    for _ in range(10):
        clock.advance(0.5)
        turn(loop)
    assert fired == ["other", "last"]
    other.cancel()


# --- looking before sleeping ---


class Ticking(FakeClock):
    """Every look takes a microsecond."""

    def now_ns(self) -> int:
        self.at_ns += 1000
        return self.at_ns


def watched(loop: Loop) -> list[int | None]:
    """The timeouts that the loop polls with, from now on; a call is posted before it sleeps for ever."""
    timeouts: list[int | None] = []
    poll = loop._poller.poll

    def looked(timeout: int | None) -> list[tuple[object, int]]:
        timeouts.append(timeout)
        if timeout is None:
            loop.post(loop._stop)
        return poll(timeout)

    loop._poller.poll = looked                               # pyright: ignore[reportAttributeAccessIssue]
    return timeouts


def test_a_busy_loop_looks_for_so_long_before_it_sleeps() -> None:
    loop = Loop(Ticking(), busy_poll_s=100e-6)
    timeouts = watched(loop)
    loop.run()
    assert timeouts[-1] is None
    assert 30 <= timeouts.count(0) <= 100                    # several looks at the clock each
    patient = Loop(Ticking(), busy_poll_s=100e-6)
    timeouts = watched(patient)
    patient.skip_busy_poll()
    patient.run()
    assert timeouts == [None]
    patient.run()
    assert timeouts.count(0) > 30                            # that was for one turn


def test_a_loop_that_is_not_busy_sleeps_at_once() -> None:
    loop = Loop(Ticking())
    timeouts = watched(loop)
    loop.run()
    assert timeouts == [None]


def test_a_busy_loop_takes_what_comes_while_it_looks_and_is_on_time_for_timers() -> None:
    loop, fired = Loop(MonotonicClock(), busy_poll_s=HANG_S), []
    read, write = os.pipe()

    def readable() -> None:
        fired.append(os.read(read, 1))
        loop.after(ns(0.002), lambda: (fired.append(b"timer"), loop.stop()))

    loop.watch(read, readable)
    threading.Thread(target=os.write, args=(write, b"x")).start()
    began = loop.clock.now_ns()
    loop.run()
    assert fired == [b"x", b"timer"]
    assert loop.clock.now_ns() - began < HANG_NS             # it did not look to the end
    os.close(read)
    os.close(write)


def test_a_loop_that_did_not_run_says_so_before_its_late_timers() -> None:
    clock = FakeClock(ns(5.0))
    loop, said = Loop(clock), []
    loop.held_up = said.append
    for late_s, timer in ((0.95, "late"), (8.0, "later")):   # less than a second: a busy host
        loop.after(ns(0.1), lambda timer=timer: said.append(timer))
        loop.post(lambda late_s=late_s: clock.advance(0.1 + late_s))
        turn(loop)
    assert said == ["late", 8.0, "later"]


def test_a_timer_for_a_time_that_has_passed_does_not_mean_that_the_loop_did_not_run() -> None:
    clock = FakeClock(ns(100.0))
    loop, said = Loop(clock), []
    loop.held_up = said.append
    loop.at(ns(5.0), lambda: None)
    turn(loop)
    assert said == []


def test_a_timer_of_a_time_that_has_passed_is_late_since_it_was_set() -> None:
    clock = FakeClock(ns(HOUR_S))
    loop = Loop(clock)
    loop.at(0, loop.stop)
    loop.run()
    loop.close()
    assert loop.lateness.longest_ns == 0
