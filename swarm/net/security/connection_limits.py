"""Watches the connections of one bound socket: counts failed handshakes, and cuts connections that take too much of us.

A connection that ends before its handshake is complete is not an error: a peer that stops while it connects looks the
same as a silent stranger whose connection times out. It is counted as broken off. A handshake that we reject (no key, a
wrong key, another protocol) is counted as refused.

Connections whose handshake is unfinished are few: of too many, the oldest of the address that has most is cut. So are
those that have never carried a message, and those of one member. An idle connection costs the loop nothing: it looks
only at those on which something has arrived.

ZeroMQ keeps all frames of a message until the last one has arrived, and its high-water mark counts whole messages, so a
message without an end would fill the memory. The bytes that ZeroMQ holds are those that the kernel has received on the
connection, less those still in the kernel's buffer, less those that we read from the socket.
"""

from __future__ import annotations

import resource
import select
import struct
from collections.abc import Callable
from typing import Any

import zmq

from swarm.core.protocol.wire import WireError
from swarm.core.units import ns
from swarm.net.loop import Loop
from swarm.net.security.tcp import close_now, cookie_and_address, is_open, progress, received_bytes, taken_bytes
from swarm.net.sockets import waiting

CHECK_NS = ns(0.1)
MOST_LOOKS = 512                     # connections of one check; the others have their turn in the next one
MAX_HELD_BYTES = {"urgent": 4 << 20, "bulk": 16 << 20}   # per connection; the window of an honest peer is half of it
MOST_UNFINISHED, MOST_SILENT = 256, 2048                 # connections; fewer where few files may be open
SHARE_OF_FILES = 8                   # of the descriptors that may be open, each lane gives one in so many to either
MOST_OF_MEMBER = 3                   # connections: one is in use, others are of starts that have ended
UNFINISHED_BYTES = 4096              # of a handshake; one of CURVE has under 1 KiB
GREETING_BYTES, WELCOME_BYTES = 64, 170      # what we send before a handshake of CURVE is finished (RFC 23 and 26)
ARRIVALS = select.EPOLLIN | select.EPOLLOUT | select.EPOLLET
"""Each arrival is told of once. The kernel leaves out what is not ready any more, as when ZeroMQ has read everything;
but a connection on which we send nothing can always be written to."""

END_LOOKS = 50                       # of an end that was announced; it was that of an earlier connection
FRAME_BYTES = 64                     # upper bound of a frame's overhead on the wire: 42 with CURVE
EVENT = struct.Struct("=Hi")          # as zmq_socket_monitor(3) says; pyzmq's parser would import asyncio: 50 ms
FAILED = zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
REASONS = {
    int(zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH): "it has no key",
    int(zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC): "it expects us to have another key",
}


class _Connection:
    __slots__ = ("address", "cookie", "descriptor", "group", "read_bytes")

    def __init__(self, descriptor: int, cookie: bytes, address: str) -> None:
        self.descriptor, self.cookie, self.address, self.read_bytes = descriptor, cookie, address, 0
        self.group: dict[int, _Connection] = {}      # those that count against the same limit, oldest first


