"""A host for policy in one thread and in fake time: what it sends is kept, its timers fire when time passes."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from numpy.typing import NDArray

from swarm.core.policy.link import LinkEstimator, LinkQuality
from swarm.core.ports import Host, Received, Traffic
from swarm.core.protocol.messages import Body, InjectedFaults, Member
from swarm.core.units import ns
from tests.clock import FakeClock


class FakeTimer:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class FakeTimers:
    """Timers of a fake clock, in the order of their times."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock, self._order = clock, itertools.count()
        self._due: list[tuple[int, int, FakeTimer]] = []

    def at(self, when_ns: int, callback: Callable[[], None]) -> FakeTimer:
        timer = FakeTimer(callback)
        heapq.heappush(self._due, (when_ns, next(self._order), timer))
        return timer

    def after(self, delay_ns: int, callback: Callable[[], None]) -> FakeTimer:
        return self.at(self._clock.now_ns() + delay_ns, callback)

    def every(self, period_ns: int, callback: Callable[[], None]) -> FakeTimer:
        handle = FakeTimer(callback)

        def fire() -> None:
            if handle.callback is not None:
                self.after(period_ns, fire)
                callback()

        self.after(period_ns, fire)
        return handle

    def run_until(self, end_ns: int) -> None:
        while self._due and self._due[0][0] <= end_ns:
            self._clock.at_ns, _, timer = heapq.heappop(self._due)
            callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()
        self._clock.at_ns = end_ns


class FakeTransport:
    """Keeps what is sent; `closed` names members that cannot be reached."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self.members: dict[str, Member] = {}
        self.estimators: dict[str, LinkEstimator] = {}
        self.sent: list[tuple[str, Body]] = []
        self.closed: set[str] = set()
        self.injected: list[InjectedFaults] = []
        self.receive: Callable[[Received], None] = lambda message: None

    @property
    def member(self) -> Member:
        return self._member

    def attach(
        self, received: Callable[[Received], None],
        undelivered: Callable[[str, Hashable, str], None] = lambda to, tag, reason: None,
    ) -> None:
        self.receive = received

    def join(self, members: Sequence[Member]) -> None:
        for member in members:
            if member.name != self._member.name and self.members.get(member.name) != member:
                self.leave(member.name)
                self.members[member.name], self.estimators[member.name] = member, LinkEstimator()

    def leave(self, name: str) -> None:
        self.members.pop(name, None)
        self.estimators.pop(name, None)

    def peers(self, *roles: str) -> list[str]:
        return [name for name, member in self.members.items() if not roles or member.role in roles]

    def role(self, name: str) -> str:
        return self.members[name].role if name in self.members else ""

    def where(self, name: str) -> Member | None:
        return self.members.get(name)

    def send(
        self, to: str, body: Body, tensors: Sequence[NDArray[Any]] = (), budget_s: float | None = None,
        tag: Hashable = None,
    ) -> bool:
        if to not in self.members or to in self.closed:
            return False
        self.sent.append((to, body))
        return True

    def cancel(self, to: str, tag: Hashable) -> bool:
        return False

    def link(self, name: str) -> LinkEstimator | None:
        return self.estimators.get(name)

    def links(self) -> dict[str, LinkQuality]:
        return {name: estimator.quality for name, estimator in self.estimators.items()}

    def inject(self, faults: InjectedFaults) -> None:
        self.injected.append(faults)

    def traffic(self) -> Traffic:
        return Traffic(refused=0, control_bytes=0, messages=len(self.sent), size_bytes=0, broken_off=0)


class FakeMachine:
    """A process that runs until it is stopped."""

    def __init__(self) -> None:
        self.pid, self.stopped, self.step_s = 4711, False, 0.0

    def rss_bytes(self) -> int:
        return 0

    def battery(self) -> float | None:
        return None

    def step_wall_clock(self, step_s: float) -> None:
        self.step_s = step_s

    def stop(self) -> None:
        self.stopped = True


class FakeHost:
    """All ports of one process: `host` is what policy stands on."""

    def __init__(self, member: Member) -> None:
        self.clock = FakeClock(ns(100.0))
        self.timers = FakeTimers(self.clock)
        self.transport, self.machine = FakeTransport(member), FakeMachine()
        self.host = Host(self.clock, self.timers, self.transport, self.machine)

    def passes(self, for_s: float) -> None:
        """Time passes; timers fire on the way."""
        self.timers.run_until(self.clock.now_ns() + ns(for_s))

    def hears(self, sender: str, body: Body, boot: int = 1, waited_s: float = 0.0) -> None:
        """A message comes; it has waited this long in its socket before it is looked at."""
        now = self.clock.now_ns()
        self.clock.advance(waited_s)
        self.transport.receive(Received(sender, boot, body, [], None, now, now))

    def sent(self, kind: type[Body]) -> list[tuple[str, Body]]:
        """To whom and what, of this kind."""
        return [(to, body) for to, body in self.transport.sent if isinstance(body, kind)]
