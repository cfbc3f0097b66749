"""The network between virtual processes: connections, the queue of each link, and when a message arrives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from swarm.core.protocol.messages import Member
from swarm.core.protocol.wire import Buffer, WireError
from swarm.transport.ports import LANES, RECEIVE_QUEUE, SEND_QUEUE, LaneStatistics, Link
from swarm.virtual.costs import BYTE_NS, MESSAGE_NS
from swarm.virtual.process import VirtualProcess
from swarm.virtual.timeline import Timeline

HANDSHAKE_TRIPS = 3                  # TCP, ZMTP and CURVE, until the first message can leave
FIRST_PORT = 1024


class Loopback:
    """One machine: every message takes the same time, and each byte a little."""

    def arrives_ns(self, size_bytes: int, now: int) -> int:
        return now + MESSAGE_NS + round(BYTE_NS * size_bytes)


LOOPBACK = Loopback()


class OverLoopback:
    """A link that a sender on this machine keeps: what it delivers still takes its time over loopback."""

    def __init__(self, link: Link) -> None:
        self.link = link

    def arrives_ns(self, size_bytes: int, now: int) -> int:
        return LOOPBACK.arrives_ns(size_bytes, self.link.arrives_ns(size_bytes, now))


class Way:
    """From one process to another, whichever of their starts: all connections between them share its link."""

    __slots__ = ("link",)

    def __init__(self, link: Link) -> None:
        self.link = link


class Network:
    """All lanes of a run. shaped: the link from one process (name) to another, where it is not loopback alone."""

    def __init__(
        self, timeline: Timeline, shaped: Callable[[str, str], Link | None] = lambda sender, to: None
    ) -> None:
        self.timeline, self._shaped = timeline, shaped
        self._ways: dict[tuple[str, str], Way] = {}
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

    def way(self, sender: str, to: str) -> Way:
        way = self._ways.get((sender, to))
        if way is None:
            shaped = self._shaped(sender, to)
            way = self._ways[sender, to] = Way(LOOPBACK if shaped is None else OverLoopback(shaped))
        return way

    def set_link(self, sender: str, to: str, link: Link) -> None:
        """From now on messages of one process to another take this link; each lane keeps its order."""
        self.way(sender, to).link = link


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

    def check(self, member: Member) -> None:
        """Nothing is encrypted."""

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
        self._way = network.way(lanes.process.name, member.name)
        self._up_ns = network.timeline.now_ns + HANDSHAKE_TRIPS * 2 * MESSAGE_NS
        self._waiting: dict[str, int] = dict.fromkeys(LANES, 0)      # messages that were sent and not received yet
        self._last_ns: dict[str, int] = dict.fromkeys(LANES, 0)      # when the last one arrives: a lane keeps the order
        self._open = True
        self._to: VirtualLanes | None = None         # that listened at the member's address when last looked at
        self._lane_of = {lane: (lanes.process.name, lane) for lane in LANES}
        self.write = {lane: partial(self._write, lane) for lane in LANES}

    def is_ready(self, lane: str) -> bool:
        return self._receiver(lane) is not None

    def close(self) -> None:
        self._open = False

    def _receiver(self, lane: str) -> VirtualLanes | None:
        """The lanes that a message could be sent to now."""
        if not self._open or self._network.timeline.now_ns < self._up_ns:
            return None
        if self._waiting[lane] >= SEND_QUEUE[lane] + RECEIVE_QUEUE[lane]:
            return None
        to = self._to
        if to is None or not to.process.alive:
            to = self._to = self._network.at(self._member.urgent)
        return to

    def _write(self, lane: str, frames: Sequence[Buffer]) -> bool:
        timeline, to, lanes, last_ns = self._network.timeline, self._receiver(lane), self._lanes, self._last_ns
        if to is None:
            return False
        size = len(frames[0]) if len(frames) == 1 else sum(map(len, frames))
        leaves_ns = max(timeline.now_ns, lanes.process.sends_ns)
        arrives_ns = last_ns[lane] = max(self._way.link.arrives_ns(size, leaves_ns), last_ns[lane] + 1)
        self._waiting[lane] += 1
        counts = lanes.counts[lane]
        counts[0] += 1
        counts[2] += size
        timeline.at(arrives_ns, to.process, partial(self._arrive, to, lane, frames, size), self._lane_of[lane])
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