class Connections:
    """Watches the connections of a socket that will be bound.

    refuse: called for each `handshake` that failed (no key, or a wrong one) and each connection that was cut because it
    was `over_buffered`, or one of too many (`unfinished`, `silent`, `connections` of one member, `slowed`). lets_in:
    whether a new connection of an address goes on with its handshake.
    broken_off: connections that ended, or timed out, before their handshake was complete.
    """

    def __init__(
        self, context: zmq.Context[Any], loop: Loop, socket: zmq.Socket[Any], lane: str,
        refuse: Callable[[WireError], None], lets_in: Callable[[str], bool] = lambda address: True,
    ) -> None:
        self._loop, self._lane, self._refuse, self._socket, self._lets_in = loop, lane, refuse, socket, lets_in
        self._open: dict[int, _Connection] = {}
        self._unfinished: dict[str, dict[int, _Connection]] = {}     # by address
        self._silent: dict[int, _Connection] = {}    # they have never carried a message
        self._members: dict[str, dict[int, _Connection]] = {}        # by key
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        share = files // SHARE_OF_FILES if files != resource.RLIM_INFINITY else MOST_SILENT
        self._most_unfinished, self._most_silent = min(MOST_UNFINISHED, share), min(MOST_SILENT, share)
        self._ended: dict[int, int] = {}             # looks at connections whose end was announced
        self._over: dict[int, _Connection] = {}      # the kernel may hold what they have sent too much
        self._arrivals = select.epoll()
        self.broken_off = 0
        address = f"inproc://connections.{lane}"
        socket.monitor(address, FAILED | zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED)
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
            if connection.address:
                self._spoke(connection, frame)

    def cut(self, frame: zmq.Frame) -> None:
        """Close the connection on which this frame came."""
        connection = self._open.get(frame.get(zmq.SRCFD))
        if connection is not None:
            self._cut(connection, "cut_off", "its member sends too much")

    def close(self) -> None:
        """To be called before the context's sockets are closed."""
        self._check_timer.cancel()
        self._loop.unwatch(self._monitor)
        self._arrivals.close()

    # --- limits of their number ---

    def _monitored(self) -> None:
        for event_frame, address in waiting(self._monitor):
            event, value = EVENT.unpack(event_frame)
            if event == zmq.EVENT_ACCEPTED:
                new = self._record(value)
                if new is not None and new.address and not self._lets_in(new.address):
                    self._cut(new, "slowed", f"one of too many from {new.address}")
            elif event == zmq.EVENT_DISCONNECTED:
                self._ended[value] = 0
            elif event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
                self.broken_off += 1
            else:
                why = REASONS.get(value, f"protocol error {value:#x}")
                self._refuse(WireError("handshake", f"a connection to {address.decode()}: {why}"))

    def _record(self, descriptor: int) -> _Connection | None:
        """The record of a connection; created if the connection is new. None: the connection is closed already."""
        try:
            cookie, address = cookie_and_address(descriptor)
            known = self._open.get(descriptor)
            if known is not None and known.cookie == cookie:
                return known
            self._arrivals.register(descriptor, ARRIVALS)
        except FileExistsError:
            return None                              # a later one has its descriptor: its own event follows
        except OSError:
            return None
        if known is not None:
            known.group.pop(descriptor, None)
        new = self._open[descriptor] = _Connection(descriptor, cookie, address)
        self._move(new, self._unfinished.setdefault(address, {}))
        self._cut_unfinished()
        return new

    def _forget_ended(self) -> None:
        """Forget connections whose end was announced: ZeroMQ closes them a little later.

        A later one may have the descriptor, and the record, already; then there is nothing to forget.
        """
        for descriptor, looks in list(self._ended.items()):
            known = self._open.get(descriptor)
            if known is not None and is_open(descriptor, known.cookie):
                self._ended[descriptor] = looks + 1
                if looks < END_LOOKS:
                    continue
            elif known is not None:
                del self._open[descriptor]
                self._over.pop(descriptor, None)
                self._leave_group(known)
            del self._ended[descriptor]

    def _cut_unfinished(self) -> None:
        """Of too many unfinished connections, cut the oldest of the address that has most."""
        while sum(map(len, self._unfinished.values())) > self._most_unfinished:
            oldest = next(iter(max(self._unfinished.values(), key=len).values()))
            if not self._finish(oldest):
                self._cut(oldest, "unfinished", f"one of {self._most_unfinished} whose handshake is unfinished")

    def _finish(self, connection: _Connection) -> bool:
        """Note that the handshake of a connection is finished, if it is."""
        try:
            finished = progress(connection.descriptor).acked > self._sent_before
        except OSError:
            return False
        if finished:
            self._move(connection, self._silent)
            if len(self._silent) > self._most_silent:
                self._cut(next(iter(self._silent.values())), "silent", f"one of {self._most_silent} without a message")
        return finished

    @property
    def _sent_before(self) -> int:
        """The bytes that we send before a handshake is finished; the kernel may count the first packet as one."""
        return GREETING_BYTES + 1 + (WELCOME_BYTES if self._socket.getsockopt(zmq.CURVE_SERVER) else 0)

    def _spoke(self, connection: _Connection, frame: zmq.Frame) -> None:
        """A connection has carried its first message: from now on it counts as one of its member."""
        connection.address = ""
        try:
            key = str(frame.get("User-Id"))
        except zmq.ZMQError:
            key = ""
        if not key:                                  # without keys, a connection is nobody's
            self._move(connection, {})
            return
        self._move(connection, self._members.setdefault(key, {}))
        if len(connection.group) > MOST_OF_MEMBER:
            oldest = next(iter(connection.group.values()))
            self._cut(oldest, "connections", f"one of {MOST_OF_MEMBER} of the same member")

    def _move(self, connection: _Connection, group: dict[int, _Connection]) -> None:
        self._leave_group(connection)
        group[connection.descriptor], connection.group = connection, group

    def _leave_group(self, connection: _Connection) -> None:
        if connection.group.pop(connection.descriptor, None) is not None \
                and not self._unfinished.get(connection.address, True):
            del self._unfinished[connection.address]

    def _cut(self, connection: _Connection, cause: str, why: str) -> None:
        """Close a connection, if it is still open."""
        self._leave_group(connection)
        try:
            if close_now(connection.descriptor, connection.cookie):
                self._refuse(WireError(cause, why))
        except OSError:
            return

    # --- limits of what they hold ---

    def _check(self) -> None:
        """Look at the connections on which something has arrived; cut those for which ZeroMQ holds too many bytes."""
        self._forget_ended()
        arrived = self._arrivals.poll(0, MOST_LOOKS)
        looks = {**self._over, **{descriptor: self._open.get(descriptor) for descriptor, _ in arrived}}
        self._over.clear()
        for descriptor, connection in looks.items():
            if connection is not None and self._open.get(descriptor) is connection:
                self._look(connection)

    def _look(self, connection: _Connection) -> None:
        try:
            received = received_bytes(connection.descriptor)
            connection.read_bytes = min(connection.read_bytes, received)     # frames had less overhead than assumed
            most = MAX_HELD_BYTES[self._lane]
            if received - connection.read_bytes > most:
                self._over[connection.descriptor] = connection
                self._examine(connection, most)
        except OSError:
            return                                   # it is closed: its event follows
        if connection.group is self._unfinished.get(connection.address) and not self._finish(connection) \
                and received > UNFINISHED_BYTES:
            self._cut(connection, "unfinished", f"{received} bytes of a handshake")

    def _examine(self, connection: _Connection, most: int) -> None:
        """Close the connection, unless the excess is still in the kernel's buffer. Raises: OSError if it is closed."""
        held = taken_bytes(connection.descriptor, connection.cookie) - connection.read_bytes
        if held > most:
            del self._over[connection.descriptor]
            connection.read_bytes += held            # so that it is reported once, though closing takes a moment
            self._cut(connection, "over_buffered", f"{held} bytes of an unfinished message")
