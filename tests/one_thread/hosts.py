"""Hosts of many processes in one thread on a clock of their own: the ports of `swarm/core/ports.py`, without a machine.

A `Stage` holds the clock and the events to come; each process on it has a `FakeHost`. Messages pass the real codec and
take a fixed time.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from numpy.typing import NDArray

from swarm.core.policy.link import LinkEstimator
from swarm.core.ports import Health, Host, Received, Traffic
from swarm.core.protocol.messages import Body, InjectedFaults, Member
from swarm.core.protocol.wire import PROTOCOL, Envelope, contiguous, decode, encode, header_of
from swarm.core.units import ns
from tests.clock import FakeClock
from tests.one_thread.timers import FakeTimer, FakeTimers

LATENCY_S = 0.001                    # of a message, however large
SWARM = "stage"


class ProcessTime:
    """Clock and timers of one process. The clock has a zero of its own: a reading that travels is found out.

    Calls that a process has asked for do not happen after its end.
    """

    def __init__(self, timers: FakeTimers, zero_ns: int, alive: Callable[[], bool]) -> None:
        self._timers, self._zero_ns, self._alive = timers, zero_ns, alive
        self.lateness = timers.lateness                      # of the whole stage

    def now_ns(self) -> int:
        return self._timers.clock.at_ns + self._zero_ns

    def at(self, when_ns: int, callback: Callable[[], None]) -> FakeTimer:
        return self._timers.at(when_ns - self._zero_ns, self._guarded(callback))

    def after(self, delay_ns: int, callback: Callable[[], None]) -> FakeTimer:
        return self._timers.after(delay_ns, self._guarded(callback))

    def every(self, period_ns: int, callback: Callable[[], None]) -> FakeTimer:
        return self._timers.every(period_ns, self._guarded(callback))

    def _guarded(self, callback: Callable[[], None]) -> Callable[[], None]:
        return lambda: callback() if self._alive() else None


class FakeTransport:
    """One process's end of the stage's network: what is sent to a joined member arrives after the stage's latency."""

    def __init__(self, stage: Stage, member: Member, zero_ns: int) -> None:
        self.member = member
        self.sent: list[tuple[str, Body]] = []               # to whom and what, of all that was accepted
        self.injected: list[InjectedFaults] = []
        self.heard_only: list[list[str]] = []
        self.limits = 0, 0
        self.admitted: set[str] | None = None                # who may join; None: all
        self._stage, self._zero_ns = stage, zero_ns
        self._joined: dict[str, Member] = {}
        self._links: dict[str, LinkEstimator] = {}
        self._received: Callable[[Received], None] = lambda message: None
        self._messages = self._bytes = 0

    def attach(
        self, received: Callable[[Received], None],
        undelivered: Callable[[str, Hashable, str], None] = lambda to, tag, reason: None,
    ) -> None:
        self._received = received

    def join(self, members: Sequence[Member]) -> None:
        for member in members:
            if member.name != self.member.name and self._joined.get(member.name) != member:
                self.leave(member.name)
                self._joined[member.name], self._links[member.name] = member, LinkEstimator()

    def admits(self, member: Member) -> bool:
        return self.admitted is None or member.name in self.admitted

    def limit_transfers(self, most_bytes: int, most_bytes_in_all: int) -> None:
        self.limits = most_bytes, most_bytes_in_all

    def leave(self, name: str) -> None:
        self._joined.pop(name, None)
        self._links.pop(name, None)

    def peers(self, *roles: str) -> list[str]:
        return [name for name, member in self._joined.items() if not roles or member.role in roles]

    def role(self, name: str) -> str:
        return self._joined[name].role if name in self._joined else ""

    def where(self, name: str) -> Member | None:
        return self._joined.get(name)

    def send(
        self, to: str, body: Body, tensors: Sequence[NDArray[Any]] = (), budget_s: float | None = None,
        tag: Hashable = None,
    ) -> bool:
        stage = self._stage
        target = stage.transports.get(to)
        if to not in self._joined or target is None or not stage.has(self):
            return False
        arrays = [contiguous(tensor) for tensor in tensors]
        frames = [bytes(frame) for frame in encode(Envelope(
            v=PROTOCOL, swarm=SWARM, sender=self.member.name, boot=self.member.boot, body=body, budget_s=budget_s,
            tensors=[header_of(tensor) for tensor in arrays]), arrays)]
        self._messages, self._bytes = self._messages + 1, self._bytes + sum(map(len, frames))
        self.sent.append((to, body))
        if not {to, self.member.name} & stage.silent:
            stage.timers.after(stage.latency_ns, lambda: target.arrived(frames))
        return True

    def cancel(self, to: str, tag: Hashable) -> bool:
        return False                                         # what was sent is on its way

    def arrived(self, frames: Sequence[bytes]) -> None:
        """A message of another process is here."""
        if self._stage.has(self):
            envelope, tensors = decode(frames)
            self.receive(envelope.sender, envelope.body, envelope.boot, tensors, envelope.budget_s)

    def receive(
        self, sender: str, body: Body, boot: int = 1, tensors: Sequence[NDArray[Any]] = (),
        budget_s: float | None = None, waited_s: float = 0.0,
    ) -> None:
        """Hand over a message from whomever; it has waited this long in its socket before it is looked at."""
        now = self._stage.clock.at_ns + self._zero_ns
        self._stage.clock.advance(waited_s)
        self._received(Received(sender, boot, body, list(tensors), budget_s, now, now))

    def link(self, name: str) -> LinkEstimator | None:
        return self._links.get(name)

    def inject(self, faults: InjectedFaults) -> None:
        self.injected.append(faults)

    def hear_only(self, members: Collection[str]) -> None:
        self.heard_only.append(sorted(members))

    def traffic(self) -> Traffic:
        return Traffic(refused=0, control_bytes=self._bytes, messages=self._messages, size_bytes=self._bytes,
                       broken_off=0)


