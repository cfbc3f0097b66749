"""One process in virtual time: its clock, its timers, its machine. Many share one timeline."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from swarm.core.policy.lateness import Lateness
from swarm.core.ports import Health
from swarm.core.units import ns, seconds
from swarm.virtual.timeline import Event, Timeline

EPOCH_S = 1_800_000_000.0            # the date at which every run in virtual time begins, seconds since 1970
HELD_UP_NS = ns(1.0)
ZERO_NS = ns(1000.0)                 # between the zeros of the clocks of two processes


class Repeating:
    """The handle of a repeated call."""

    __slots__ = ("cancelled",)

    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class VirtualProcess:
    """A process: the ports clock, timers and machine. pid: counts the processes of the run, from 1 on.

    Each clock has a zero of its own: a reading that travels to another process makes no sense there. clock_step_s: the
    error of its wall clock at its start. ended: called with its exit code after it has stopped itself.
    """

    def __init__(
        self, timeline: Timeline, name: str, role: str, pid: int, ended: Callable[[VirtualProcess], None],
        clock_step_s: float = 0.0,
    ) -> None:
        self.timeline, self.name, self.role, self.pid, self._ended = timeline, name, role, pid, ended
        self.alive = True
        self.returncode: int | None = None
        self.backlog: list[Event] | None = None
        self.busy_ns = 0
        self.lateness = Lateness()
        self.sends_ns = 0            # on the timeline: what it sends before leaves then
        self._zero_ns = ZERO_NS * pid
        self._step_s = clock_step_s
        self._since_ns = 0           # of the present pause
        self.paused_ns = 0           # in all, until the last `resume`
        self._held_up: Callable[[float], None] = lambda for_s: None

    # --- clock and timers ---

    def now_ns(self) -> int:
        return self.timeline.now_ns + self._zero_ns

    def at(self, when_ns: int, callback: Callable[[], None]) -> Event:
        return self.timeline.at(when_ns - self._zero_ns, self, callback)

    def after(self, delay_ns: int, callback: Callable[[], None]) -> Event:
        return self.timeline.at(self.timeline.now_ns + delay_ns, self, callback)

    def every(self, period_ns: int, callback: Callable[[], None]) -> Repeating:
        handle, due = Repeating(), self.timeline.now_ns + period_ns

        def fire() -> None:
            nonlocal due
            if handle.cancelled:
                return
            due += period_ns * ((self.timeline.now_ns - due) // period_ns + 1)
            self.timeline.at(due, self, fire)
            callback()

        self.timeline.at(due, self, fire)
        return handle

    # --- machine ---

    def new_boot(self) -> int:
        """As `WallClock.new_boot`: microseconds since 1970 by this process's wall clock."""
        return max(0, self.timeline.now_ns // 1000 + round((EPOCH_S + self._step_s) * 1e6) + self.pid)

    @property
    def secret(self) -> bytes:
        """Nobody looks for it."""
        return f"{self.name} {self.pid}".encode()[:32]

    def rss_bytes(self) -> int:
        """Not known: all processes share one."""
        return 0

    def health(self) -> Health:
        """Not known: no world says so."""
        return Health()

    def take(self, for_ns: int) -> None:
        """It computes for so long: what it sends meanwhile leaves after that."""
        self.sends_ns = self.timeline.now_ns + for_ns

    def step_wall_clock(self, step_s: float) -> None:
        self._step_s = step_s

    def on_held_up(self, told: Callable[[float], None]) -> None:
        self._held_up = told

    def stop(self) -> None:
        self.after(0, self._stop)

    def _stop(self) -> None:
        self.end()
        self._ended(self)

    # --- what the run does to it ---

    def end(self) -> None:
        """None of its calls happens any more."""
        self.alive = False

    def pause(self) -> None:
        """Nothing of it happens until `resume`."""
        if self.backlog is None:
            self.backlog, self._since_ns = [], self.timeline.now_ns

    def resume(self) -> None:
        """What has fallen due meanwhile happens now, in order; the process is told how long it was held up."""
        backlog, self.backlog = self.backlog, None
        if backlog is None:
            return
        late_ns = self.timeline.now_ns - self._since_ns
        self.paused_ns += late_ns
        if late_ns > HELD_UP_NS:
            self.after(0, partial(self._held_up, seconds(late_ns)))
        for event in backlog:
            self.lateness.add(self.timeline.now_ns - event.at_ns)
        # the same events: whoever holds one may still cancel it
        self.timeline.again([event for event in backlog if event.callback is not None])
