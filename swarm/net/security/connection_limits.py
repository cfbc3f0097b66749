"""The connections of one bound socket: failed handshakes are counted, and a connection that hoards memory is cut.

A connection that ends before its handshake is complete is not an error: a peer that stops while it connects looks like
that, and so does a stranger that says nothing and is cut. It is counted as broken off. A handshake that we reject (no
key, a wrong key, not our protocol) is refused.

ZeroMQ keeps the frames of a message until its last one has come, however many they are, and its high-water mark counts
whole messages: one message without an end would fill the memory. What the kernel has received on a connection, less
what still lies in its buffer, less what was taken from the socket, is what ZeroMQ holds.
"""

from __future__ import annotations

import fcntl
import os
import socket as kernel
import struct
import termios
from collections.abc import Callable
from typing import Any

import zmq

from swarm.core.clock import ns, seconds
from swarm.core.protocol.wire import WireError
from swarm.net.loop import Loop
from swarm.net.sockets import TURN_MESSAGES

LOOK_NS = ns(0.1)
HELD_BYTES = {"urgent": 4 << 20, "bulk": 16 << 20}   # of one connection; the window keeps honest peers at half of it
FRAME_BYTES = 64                     # a frame's own on the wire, and more: 42 with CURVE
ALIVE_BYTES_PER_S = 64.0             # heartbeats, and more
EVENT = struct.Struct("=Hi")          # as zmq_socket_monitor(3) says; pyzmq's parser would import asyncio: 50 ms
FAILED = zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
WORDS = {
    int(zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH): "it has no key",
    int(zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC): "it took our key for another",
}
SO_COOKIE = 57                       # tells a connection from a later one under the same descriptor
NOTHING_LEFT = struct.pack("ii", 1, 0)   # to be sent or kept by the kernel once it is closed
RECEIVED_AT, INFO_BYTES = 128, 256   # of tcpi_bytes_received in struct tcp_info


class _Connection:
    def __init__(self, cookie: bytes, since_ns: int) -> None:
        self.cookie, self.since_ns, self.taken = cookie, since_ns, 0


class Connections:
    """Follows a socket that will be bound.

    refuse: told of `handshake` (no key, or wrong about ours) and of `hoard`, a connection that was cut.
    broken_off: connections that ended, or were cut, before their handshake was complete.
    """

    def __init__(
        self, context: zmq.Context[Any], loop: Loop, socket: zmq.Socket[Any], lane: str,
        refuse: Callable[[WireError], None],
    ) -> None:
        self._loop, self._lane, self._refuse = loop, lane, refuse
        self._open: dict[int, _Connection] = {}
        self.broken_off = 0
        address = f"inproc://connections.{lane}"
        socket.monitor(address, FAILED | zmq.EVENT_ACCEPTED)
        self._monitor = context.socket(zmq.PAIR)
        self._monitor.setsockopt(zmq.RCVHWM, 0)              # measured: a full monitor stops ZeroMQ's own thread
        self._monitor.setsockopt(zmq.LINGER, 0)
        self._monitor.connect(address)
        loop.watch(self._monitor, self._told)
        self._looking = loop.every(LOOK_NS, self._look)

    def took(self, frame: zmq.Frame, size: int, frames: int) -> None:
        """So many bytes were taken from the socket, in so many frames, of which this is one."""
        connection = self._open.get(frame.get(zmq.SRCFD)) or self._found(frame.get(zmq.SRCFD))
        if connection is not None:
            connection.taken += size + frames * FRAME_BYTES

    def close(self) -> None:
        """Before the context's sockets are closed."""
        self._looking.cancel()
        self._loop.unwatch(self._monitor)

    def _told(self) -> None:
        for _ in range(TURN_MESSAGES):
            try:
                told, address = self._monitor.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            event, value = EVENT.unpack(told)
            if event == zmq.EVENT_ACCEPTED:
                self._found(value)
            elif event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
                self.broken_off += 1
            else:
                why = WORDS.get(value, f"protocol error {value:#x}")
                self._refuse(WireError("handshake", f"a connection to {address.decode()}: {why}"))

    def _found(self, descriptor: int) -> _Connection | None:
        """What is known of a connection; it begins here if it is new."""
        try:
            with _ours(descriptor) as view:
                cookie = _cookie(view)
        except OSError:
            return None              # it is gone already
        known = self._open.get(descriptor)
        if known is None or known.cookie != cookie:
            known = self._open[descriptor] = _Connection(cookie, self._loop.clock.now_ns())
        return known

    def _look(self) -> None:
        """Forget connections that are gone; cut those of which too much has come and could not be taken."""
        now = self._loop.clock.now_ns()
        for descriptor, connection in list(self._open.items()):
            try:
                come = _come(descriptor)
                connection.taken = min(connection.taken, come)       # what frames did not need is not saved up
                most = HELD_BYTES[self._lane] + int(ALIVE_BYTES_PER_S * seconds(now - connection.since_ns))
                if come - connection.taken > most:
                    self._examine(descriptor, connection, most)
            except OSError:
                del self._open[descriptor]

    def _examine(self, descriptor: int, connection: _Connection, most: int) -> None:
        """Cut it, unless the kernel holds what is too much. Raises: OSError if it is gone."""
        with _ours(descriptor) as view:
            if _cookie(view) != connection.cookie:
                raise OSError("another connection has its descriptor")
            (unread,) = struct.unpack("i", fcntl.ioctl(view, termios.FIONREAD, bytes(4)))
            held = _come(view.fileno()) - unread - connection.taken
            if held > most:
                view.setsockopt(kernel.SOL_SOCKET, kernel.SO_LINGER, NOTHING_LEFT)
                view.shutdown(kernel.SHUT_RDWR)
                connection.taken += held             # told of once, though it may take a moment to go
                self._refuse(WireError("hoard", f"{held} bytes of a connection that make no message yet"))


def _come(descriptor: int) -> int:
    """Bytes that the kernel has received so far. Raises: OSError if it is no connection any more."""
    view = kernel.socket(kernel.AF_INET, kernel.SOCK_STREAM, 0, descriptor)      # all four: else it asks the kernel
    try:
        info = view.getsockopt(kernel.IPPROTO_TCP, kernel.TCP_INFO, INFO_BYTES)
    finally:
        view.detach()
    (received,) = struct.unpack_from("Q", info, RECEIVED_AT)
    return received


def _ours(descriptor: int) -> kernel.socket:
    """The connection under a descriptor of our own, whatever ZeroMQ closes meanwhile. Raises: OSError."""
    return kernel.socket(kernel.AF_INET, kernel.SOCK_STREAM, 0, os.dup(descriptor))


def _cookie(view: kernel.socket) -> bytes:
    return view.getsockopt(kernel.SOL_SOCKET, SO_COOKIE, 8)
