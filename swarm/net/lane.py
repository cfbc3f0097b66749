"""One lane of a process: the socket on which all peers' messages come in, and counts of both directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import zmq

from swarm.core.protocol.wire import WireError
from swarm.net import sockets
from swarm.net.loop import Loop
from swarm.net.security.connection_limits import Connections


class LaneStatistics(msgspec.Struct, frozen=True):
    """Messages and bytes of one lane; `broken_off`: connections to it that ended in the handshake."""

    sent: int
    received: int
    sent_bytes: int
    received_bytes: int
    broken_off: int


class Taken(NamedTuple):
    """One message: the frame with its connection's id, its own frames, and the bytes of these."""

    identity: zmq.Frame
    frames: list[Any]
    size: int


class Lane:
    """Not yet bound."""

    def __init__(
        self, context: zmq.Context[Any], loop: Loop, name: str, refuse: Callable[[WireError], None]
    ) -> None:
        self.socket = sockets.bound(context, name)
        self._copy = name == "urgent"
        self._connections = Connections(context, loop, self.socket, name, refuse)
        self._rest = False           # of a message with too many frames is left
        self._sent = self._received = self._sent_bytes = self._received_bytes = 0

    def take(self) -> Taken | None:
        """The next message, where one has come; None: only more frames of one that has too many."""
        if self._rest:
            return self._skip()
        identity, frames, self._rest = sockets.read(self.socket, self._copy)
        size = sum(map(len, frames))
        self._received += 1
        self._received_bytes += size
        self._connections.took(identity, size, len(frames))
        return Taken(identity, frames, size)

    def sent(self, size: int) -> None:
        """A message has left."""
        self._sent += 1
        self._sent_bytes += size

    def statistics(self) -> LaneStatistics:
        return LaneStatistics(
            self._sent, self._received, self._sent_bytes, self._received_bytes, self._connections.broken_off)

    def close(self) -> None:
        """Before the context's sockets are closed."""
        self._connections.close()

    def _skip(self) -> None:
        frames = sockets.skip(self.socket)
        size = sum(map(len, frames))
        self._received_bytes += size
        self._connections.took(frames[0], size, len(frames))
        self._rest = frames[-1].more
