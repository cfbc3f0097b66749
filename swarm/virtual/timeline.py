"""The events of a run in virtual time: one queue in integer nanoseconds with a total order."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Protocol

MASK = (1 << 64) - 1
EARLIER = -MASK                      # in the order of one time: what was due before it
HELD_UP_IN = 64                      # one of so many turns finds the loop held up


class Owner(Protocol):
    """Whose events they are: a process, which may be paused or ended."""

    name: str
    pid: int
    alive: bool
    backlog: list[Event] | None      # while it is paused: the events that have fallen due, in order
    busy_ns: int                     # its loop is held up until then


class Event:
    """A call at a time; `cancel` may be called at any time, and twice."""

    __slots__ = ("at_ns", "callback", "lane", "owner")

    def __init__(self, at_ns: int, owner: Owner, callback: Callable[[], None], lane: Hashable = None) -> None:
        self.at_ns, self.owner, self.lane = at_ns, owner, lane
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Timeline:
    """The clock and the events to come. Events of one time happen in the order in which they were set.

    shuffle: a seed by which the processes take turns at each time, in place of that; None: they do not. The events of
    one process keep their order, as those of a real loop do; between processes nobody promises one. By the same seed
    a loop is now and then held up for up to `late_ns`, and what a paused process has missed is mixed.
    """

    def __init__(self, shuffle: int | None = None, late_ns: int = 0) -> None:
        self.now_ns = 0
        self.happened = 0                            # events so far
        self.current: Event | None = None            # the one that happens, or has happened last
        self._shuffle, self._late_ns = shuffle, late_ns
        self._heap: list[tuple[Any, ...]] = []
        self._order = 0

    def at(self, when_ns: int, owner: Owner, callback: Callable[[], None], lane: Hashable = None) -> Event:
        """Call back once, at `when_ns`, or now if that is past. lane: whose order a pause keeps; None: that of timers.
        """
        event = Event(when_ns, owner, callback, lane)
        self._push(when_ns if when_ns > self.now_ns else self.now_ns, event)
        return event

    def again(self, missed: Sequence[Event]) -> None:
        """The events that a paused process has missed happen now: in order, or in one that its loop could take.

        A loop reads its lanes in any order, and each in the order of sending.
        """
        lanes: dict[Hashable, deque[Event]] = {}
        for event in missed:
            lanes.setdefault(event.lane if self._shuffle is not None else None, deque()).append(event)
        for number in range(len(missed)):
            lane = list(lanes)[_turn(self._shuffle or 0, number, self.now_ns) % len(lanes)]
            self._push(self.now_ns, lanes[lane].popleft())
            if not lanes[lane]:
                del lanes[lane]

    def step(self) -> bool:
        """Let the next event happen. False: there is none."""
        while self._heap:
            when_ns, turn, _, event = heapq.heappop(self._heap)
            callback, owner = event.callback, event.owner
            if callback is None or not owner.alive:
                continue
            self.now_ns = when_ns
            if owner.backlog is not None:
                owner.backlog.append(event)
                continue
            if self._late_ns and when_ns >= owner.busy_ns and not turn % HELD_UP_IN:
                owner.busy_ns = when_ns + (turn >> 32) % self._late_ns
            if when_ns < owner.busy_ns:
                self._push(owner.busy_ns, event, EARLIER)
                continue
            event.callback = None
            self.current = event
            self.happened += 1
            callback()
            return True
        return False

    def _push(self, when_ns: int, event: Event, order: int = 0) -> None:
        self._order += 1
        turn = 0 if self._shuffle is None else _turn(self._shuffle, event.owner.pid, when_ns)
        heapq.heappush(self._heap, (when_ns, turn, order + self._order, event))

    def to_come(self) -> Iterator[Event]:
        """Events to come of processes that are alive, in no order, without those that were cancelled."""
        return (event for *_, event in self._heap if event.callback is not None and event.owner.alive)

    def __len__(self) -> int:
        """Events to come, with those that were cancelled."""
        return len(self._heap)


def _turn(seed: int, pid: int, when_ns: int) -> int:
    """The turn of a process at a time: evenly spread, and the same in every process. The mixing is splitmix64's."""
    z = (seed * 0x9E3779B97F4A7C15 + pid * 0xD1342543DE82EF95 + when_ns) & MASK
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
    return z ^ z >> 31
