"""Timers of a fake clock: the events to come, of one policy or of all processes of a stage.

Events of one time happen in the order of asking, so the same run is the same each time.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

from swarm.core.policy.lateness import Lateness
from swarm.core.units import ns
from tests.clock import FakeClock


class FakeTimer:
    """A call at a time."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class FakeTimers:
    """The events to come."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.lateness = Lateness()
        self._heap: list[tuple[int, int, FakeTimer]] = []
        self._order = itertools.count()

    def at(self, when_ns: int, callback: Callable[[], None]) -> FakeTimer:
        timer = FakeTimer(callback)
        heapq.heappush(self._heap, (max(when_ns, self.clock.at_ns), next(self._order), timer))
        return timer

    def after(self, delay_ns: int, callback: Callable[[], None]) -> FakeTimer:
        return self.at(self.clock.at_ns + delay_ns, callback)

    def every(self, period_ns: int, callback: Callable[[], None]) -> FakeTimer:
        handle = FakeTimer(callback)

        def fire() -> None:
            if handle.callback is not None:
                self.after(period_ns, fire)
                callback()

        self.after(period_ns, fire)
        return handle

    def run(self, until: Callable[[], bool], most_ns: int) -> bool:
        """Let time pass until something is so. False: it was not by `most_ns`, or nothing is left to happen."""
        while not until():
            if not self._is_next_by(most_ns):
                return False
            self._next()
        return True

    def wait(self, wait_s: float) -> None:
        """Let this much time pass."""
        end_ns = self.clock.at_ns + ns(wait_s)
        while self._is_next_by(end_ns):
            self._next()
        self.clock.at_ns = max(self.clock.at_ns, end_ns)

    def _is_next_by(self, end_ns: int) -> bool:
        return bool(self._heap) and self._heap[0][0] <= end_ns

    def _next(self) -> None:
        when_ns, _, timer = heapq.heappop(self._heap)
        self.clock.at_ns = max(self.clock.at_ns, when_ns)            # a callback may have moved the clock itself
        callback, timer.callback = timer.callback, None
        if callback is not None:
            self.lateness.add(self.clock.at_ns - when_ns)
            callback()
