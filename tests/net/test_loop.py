"""The loop: timers in order, calls from threads, and descriptors."""

from __future__ import annotations

import os
import threading

import pytest

from swarm.core.clock import MonotonicClock, ns
from swarm.net.loop import Loop


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
    loop, at = Loop(MonotonicClock()), []

    def slow() -> None:
        at.append(loop.clock.now_ns())
        while len(at) == 1 and loop.clock.now_ns() < at[0] + ns(0.02):
            pass                                             # the first call overruns by several periods
        if len(at) == 3:
            loop.stop()

    loop.every(ns(0.004), slow)
    loop.run()
    assert at[2] - at[1] >= ns(0.002)


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


def test_a_bug_in_a_callback_ends_the_loop_loudly() -> None:
    loop = Loop(MonotonicClock())
    loop.post(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        loop.run()