class FakeMachine:
    """A process that is none: `stop` takes it off the stage."""

    def __init__(self, stage: Stage, name: str, pid: int) -> None:
        self._stage, self._name, self.pid = stage, name, pid
        self.stopped, self.step_s = False, 0.0
        self.is_so = Health()
        self.held_up: Callable[[float], None] = lambda for_s: None

    @property
    def secret(self) -> bytes:
        return b"secret"

    def rss_bytes(self) -> int:
        return 1 << 20

    def health(self) -> Health:
        return self.is_so

    def step_wall_clock(self, step_s: float) -> None:
        self.step_s = step_s

    def on_held_up(self, told: Callable[[float], None]) -> None:
        self.held_up = told

    def stop(self) -> None:
        self.stopped = True
        self._stage.end(self._name)


class FakeFiles:
    """A folder in memory."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}

    def write(self, name: str, content: bytes) -> None:
        self.content[name] = content


@dataclass(frozen=True)
class FakeHost(Host):
    """All ports of one process on a stage. `got` are the messages that came, unless a policy is attached to it."""

    transport: FakeTransport
    machine: FakeMachine
    files: FakeFiles = field(default_factory=FakeFiles)
    got: list[Received] = field(default_factory=list)

    def sent(self, kind: type[Body]) -> list[tuple[str, Body]]:
        """To whom and what, of this kind."""
        return [(to, body) for to, body in self.transport.sent if isinstance(body, kind)]


class Stage:
    """A clock, its events, and the processes that are on it. `ended` is told of each that stops."""

    def __init__(self, latency_s: float = LATENCY_S) -> None:
        self.clock = FakeClock()
        self.timers = FakeTimers(self.clock)
        self.latency_ns = ns(latency_s)
        self.transports: dict[str, FakeTransport] = {}
        self.silent: set[str] = set()                        # members that nothing reaches and that reach nobody
        self.ended: Callable[[str], None] = lambda name: None
        self._pids = itertools.count(1)

    def host(self, name: str, role: str = "agent", zero_ns: int = 0) -> FakeHost:
        """The host of a new process, whose clock shows `zero_ns` when the stage's shows 0."""
        pid = next(self._pids)
        return self._host(pid, zero_ns, Member(
            name=name, role=role, urgent=f"tcp://127.0.0.1:{pid}", bulk=f"tcp://127.0.0.1:{pid + 10_000}", boot=pid))

    def host_of(self, member: Member, zero_ns: int = 0) -> FakeHost:
        """The host of a new process that others know as this member."""
        return self._host(next(self._pids), zero_ns, member)

    def _host(self, pid: int, zero_ns: int, member: Member) -> FakeHost:
        transport = self.transports[member.name] = FakeTransport(self, member, zero_ns)
        time = ProcessTime(self.timers, zero_ns, lambda: self.has(transport))
        host = FakeHost(time, time, transport, FakeMachine(self, member.name, pid))
        transport.attach(host.got.append)
        return host

    def has(self, transport: FakeTransport) -> bool:
        """Whether this process is on the stage still."""
        return self.transports.get(transport.member.name) is transport

    def end(self, name: str) -> None:
        """A process is over: nothing reaches it any more."""
        if self.transports.pop(name, None) is not None:
            self.timers.after(0, lambda: self.ended(name))

    def until(self, condition: Callable[[], bool], most_s: float = 60.0) -> None:
        """Let time pass until a condition holds. Fails when it does not hold after so much of the stage's time."""
        assert self.timers.run(condition, self.clock.at_ns + ns(most_s)), f"it does not hold after {most_s} s"

    def wait(self, wait_s: float) -> None:
        """Let this much of the stage's time pass."""
        self.timers.wait(wait_s)


def bits(value: Any) -> bytes:
    """A value as bytes that are the same where the value is."""
    return msgspec.msgpack.encode(value, order="deterministic")
