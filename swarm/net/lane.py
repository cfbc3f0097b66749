"""One lane of a process: a bound socket for the messages of all peers, and counts of the traffic both ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import zmq

from swarm.core.protocol.wire import Buffer, WireError
from swarm.net import sockets
from swarm.net.loop import Loop
from swarm.net.security.connection_limits import Connections
from swarm.transport.ports import LaneStatistics

LARGE_BYTES = 1 << 20                # of a message; measured: busy polling during its transfer slows the transfer down


class RawMessage(NamedTuple):
    """One received message: the frame with its connection's id, the message's frames, and their size in bytes."""

    identity: zmq.Frame
    frames: list[Any]
    size: int


class Lane:
    """One lane, not yet bound."""

    def __init__(
        self, context: zmq.Context[Any], loop: Loop, name: str, refuse: Callable[[WireError], None],
        lets_in: Callable[[str], bool],
    ) -> None:
        self._loop, self.socket = loop, sockets.bound(context, name)
        self._copy = name == "urgent"
        self._connections = Connections(context, loop, self.socket, name, refuse, lets_in)
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
        """Send a message to a peer's socket. False: no connection, or a full queue."""
        if not sockets.write(to, frames):
            return False
        size = sum(map(len, frames))
        if size >= LARGE_BYTES:
            self._loop.skip_busy_poll()              # ZeroMQ's thread and the kernel need the cores now
        self._sent += 1
        self._sent_bytes += size
        return True

    def cut(self, identity: zmq.Frame) -> None:
        """Close the connection of a message."""
        self._connections.cut(identity)

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
