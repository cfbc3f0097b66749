"""Hosts of many processes in one thread on a clock of their own: the ports of `swarm/core/ports.py`, without a machine.

A `Stage` holds the clock and the events to come; each process on it has a `Host`. Messages pass the real codec and take
a fixed time. Events of one time happen in the order of asking, so the same run is the same each time.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import msgspec
from numpy.typing import NDArray

from swarm.core.policy.link import LinkEstimator, LinkQuality
from swarm.core.ports import Host, Received, Traffic
from swarm.core.protocol.messages import Body, InjectedFaults, Member
from swarm.core.protocol.wire import PROTOCOL, Envelope, contiguous, decode, encode, header_of
from swarm.core.units import ns
from tests.clock import FakeClock

TRIP_NS = ns(0.001)                  # of a message, however large
SWARM = "stage"


class FakeTimer:
    """A call at a time."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class FakeTimers:
    """The events to come, of all processes; as a port it gives each its timers."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
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
            if not self._heap or self._heap[0][0] > most_ns:
                return False
            when_ns, _, timer = heapq.heappop(self._heap)
            self.clock.at_ns = max(self.clock.at_ns, when_ns)        # a callback may have moved the clock itself
            callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()
        return True


class ProcessTimers:
    """The timers of one process: what it has asked for does not happen after its end."""

    def __init__(self, timers: FakeTimers, alive: Callable[[], bool]) -> None:
        self._timers, self._alive = timers, alive

    def at(self, when_ns: int, callback: Callable[[], None]) -> FakeTimer:
        return self._timers.at(when_ns, self._guarded(callback))

    def after(self, delay_ns: int, callback: Callable[[], None]) -> FakeTimer:
        return self._timers.after(delay_ns, self._guarded(callback))

    def every(self, period_ns: int, callback: Callable[[], None]) -> FakeTimer:
        return self._timers.every(period_ns, self._guarded(callback))

    def _guarded(self, callback: Callable[[], None]) -> Callable[[], None]:
        return lambda: callback() if self._alive() else None


class FakeTransport:
    """One process's end of the stage's network: what is sent to a joined member arrives after `TRIP_NS`."""

    def __init__(self, stage: Stage, member: Member) -> None:
        self.member = member
        self._stage = stage
        self._peers: dict[str, Member] = {}
        self._links: dict[str, LinkEstimator] = {}
        self._received: Callable[[Received], None] = lambda message: None
        self._refused = self._messages = self._bytes = 0

    def attach(
        self, received: Callable[[Received], None],
        undelivered: Callable[[str, Hashable, str], None] = lambda to, tag, reason: None,
    ) -> None:
        self._received = received

    def join(self, members: Sequence[Member]) -> None:
        for member in members:
            if member.name != self.member.name and self._peers.get(member.name) != member:
                self._peers[member.name], self._links[member.name] = member, LinkEstimator()

    def leave(self, name: str) -> None:
        self._peers.pop(name, None)
        self._links.pop(name, None)

    def peers(self, *roles: str) -> list[str]:
        return [name for name, member in self._peers.items() if not roles or member.role in roles]

    def role(self, name: str) -> str:
        return self._peers[name].role if name in self._peers else ""

    def where(self, name: str) -> Member | None:
        return self._peers.get(name)

    def send(
        self, to: str, body: Body, tensors: Sequence[NDArray[Any]] = (), budget_s: float | None = None,
        tag: Hashable = None,
    ) -> bool:
        target = self._stage.transports.get(to)
        if to not in self._peers or target is None or self._stage.transports.get(self.member.name) is not self:
            return False
        arrays = [contiguous(tensor) for tensor in tensors]
        frames = encode(Envelope(
            v=PROTOCOL, swarm=SWARM, sender=self.member.name, boot=self.member.boot, body=body, budget_s=budget_s,
            tensors=[header_of(tensor) for tensor in arrays]), arrays)
        self._messages, self._bytes = self._messages + 1, self._bytes + sum(map(len, frames))
        self._stage.timers.after(TRIP_NS, lambda: target.arrived([bytes(frame) for frame in frames]))
        return True

    def cancel(self, to: str, tag: Hashable) -> bool:
        return False

    def arrived(self, frames: Sequence[bytes]) -> None:
        """A message of another process is here."""
        if self._stage.transports.get(self.member.name) is not self:
            return                                   # this process has ended
        envelope, tensors = decode(frames)
        now = self._stage.clock.at_ns
        self._received(Received(envelope.sender, envelope.boot, envelope.body, tensors, envelope.budget_s, now, now))

    def link(self, name: str) -> LinkEstimator | None:
        return self._links.get(name)

    def links(self) -> dict[str, LinkQuality]:
        return {name: link.quality for name, link in self._links.items()}

    def inject(self, faults: InjectedFaults) -> None:
        pass

    def traffic(self) -> Traffic:
        return Traffic(refused=0, control_bytes=self._bytes, messages=self._messages, size_bytes=self._bytes,
                       broken_off=0)


class FakeMachine:
    """A process that is none: `stop` takes it off the stage."""

    def __init__(self, stage: Stage, name: str, pid: int) -> None:
        self._stage, self._name, self.pid = stage, name, pid

    def rss_bytes(self) -> int:
        return 1 << 20

    def battery(self) -> float | None:
        return None

    def step_wall_clock(self, step_s: float) -> None:
        pass

    def stop(self) -> None:
        self._stage.end(self._name)


class FakeFiles:
    """A folder in memory."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}

    def write(self, name: str, content: bytes) -> None:
        self.content[name] = content


class Stage:
    """A clock, its events, and the processes that are on it. `ended` is told of each that stops."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.timers = FakeTimers(self.clock)
        self.transports: dict[str, FakeTransport] = {}
        self.ended: Callable[[str], None] = lambda name: None
        self._pids = itertools.count(1)

    def host(self, name: str, role: str) -> Host:
        """The host of a new process."""
        pid = next(self._pids)
        member = Member(name=name, role=role, urgent=f"tcp://127.0.0.1:{pid}", bulk=f"tcp://127.0.0.1:{pid + 10_000}",
                        boot=pid)
        transport = self.transports[name] = FakeTransport(self, member)
        timers = ProcessTimers(self.timers, lambda: self.transports.get(name) is transport)
        return Host(self.clock, timers, transport, FakeMachine(self, name, pid))

    def end(self, name: str) -> None:
        """A process is over: nothing reaches it any more."""
        if self.transports.pop(name, None) is not None:
            self.timers.after(0, lambda: self.ended(name))


def bits(value: Any) -> bytes:
    """A value as bytes that are the same where the value is."""
    return msgspec.msgpack.encode(value, order="deterministic")
