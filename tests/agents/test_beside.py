"""Calls beside the loop that take long or never end, on a clock of the test."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from agents.beside import Beside
from tests.agents.slow_aside import Slow


class Timers:
    """The timers port: each timer fires when the test says so, and repeats nothing."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def after(self, delay_ns: int, callback: Callable[[], None]) -> Timers:
        self.waiting.append(callback)
        return self

    def cancel(self) -> None:
        self.waiting.clear()

    def fire(self) -> None:
        self.waiting.pop(0)()


class Robot:
    """Who asks for calls: `ended` has the results by key."""

    def __init__(self) -> None:
        self.timers, self.aside, self.told = Timers(), Slow(), list[str]()
        self.ended: list[tuple[int, int | None]] = []
        self.beside = Beside(self.timers, self.aside, self.told.append)         # type: ignore[arg-type]

    def asks(self, key: int, name: str = "mine") -> None:
        def done(result: int | None) -> None:
            self.ended.append((key, result))

        self.beside.run(key, name, partial(int, 10 * key), done)

    def hangs(self) -> None:
        """The call at work does not end, however often it is looked at."""
        for _ in range(3):
            self.timers.fire()


@pytest.fixture
def robot() -> Robot:
    return Robot()


def test_calls_are_made_one_after_the_other_and_those_not_wanted_any_more_are_not_made(robot: Robot) -> None:
    for key in (1, 2, 3):
        robot.asks(key)
    assert len(robot.aside.calls) == 1
    assert robot.beside.drop(2)
    robot.aside.end()
    robot.aside.end()
    assert (robot.ended, robot.aside.calls, robot.timers.waiting) == ([(1, 10), (3, 30)], [], [])
    assert not robot.beside.drop(3)


def test_what_is_dropped_at_work_still_holds_the_next_one_back_and_nobody_gets_its_result(robot: Robot) -> None:
    robot.asks(1)
    robot.asks(2)
    robot.beside.drop(1)
    assert len(robot.aside.calls) == 1
    robot.aside.end()
    robot.aside.end()
    assert robot.ended == [(2, 20)]


def test_a_call_that_does_not_end_is_given_up_once_for_its_name_and_others_go_on(robot: Robot) -> None:
    robot.asks(1)
    robot.asks(2, "other")
    robot.asks(3)
    late = robot.aside.calls[0]
    robot.hangs()
    assert (robot.ended, robot.told, robot.aside.given_up) == ([(1, None), (3, None)], ["mine"], 1)
    robot.aside.calls.pop(0)
    robot.aside.end()
    robot.asks(4)
    late[1](99)                                              # it ends after all
    assert robot.ended[2:] == [(2, 20), (4, None)]
    assert (robot.aside.calls, len(robot.beside), robot.timers.waiting) == ([], 0, [])


def test_a_process_that_was_held_up_gives_nothing_up(robot: Robot) -> None:
    robot.asks(1)
    robot.timers.fire()                                      # once, however long it was held up
    robot.aside.end()
    assert (robot.ended, robot.told) == ([(1, 10)], [])
