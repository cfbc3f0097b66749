"""Watches the connections of one bound socket: counts failed handshakes, and closes connections that fill our memory.

A connection that ends before its handshake is complete is not an error: a peer that stops while it connects looks the
same as a silent stranger whose connection times out. It is counted as broken off. A handshake that we reject (no key, a
wrong key, another protocol) is counted as refused.

ZeroMQ keeps all frames of a message until the last one has arrived, and its high-water mark counts whole messages, so a
message without an end would fill the memory. The bytes that ZeroMQ holds are those that the kernel has received on the
connection, less those still in the kernel's buffer, less those that we read from the socket.
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

from swarm.core.protocol.wire import WireError
from swarm.core.units import ns
from swarm.net.loop import Loop
from swarm.net.sockets import waiting

CHECK_NS = ns(0.1)
MAX_HELD_BYTES = {"urgent": 4 << 20, "bulk": 16 << 20}   # per connection; the window of an honest peer is half of it
FRAME_BYTES = 64                     # upper bound of a frame's overhead on the wire: 42 with CURVE
EVENT = struct.Struct("=Hi")          # as zmq_socket_monitor(3) says; pyzmq's parser would import asyncio: 50 ms
FAILED = zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
REASONS = {
    int(zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH): "it has no key",
    int(zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC): "it expects us to have another key",
}
SO_COOKIE = 57                       # distinguishes a connection from a later one with the same descriptor
NO_LINGER = struct.pack("ii", 1, 0)  # the kernel drops its buffers on close
RECEIVED_AT, INFO_BYTES = 128, 256   # of tcpi_bytes_received in struct tcp_info


class _Connection:
    def __init__(self, cookie: bytes) -> None:
        self.cookie, self.read_bytes = cookie, 0


class Connections:
    """Watches the connections of a socket that will be bound.

    refuse: called for each `handshake` that failed (no key, or a wrong one) and each connection that was closed because
    it was `over_buffered`.
    broken_off: connections that ended, or timed out, before their handshake was complete.
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
        loop.watch(self._monitor, self._monitored)
        self._check_timer = loop.every(CHECK_NS, self._check)

    def count(self, frame: zmq.Frame, size: int, frames: int) -> None:
        """Count `size` bytes in `frames` frames that were read from the socket; `frame` is one of them."""
        connection = self._open.get(frame.get(zmq.SRCFD)) or self._record(frame.get(zmq.SRCFD))
        if connection is not None:
            connection.read_bytes += size + frames * FRAME_BYTES

    def close(self) -> None:
        """To be called before the context's sockets are closed."""
        self._check_timer.cancel()
        self._loop.unwatch(self._monitor)

    def _monitored(self) -> None:
        for event_frame, address in waiting(self._monitor):
            event, value = EVENT.unpack(event_frame)
            if event == zmq.EVENT_ACCEPTED:
                self._record(value)
            elif event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
                self.broken_off += 1
            else:
                why = REASONS.get(value, f"protocol error {value:#x}")
                self._refuse(WireError("handshake", f"a connection to {address.decode()}: {why}"))

    def _record(self, descriptor: int) -> _Connection | None:
        """The record of a connection; created if the connection is new. None: the connection is closed already."""
        try:
            with _duplicate(descriptor) as view:
                cookie = _cookie(view)
        except OSError:
            return None
        known = self._open.get(descriptor)
        if known is None or known.cookie != cookie:
            known = self._open[descriptor] = _Connection(cookie)
        return known

    def _check(self) -> None:
        """Forget closed connections; close those for which ZeroMQ holds too many bytes."""
        for descriptor, connection in list(self._open.items()):
            try:
                received = _received_bytes(descriptor)
                connection.read_bytes = min(connection.read_bytes, received)     # frames had less overhead than assumed
                most = MAX_HELD_BYTES[self._lane]
                if received - connection.read_bytes > most:
                    self._examine(descriptor, connection, most)
            except OSError:
                del self._open[descriptor]

    def _examine(self, descriptor: int, connection: _Connection, most: int) -> None:
        """Close the connection, unless the excess is still in the kernel's buffer. Raises: OSError if it is closed."""
        with _duplicate(descriptor) as view:
            if _cookie(view) != connection.cookie:
                raise OSError("another connection has its descriptor")
            (unread,) = struct.unpack("i", fcntl.ioctl(view, termios.FIONREAD, bytes(4)))
            held = _received_bytes(view.fileno()) - unread - connection.read_bytes
            if held > most:
                view.setsockopt(kernel.SOL_SOCKET, kernel.SO_LINGER, NO_LINGER)
                view.shutdown(kernel.SHUT_RDWR)
                connection.read_bytes += held        # so that it is reported once, though closing takes a moment
                self._refuse(WireError("over_buffered", f"{held} bytes of an unfinished message"))


def _received_bytes(descriptor: int) -> int:
    """Bytes that the kernel has received so far. Raises: OSError if the connection is closed."""
    # With all four arguments given, Python does not ask the kernel for them.
    view = kernel.socket(kernel.AF_INET, kernel.SOCK_STREAM, 0, descriptor)
    try:
        info = view.getsockopt(kernel.IPPROTO_TCP, kernel.TCP_INFO, INFO_BYTES)
    finally:
        view.detach()
    (received,) = struct.unpack_from("Q", info, RECEIVED_AT)
    return received


def _duplicate(descriptor: int) -> kernel.socket:
    """A duplicate of the descriptor, so that ZeroMQ may close its own meanwhile. Raises: OSError."""
    return kernel.socket(kernel.AF_INET, kernel.SOCK_STREAM, 0, os.dup(descriptor))


def _cookie(view: kernel.socket) -> bytes:
    return view.getsockopt(kernel.SOL_SOCKET, SO_COOKIE, 8)
