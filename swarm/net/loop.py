"""The event loop of every process: sockets, descriptors, timers, and calls posted by other threads, in one thread."""

from __future__ import annotations

import collections
import heapq
import itertools
import os
from collections.abc import Callable
from typing import Any

import msgspec
import zmq

from swarm.core.policy.lateness import Lateness
from swarm.core.ports import Clock
from swarm.core.units import ns, seconds

HELD_UP_NS = ns(1.0)                 # if a timer is later than this, the process did not run


class LoopStatistics(msgspec.Struct, frozen=True):
    """Counts since the loop was made."""

    turns: int
    timers: int


class Timer:
    """A call at a time; `cancel` may be called at any time, and twice."""

    __slots__ = ("at_ns", "callback")

    def __init__(self, at_ns: int, callback: Callable[[], None]) -> None:
        self.at_ns = at_ns
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Loop:
    """Single-threaded event loop on `zmq.Poller`. Only `post` and `stop` may be called from other threads.

    busy_poll_s: after each turn, poll this long before sleeping. A message that arrives meanwhile is handled without
    the latency of a wake-up, at the cost of this much CPU time per turn.
    held_up: an attribute to set. It is called with the seconds for which the loop did not run, if they are more than 1.
    """

    def __init__(self, clock: Clock, busy_poll_s: float = 0.0) -> None:
        self.clock = clock
        self.lateness = Lateness()               # of its timers
        self._busy_poll_ns = ns(busy_poll_s)
        self._skip_busy_poll = False             # in this turn
        self._poller = zmq.Poller()
        self._callbacks: dict[Any, Callable[[], None]] = {}
        self._timers: list[tuple[int, int, Timer]] = []
        self._order = itertools.count()
        self._posted: collections.deque[Callable[[], None]] = collections.deque()
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._running = False
        self._turns = self._fired = 0
        self._ran_ns = 0                         # when timers were last looked at
        self.held_up: Callable[[float], None] = lambda for_s: None       # called before the late timers
        self.watch(self._wake_fd, self._run_posted)

    def watch(self, readable: zmq.Socket[Any] | int, callback: Callable[[], None]) -> None:
        """Call back whenever a socket or descriptor is readable."""
        self._poller.register(readable, zmq.POLLIN)
        self._callbacks[readable] = callback

    def unwatch(self, readable: zmq.Socket[Any] | int) -> None:
        self._poller.unregister(readable)
        del self._callbacks[readable]

    def at(self, when_ns: int, callback: Callable[[], None]) -> Timer:
        """Call back once, not before `when_ns`. Timers of the same time fire in the order in which they were set."""
        timer = Timer(max(when_ns, self.clock.now_ns()), callback)   # it is late since it was set, not since the boot
        heapq.heappush(self._timers, (when_ns, next(self._order), timer))
        return timer

    def after(self, delay_ns: int, callback: Callable[[], None]) -> Timer:
        return self.at(self.clock.now_ns() + delay_ns, callback)

    def every(self, period_ns: int, callback: Callable[[], None]) -> Timer:
        """Call back at a fixed rate from now on, until cancelled; a period that was missed is skipped, not made up."""
        due = self.clock.now_ns() + period_ns
        timer = Timer(due, callback)             # the caller's handle; never in the heap itself

        def fire() -> None:
            nonlocal due
            if timer.callback is None:
                return
            now = self.clock.now_ns()
            due += period_ns * ((now - due) // period_ns + 1)
            self.at(due, fire)
            callback()

        self.at(due, fire)
        return timer

    def post(self, callback: Callable[[], None]) -> None:
        """Run a call in the loop's thread, soon. Safe from any thread and from signal handlers."""
        self._posted.append(callback)
        os.eventfd_write(self._wake_fd, 1)

    def fail(self, error: BaseException) -> None:
        """Raise an error of another thread in the loop's thread, so that a bug in any thread crashes loudly.

        What is no Exception, as a SystemExit, would end the process without a word: it is raised as the cause of one.
        """
        def raise_it() -> None:
            if isinstance(error, Exception):
                raise error
            raise RuntimeError(f"{type(error).__name__} in a thread: {error}") from error

        self.post(raise_it)

    def stop(self) -> None:
        """End `run` after the current turn. Safe from any thread and from signal handlers."""
        self.post(self._stop)

    def skip_busy_poll(self) -> None:
        """Sleep at the end of this turn without busy polling, because other threads need the cores."""
        self._skip_busy_poll = True

    def run(self) -> None:
        """Run until `stop`. An exception in a callback ends the loop: a bug crashes loudly."""
        self._running, self._ran_ns = True, self.clock.now_ns()
        while self._running:
            for readable, _ in self._wait():
                callback = self._callbacks.get(readable)
                if callback is not None:         # an earlier callback of this turn may have unwatched it
                    callback()
            self._run_timers()
            self._turns += 1

    def close(self) -> None:
        os.close(self._wake_fd)

    def statistics(self) -> LoopStatistics:
        return LoopStatistics(self._turns, self._fired)

    def _stop(self) -> None:
        self._running = False

    def _wait(self) -> list[tuple[Any, int]]:
        """The sockets and descriptors that become readable before the next timer."""
        skip, self._skip_busy_poll = self._skip_busy_poll, False
        if self._busy_poll_ns and not skip:
            until = self.clock.now_ns() + self._busy_poll_ns
            while self.clock.now_ns() < until and self._timeout_ms() != 0:
                ready = self._poller.poll(0)
                if ready:
                    return ready
                os.sched_yield()                     # ZeroMQ's thread may need this core
        return self._poller.poll(self._timeout_ms())

    def _timeout_ms(self) -> int | None:
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return None
        return max(0, -(-(self._timers[0][0] - self.clock.now_ns()) // 1_000_000))

    def _run_timers(self) -> None:
        """Fire the timers that are due. Timers that their callbacks set wait for the next turn, after the sockets."""
        now = self.clock.now_ns()
        due: list[Timer] = []
        while self._timers and self._timers[0][0] <= now:
            due.append(heapq.heappop(self._timers)[2])
        late_ns, self._ran_ns = now - max(due[0].at_ns, self._ran_ns) if due else 0, now
        if late_ns > HELD_UP_NS:
            self.held_up(seconds(late_ns))
        for timer in due:
            callback, timer.callback = timer.callback, None
            if callback is not None:
                self.lateness.add(now - timer.at_ns)
                self._fired += 1
                callback()

    def _run_posted(self) -> None:
        os.eventfd_read(self._wake_fd)
        for _ in range(len(self._posted)):
            self._posted.popleft()()
