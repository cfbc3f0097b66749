"""The events of a run in virtual time: one queue in integer nanoseconds with a total order."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any, Protocol


class Owner(Protocol):
    """Whose events they are: a process, which may be paused or ended."""

    name: str
    alive: bool
    backlog: list[Event] | None      # while it is paused: the events that have fallen due, in order


class Event:
    """A call at a time; `cancel` may be called at any time, and twice."""

    __slots__ = ("at_ns", "callback", "owner")

    def __init__(self, at_ns: int, owner: Owner, callback: Callable[[], None]) -> None:
        self.at_ns, self.owner = at_ns, owner
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Timeline:
    """The clock and the events to come. Events of one time happen in the order in which they were set.

    tie: gives each event a number by which events of one time are ordered before that; None: all have the same. An
    explorer draws it, since a real loop promises no order between processes.
    """

    def __init__(self, tie: Callable[[], float] | None = None) -> None:
        self.now_ns = 0
        self.happened = 0                            # events so far
        self.current: Event | None = None            # the one that happens, or has happened last
        self._tie = tie
        self._heap: list[tuple[Any, ...]] = []
        self._order = 0

    def at(self, when_ns: int, owner: Owner, callback: Callable[[], None]) -> Event:
        """Call back once, at `when_ns`, or now if that is past."""
        event = Event(when_ns, owner, callback)
        self._order += 1
        if when_ns < self.now_ns:
            when_ns = self.now_ns
        heapq.heappush(self._heap, (when_ns, self._tie() if self._tie else 0, self._order, event))
        return event

    def again(self, event: Event) -> None:
        """An event that a paused process has missed happens now."""
        self._order += 1
        heapq.heappush(self._heap, (self.now_ns, self._tie() if self._tie else 0, self._order, event))

    def step(self) -> bool:
        """Let the next event happen. False: there is none."""
        while self._heap:
            when_ns, _, _, event = heapq.heappop(self._heap)
            callback, owner = event.callback, event.owner
            if callback is None or not owner.alive:
                continue
            self.now_ns = when_ns
            if owner.backlog is not None:
                owner.backlog.append(event)
                continue
            event.callback = None
            self.current = event
            self.happened += 1
            callback()
            return True
        return False

    def __len__(self) -> int:
        """Events to come, with those that were cancelled."""
        return len(self._heap)
