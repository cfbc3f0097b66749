"""The lanes of a process: one bound socket each for the messages of all peers, and counts of the traffic both ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec
import zmq

from swarm.core.ports import Traffic
from swarm.core.protocol.wire import CRC_BYTES, Buffer, WireError, with_crc
from swarm.core.settings.errors import BadInput
from swarm.net import sockets
from swarm.net.loop import Loop
from swarm.net.security.connection_limits import Connections
from swarm.net.security.zap import Authenticator
from swarm.net.sockets import LANES

LARGE_BYTES = 1 << 20                # of a message; measured: busy polling during its transfer slows the transfer down


class LaneStatistics(msgspec.Struct, frozen=True):
    """Messages and bytes of one lane; `broken_off`: connections that ended before their handshake was complete."""

    sent: int
    received: int
    sent_bytes: int
    received_bytes: int
    broken_off: int


class RawMessage(NamedTuple):
    """One received message: the frame with its connection's id, the message's frames, and their size in bytes."""

    identity: zmq.Frame
    frames: list[Any]
    size: int


class Lane:
    """One lane, not yet bound."""

    def __init__(
        self, context: zmq.Context[Any], loop: Loop, name: str, refuse: Callable[[WireError], None]
    ) -> None:
        self._loop, self.socket = loop, sockets.bound(context, name)
        self._copy = name == "urgent"
        self._connections = Connections(context, loop, self.socket, name, refuse)
        self._rest = False           # the rest of a message with too many frames is still to be read
        self._sent = self._received = self._sent_bytes = self._received_bytes = 0

    def receive(self) -> RawMessage | None:
        """The next message. None: only further frames of a message with too many were skipped."""
        if self._rest:
            return self._skip()
        identity, frames, self._rest = sockets.read(self.socket, self._copy)
        size = sum(map(len, frames))
        if size >= LARGE_BYTES:
            self._loop.skip_busy_poll()              # another large one may follow
        self._received += 1
        self._received_bytes += size
        self._connections.count(identity, size, len(frames))
        return RawMessage(identity, frames, size)

    def write(self, to: zmq.Socket[Any], frames: Sequence[Buffer]) -> bool:
        """Send a message with the CRC of its header to a peer's socket. False: no connection, or a full queue."""
        if not sockets.write(to, [with_crc(bytes(frames[0])), *frames[1:]]):
            return False
        size = CRC_BYTES + sum(map(len, frames))
        if size >= LARGE_BYTES:
            self._loop.skip_busy_poll()              # ZeroMQ's thread and the kernel need the cores now
        self._sent += 1
        self._sent_bytes += size
        return True

    def statistics(self) -> LaneStatistics:
        return LaneStatistics(
            self._sent, self._received, self._sent_bytes, self._received_bytes, self._connections.broken_off)

    def close(self) -> None:
        """To be called before the context's sockets are closed."""
        self._connections.close()

    def _skip(self) -> None:
        frames = sockets.skip(self.socket)
        size = sum(map(len, frames))
        self._received_bytes += size
        self._connections.count(frames[0], size, len(frames))
        self._rest = frames[-1].more


class Lanes:
    """Both lanes, bound to an address. auth: accepts only members whose key is enrolled; None: plaintext.

    bind: an address, and a port for the urgent lane if it must be fixed. Raises: BadInput if it cannot be bound.
    """

    def __init__(
        self, context: zmq.Context[Any], loop: Loop, bind: str, auth: Authenticator | None,
        refuse: Callable[[WireError], None],
    ) -> None:
        self._loop = loop
        self.by_name: dict[str, Lane] = {}
        self.addresses: dict[str, str] = {}          # endpoint by lane
        try:
            for name in LANES:
                lane = self.by_name[name] = Lane(context, loop, name, refuse)
                if auth:
                    auth.serve(lane.socket)
                self.addresses[name] = sockets.bind(lane.socket, name, bind)
        except BadInput:
            self.close()
            raise

    def watch(self, received: Callable[[str], None]) -> None:
        """Call `received` with the name of a lane whenever that lane has a message."""
        for name, lane in self.by_name.items():
            self._loop.watch(lane.socket, partial(received, name))

    def unwatch(self) -> None:
        for lane in self.by_name.values():
            self._loop.unwatch(lane.socket)

    def close(self) -> None:
        """To be called before the context's sockets are closed."""
        for lane in self.by_name.values():
            lane.close()

    def statistics(self) -> dict[str, LaneStatistics]:
        return {name: lane.statistics() for name, lane in self.by_name.items()}

    def traffic(self, refused: int) -> Traffic:
        """Totals of both lanes. refused: messages and handshakes."""
        lanes = self.statistics()
        return Traffic(
            refused=refused, control_bytes=lanes["urgent"].sent_bytes,
            messages=sum(lane.sent + lane.received for lane in lanes.values()),
            size_bytes=sum(lane.sent_bytes + lane.received_bytes for lane in lanes.values()),
            broken_off=sum(lane.broken_off for lane in lanes.values()),
        )
