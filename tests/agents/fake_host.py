"""Hosts in one thread: a clock that jumps to the next event, messages with a fixed latency, runs of median length."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from numpy.typing import NDArray

from agents.ports import Made, RunEnd, RunnerStatistics, RunOrder
from agents.runtime.emulation import Emulation, Run, VariantTimes
from agents.runtime.offer import Offer
from swarm.core.policy.link import LinkEstimator, LinkQuality
from swarm.core.policy.plan import Leg
from swarm.core.ports import Host, Received, Traffic
from swarm.core.protocol.messages import Body, InjectedFaults, Member
from swarm.core.protocol.world import Detections
from swarm.core.units import ns, seconds
from tests.clock import FakeClock

LATENCY_S = 0.001


class FakeTimer:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class FakeNetwork:
    """The time that all hosts share, and the members that messages reach."""

    def __init__(self, latency_s: float = LATENCY_S) -> None:
        self.clock = FakeClock()
        self.latency_ns = ns(latency_s)
        self.transports: dict[str, FakeTransport] = {}
        self.silent: set[str] = set()                # members that nothing reaches and that reach nobody
        self._heap: list[tuple[int, int, FakeTimer]] = []
        self._order = itertools.count()

    def at(self, when_ns: int, callback: Callable[[], None]) -> FakeTimer:
        timer = FakeTimer(callback)
        heapq.heappush(self._heap, (max(when_ns, self.clock.at_ns), next(self._order), timer))
        return timer

    def until(self, condition: Callable[[], bool], most_s: float = 60.0) -> None:
        """Let happen what is next, until a condition holds. Fails when it does not hold after so much fake time."""
        end_ns = self.clock.at_ns + ns(most_s)
        while not condition():
            assert self._heap, "nothing is left to happen"
            self.clock.at_ns, _, timer = heapq.heappop(self._heap)
            assert self.clock.at_ns <= end_ns, f"it does not hold after {most_s} s"
            callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()


class FakeTime:
    """Clock and timers of one host. Its clock has a zero of its own: a reading that travels is found out."""

    def __init__(self, network: FakeNetwork, zero_ns: int) -> None:
        self._network, self._zero_ns = network, zero_ns

    def now_ns(self) -> int:
        return self._network.clock.at_ns + self._zero_ns

    def at(self, when_ns: int, callback: Callable[[], None]) -> FakeTimer:
        return self._network.at(when_ns - self._zero_ns, callback)

    def after(self, delay_ns: int, callback: Callable[[], None]) -> FakeTimer:
        return self.at(self.now_ns() + delay_ns, callback)

    def every(self, period_ns: int, callback: Callable[[], None]) -> FakeTimer:
        handle = FakeTimer(callback)

        def fire() -> None:
            if handle.callback is not None:
                self.after(period_ns, fire)
                callback()

        self.after(period_ns, fire)
        return handle


class FakeTransport:
    """Carries messages to the members of a fake network that were joined."""

    def __init__(self, network: FakeNetwork, time: FakeTime, name: str, role: str) -> None:
        self.member = Member(name=name, role=role, urgent=f"tcp://127.0.0.1:1/{name}", bulk="tcp://127.0.0.1:2", boot=1)
        self._network, self._time = network, time
        self._joined: dict[str, Member] = {}
        self._links: dict[str, LinkEstimator] = {}
        self._received: Callable[[Received], None] = lambda message: None
        self._sent = 0
        network.transports[name] = self

    def attach(
        self, received: Callable[[Received], None],
        undelivered: Callable[[str, Hashable, str], None] = lambda to, tag, reason: None,
    ) -> None:
        self._received = received

    def join(self, members: Sequence[Member]) -> None:
        for member in members:
            if member.name != self.member.name and self._joined.get(member.name) != member:
                self._joined[member.name], self._links[member.name] = member, LinkEstimator()

    def leave(self, name: str) -> None:
        self._joined.pop(name, None)
        self._links.pop(name, None)

    def peers(self, *roles: str) -> list[str]:
        return [name for name, member in self._joined.items() if not roles or member.role in roles]

    def role(self, name: str) -> str:
        member = self._joined.get(name)
        return member.role if member else ""

    def where(self, name: str) -> Member | None:
        return self._joined.get(name)

    def send(
        self, to: str, body: Body, tensors: Sequence[NDArray[Any]] = (), budget_s: float | None = None,
        tag: Hashable = None,
    ) -> bool:
        network = self._network
        if to not in self._joined or to not in network.transports:
            return False
        self._sent += 1
        if not {to, self.member.name} & network.silent:
            left_s = None if budget_s is None else budget_s - seconds(network.latency_ns)
            network.at(network.clock.at_ns + network.latency_ns,
                       lambda: network.transports[to].take(self.member, body, list(tensors), left_s))
        return True

    def take(self, sender: Member, body: Body, tensors: list[NDArray[Any]], budget_s: float | None) -> None:
        """A message arrives."""
        now = self._time.now_ns()
        self._received(Received(sender.name, sender.boot, body, tensors, budget_s, now, now))

    def cancel(self, to: str, tag: Hashable) -> bool:
        return False                                 # what was sent is on its way

    def link(self, name: str) -> LinkEstimator | None:
        return self._links.get(name)

    def links(self) -> dict[str, LinkQuality]:
        return {name: link.quality for name, link in self._links.items()}

    def inject(self, faults: InjectedFaults) -> None:
        raise AssertionError("no faults are injected here")

    def traffic(self) -> Traffic:
        return Traffic(refused=0, control_bytes=0, messages=self._sent, size_bytes=0, broken_off=0)


class FakeMachine:
    pid = 1

    def __init__(self) -> None:
        self.stopped = False

    def rss_bytes(self) -> int:
        return 1

    def battery(self) -> float | None:
        return None

    def step_wall_clock(self, step_s: float) -> None:
        raise AssertionError("there is no wall clock here")

    def stop(self) -> None:
        self.stopped = True


class FakeFiles:
    def __init__(self) -> None:
        self.written: dict[str, bytes] = {}

    def write(self, name: str, content: bytes) -> None:
        self.written[name] = content


class FakeHost:
    """One member of a fake network; `got` are the messages that came, unless a policy is attached to it."""

    def __init__(self, network: FakeNetwork, name: str, role: str = "agent", zero_ns: int = 0) -> None:
        self.time, self.machine, self.files = FakeTime(network, zero_ns), FakeMachine(), FakeFiles()
        self.transport = FakeTransport(network, self.time, name, role)
        self.ports = Host(self.time, self.time, self.transport, self.machine)
        self.got: list[Received] = []
        self.transport.attach(self.got.append)


class FakeRunner:
    """Every stage takes the median of its profile. `made` gives the result of an order, whole or by the last stage."""

    def __init__(
        self, host: FakeHost, offer: Offer, made: Callable[[RunOrder], Made] = lambda order: Detections(boxes=[])
    ) -> None:
        self._time, self._offer, self._made = host.time, offer, made
        self._emulation = Emulation(emulated=True, seed=0)
        self._current: dict[int, Run] = {}
        self._ended: Callable[[list[RunEnd]], None] = lambda ends: None
        self._loaded: Callable[[str, str], None] = lambda model, variant: None
        self._runs = 0

    def attach(self, ended: Callable[[list[RunEnd]], None], loaded: Callable[[str, str], None]) -> None:
        self._ended, self._loaded = ended, loaded

    def start(self, model: str, variant: str, leg: Leg, orders: Sequence[RunOrder]) -> None:
        run = Run(orders, leg, _medians(self._offer.times(model, variant)))
        self._current |= {order.work: run for order in orders}
        run.begin(self._time.now_ns())
        self._wait(run)

    def abort(self, work: int) -> None:
        run = self._current.get(work)
        if run is not None and run.abort(work):
            self._cut_short(run)

    def preempt(self, work: int, impatience: float) -> float | None:
        run = self._current.get(work)
        if run is None or run.ended is not None:
            return None
        wait_s = run.preempt(impatience, self._time.now_ns())
        if wait_s == 0.0:
            self._cut_short(run)
        return wait_s or None

    def hurry(self, work: int) -> None:
        run = self._current.get(work)
        if run is not None and run.is_overdue(self._time.now_ns()):
            self._cut_short(run)

    def load_stages(self, model: str, variant: str) -> None:
        self._time.after(0, lambda: self._loaded(model, variant))

    def slow_down(self, factor: float) -> None:
        self._emulation.factor = factor

    def statistics(self) -> RunnerStatistics:
        return RunnerStatistics(runs=self._runs, overruns=0, aborted=0, failed=0, busy_s=0.0)

    def _wait(self, run: Run) -> None:
        self._time.after(self._emulation.lasts_ns(run, took_ns=0), lambda: self._over(run))

    def _over(self, run: Run) -> None:
        """The stage, or the whole, is over, unless the run was cut short."""
        if run.ended is not None:
            return
        now = self._time.now_ns()
        if run.leg.whole:
            run.finish([self._made(order) for order in run.orders], now)
        elif run.stage_over(self._made(run.orders[0]) if run.stage + 1 == run.leg.last else [], now):
            self._wait(run)
            return
        self._tell(run)

    def _cut_short(self, run: Run) -> None:
        if run.ended is None:
            run.cut_short(self._time.now_ns())
            self._time.after(0, lambda: self._tell(run))

    def _tell(self, run: Run) -> None:
        self._runs += 1
        for order in run.orders:
            del self._current[order.work]
        self._ended(run.ends())


def _medians(times: VariantTimes) -> VariantTimes:
    def flat(quantiles_s: list[float]) -> list[float]:
        return [quantiles_s[len(quantiles_s) // 2]] * len(quantiles_s)

    return VariantTimes(flat(times.whole_s), [*map(flat, times.stages_s)], [*map(flat, times.batches_s)])
