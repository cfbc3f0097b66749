"""The network between virtual processes: connections, the queue of each link, and when a message arrives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from swarm.core.protocol.messages import Member
from swarm.core.protocol.wire import Buffer, WireError
from swarm.transport.ports import LANES, RECEIVE_QUEUE, SEND_QUEUE, LaneStatistics
from swarm.virtual.costs import BYTE_NS, MESSAGE_NS
from swarm.virtual.process import VirtualProcess
from swarm.virtual.timeline import Timeline

HANDSHAKE_TRIPS = 3                  # TCP, ZMTP and CURVE, until the first message can leave
FIRST_PORT = 1024


class Link(Protocol):
    """The way from one process to another. Links may lie between agents only; all else is on one machine."""

    def arrives_ns(self, size_bytes: int, now: int) -> int:
        """When a message that is sent now arrives. Called in the order of sending."""
        ...


class Loopback:
    """One machine: every message takes the same time, and each byte a little."""

    def arrives_ns(self, size_bytes: int, now: int) -> int:
        return now + MESSAGE_NS + round(BYTE_NS * size_bytes)


class Network:
    """All lanes of a run. link: the way from one process (name) to another."""

    def __init__(self, timeline: Timeline, link: Callable[[str, str], Link] = lambda sender, to: Loopback()) -> None:
        self.timeline, self._link = timeline, link
        self._links: dict[tuple[str, str], Link] = {}
        self._listening: dict[str, VirtualLanes] = {}        # by the address of the urgent lane

    def lanes(self, process: VirtualProcess) -> VirtualLanes:
        """The lanes of a new process."""
        lanes = VirtualLanes(self, process)
        self._listening[lanes.addresses["urgent"]] = lanes
        return lanes

    def at(self, address: str) -> VirtualLanes | None:
        """The lanes that listen at the address of an urgent lane; None if their process has ended."""
        lanes = self._listening.get(address)
        if lanes is not None and not lanes.process.alive:
            del self._listening[address]
            return None
        return lanes

    def link(self, sender: str, to: str) -> Link:
        link = self._links.get((sender, to))
        if link is None:
            link = self._links[sender, to] = self._link(sender, to)
        return link


class VirtualLanes:
    """The port `Lanes` of one virtual process."""

    public_key = ""

    def __init__(self, network: Network, process: VirtualProcess) -> None:
        port = FIRST_PORT + 2 * process.pid
        self.network, self.process = network, process
        self.addresses = {lane: f"tcp://127.0.0.1:{port + k}" for k, lane in enumerate(LANES)}
        self.received: Callable[[str, Sequence[Any], int], None] = lambda name, frames, size: None
        self.refuse: Callable[[WireError], None] = lambda error: None
        # sent, received, and the bytes of these
        self.counts: dict[str, list[int]] = {lane: [0, 0, 0, 0] for lane in LANES}

    def attach(
        self, received: Callable[[str, Sequence[Any], int], None], refuse: Callable[[WireError], None],
        keys_changed: Callable[[frozenset[str]], None],
    ) -> None:
        self.received, self.refuse = received, refuse

    def connect(self, member: Member, failed: Callable[[WireError], None]) -> VirtualConnection:
        return VirtualConnection(self, member)

    def statistics(self) -> Mapping[str, LaneStatistics]:
        return {lane: LaneStatistics(n[0], n[1], n[2], n[3], broken_off=0) for lane, n in self.counts.items()}

    def close(self, linger_ms: int = 0) -> None:
        """Nothing is open: what was sent is on its way."""


class VirtualConnection:
    """The way to the lanes of one member: a queue for each lane, on one link."""

    def __init__(self, lanes: VirtualLanes, member: Member) -> None:
        network = lanes.network
        self._lanes, self._network, self._member = lanes, network, member
        self._link = network.link(lanes.process.name, member.name)
        self._up_ns = network.timeline.now_ns + HANDSHAKE_TRIPS * 2 * MESSAGE_NS
        self._waiting: dict[str, int] = dict.fromkeys(LANES, 0)      # messages that were sent and not received yet
        self._last_ns: dict[str, int] = dict.fromkeys(LANES, 0)      # when the last one arrives: a lane keeps the order
        self._open = True
        self.write = {lane: partial(self._write, lane) for lane in LANES}

    def close(self) -> None:
        self._open = False

    def _write(self, lane: str, frames: Sequence[Buffer]) -> bool:
        timeline = self._network.timeline
        to = self._network.at(self._member.urgent)
        if to is None or timeline.now_ns < self._up_ns or not self._open:
            return False
        if self._waiting[lane] >= SEND_QUEUE[lane] + RECEIVE_QUEUE[lane]:
            return False
        size = 0
        for frame in frames:
            size += len(frame)
        leaves_ns = max(timeline.now_ns, self._lanes.process.sends_ns)
        arrives_ns = max(self._link.arrives_ns(size, leaves_ns), self._last_ns[lane])
        self._last_ns[lane] = arrives_ns
        self._waiting[lane] += 1
        counts = self._lanes.counts[lane]
        counts[0] += 1
        counts[2] += size
        timeline.at(arrives_ns, to.process, partial(self._arrive, to, lane, frames, size))
        return True

    def _arrive(self, to: VirtualLanes, lane: str, frames: Sequence[Buffer], size: int) -> None:
        self._waiting[lane] -= 1
        counts = to.counts[lane]
        counts[1] += 1
        counts[3] += size
        try:
            to.received(self._lanes.process.name, frames, size)
        except WireError as error:
            to.refuse(error)
