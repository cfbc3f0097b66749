"""Calls beside the loop that take long, or never end: what a user's task does, and the preparation of large pictures.

One call at a time, in order. One that does not end is given up: its thread is left to itself, and no other call of its
name is made, so that each name leaves one thread behind at most. Deterministic.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, TypeVar

import msgspec

from agents.ports import Aside
from swarm.core.ports import Timer, Timers
from swarm.core.units import ns

LOOK_S, LOOKS = 1.0, 3               # it looks so often before it gives up: a process that was held up looks but once

T = TypeVar("T")


class _Call(msgspec.Struct):
    name: str
    call: Callable[[], Any]
    done: Callable[[Any], None]
    looks: int = 0                   # since it began
    timer: Timer | None = None


class Beside:
    """aside: gets one call at a time. gave_up: told the name of each call that was given up."""

    def __init__(self, timers: Timers, aside: Aside, gave_up: Callable[[str], None]) -> None:
        self._timers, self._aside, self._gave_up = timers, aside, gave_up
        self._calls: dict[Hashable, _Call] = {}      # by key, in order
        self._at_work: _Call | None = None
        self._stuck: list[str] = []                  # names of calls that never ended

    def __len__(self) -> int:
        return len(self._calls)

    def run(self, key: Hashable, name: str, call: Callable[[], T], done: Callable[[T | None], None]) -> None:
        """`done` gets the result in the policy's thread, perhaps from within; None: a call of its name never ended."""
        if name in self._stuck:
            done(None)
            return
        self._calls[key] = _Call(name, call, done)
        self._next()

    def drop(self, key: Hashable) -> bool:
        """The result of a call is not wanted any more. Returns False if there is no such call."""
        return self._calls.pop(key, None) is not None

    def _next(self) -> None:
        if self._at_work is not None or not self._calls:
            return
        key, call = next(iter(self._calls.items()))
        self._at_work = call
        self._aside.run(call.call, partial(self._done, key, call))
        if self._at_work is call:
            self._look_later(key, call)

    def _done(self, key: Hashable, call: _Call, result: Any) -> None:
        if self._at_work is not call:
            return                                   # it was given up
        if call.timer is not None:
            call.timer.cancel()
        self._at_work = None
        self._end(key, call, result)
        self._next()

    def _end(self, key: Hashable, call: _Call, result: Any) -> None:
        if self._calls.get(key) is call:             # else it was dropped
            del self._calls[key]
            call.done(result)

    def _look_later(self, key: Hashable, call: _Call) -> None:
        call.timer = self._timers.after(ns(LOOK_S), partial(self._look, key, call))

    def _look(self, key: Hashable, call: _Call) -> None:
        """The call has not ended yet."""
        call.looks += 1
        if call.looks < LOOKS:
            self._look_later(key, call)
            return
        self._aside.give_up()
        self._at_work = None
        self._stuck.append(call.name)
        self._gave_up(call.name)
        for waiting, other in [(key, call), *self._calls.items()]:
            if other.name == call.name:
                self._end(waiting, other, None)
        self._next()
