"""Makes ZeroMQ sockets with our options (bounded, immediate, dead connections closed); reads and writes frames."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import zmq

from swarm.core.protocol.wire import MAX_TENSORS, Buffer
from swarm.core.settings import addresses
from swarm.core.settings.errors import BadInput
from swarm.transport.ports import LANES, RECEIVE_QUEUE, SEND_QUEUE

FRAME_BYTES = {"urgent": 64 << 10, "bulk": (8 << 20) + (64 << 10)}   # a connection with a larger frame is closed
TURN_MESSAGES = 32                   # messages or frames read from one socket before the others get their turn
MOST_FRAMES = 2 + MAX_TENSORS        # read of one message: one more than a valid message has
ZERO_COPY_BYTES = 256 << 10          # measured: below, a copy is cheaper than zero copy, which wakes pyzmq's thread
UNNAMED = b"\0"                      # first byte of ids that ZeroMQ generates
NOW, MORE = int(zmq.DONTWAIT), int(zmq.DONTWAIT | zmq.SNDMORE)       # plain numbers: enumerations cost 1 us


def bound(context: zmq.Context[Any], lane: str) -> zmq.Socket[Any]:
    """A ROUTER for the messages of all peers on one lane, not yet bound."""
    socket = context.socket(zmq.ROUTER)
    socket.setsockopt(zmq.ROUTER_HANDOVER, 1)        # a restarted peer takes over its name
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    _tune(socket, lane)
    return socket


def bind(socket: zmq.Socket[Any], lane: str, where: str) -> str:
    """Bind to ADDRESS or ADDRESS:PORT, with the port of the urgent lane. Returns the endpoint. Raises: BadInput."""
    host, port = addresses.split(where)
    endpoint = f"tcp://{host}:{int(port) + LANES.index(lane) if port else '*'}"
    try:
        _speak_ipv6(socket, endpoint)
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        raise BadInput(f"bind: {endpoint}", str(error), "a free port on this machine, or none") from None
    return socket.getsockopt_string(zmq.LAST_ENDPOINT)


def waiting(socket: zmq.Socket[Any]) -> Iterator[list[bytes]]:
    """The messages that wait in a socket, as many as one turn may take."""
    for _ in range(TURN_MESSAGES):
        try:
            frames = socket.recv_multipart(zmq.DONTWAIT)
        except zmq.Again:
            return
        yield frames


def dialling(context: zmq.Context[Any], lane: str, name: str) -> zmq.Socket[Any]:
    """A DEALER for our messages to one peer on one lane, not yet connected. name: our own; empty if we use keys."""
    socket = context.socket(zmq.DEALER)
    if name:
        socket.setsockopt_string(zmq.ROUTING_ID, name)
    socket.setsockopt(zmq.IMMEDIATE, 1)
    socket.setsockopt(zmq.RECONNECT_IVL, 50)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
    socket.setsockopt(zmq.CONNECT_TIMEOUT, 2000)     # the kernel's own attempts become rare
    _tune(socket, lane)
    return socket


def connect(socket: zmq.Socket[Any], endpoint: str) -> None:
    """Connect in the background. Raises: BadInput if this is not a valid endpoint."""
    try:
        _speak_ipv6(socket, endpoint)
        socket.connect(endpoint)
    except zmq.ZMQError as error:
        raise BadInput(f"roster: {endpoint!r}", str(error), "an address like tcp://10.0.0.7:7000") from None


def disconnect(socket: zmq.Socket[Any], endpoint: str) -> None:
    """Close the connection to an endpoint; what waits for it is dropped."""
    with contextlib.suppress(zmq.ZMQError):          # it is gone already
        socket.disconnect(endpoint)


def _speak_ipv6(socket: zmq.Socket[Any], endpoint: str) -> None:
    """Only for an IPv6 address: with this option, ZeroMQ would look up names as IPv6, too, where nobody may listen."""
    socket.setsockopt(zmq.IPV6, int(addresses.is_ipv6(endpoint)))


def _tune(socket: zmq.Socket[Any], lane: str) -> None:
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SNDHWM, SEND_QUEUE[lane])
    socket.setsockopt(zmq.RCVHWM, RECEIVE_QUEUE[lane])
    socket.setsockopt(zmq.MAXMSGSIZE, FRAME_BYTES[lane])
    # No heartbeats of ZMTP: they abort a process that has not read for a while (libzmq issues 3937, 4364, 4767). Leases
    # decide who is alive. The kernel closes the connection of a host that has vanished within half a minute.
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 10)
    socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, 5)
    socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, 4)


def write(socket: zmq.Socket[Any], frames: Sequence[Buffer]) -> bool:
    """Send a message now. False: no connection, or its queue is full."""
    # ZeroMQ checks at most once a millisecond whether its queue has room again. Polling makes it check now.
    # Measured: without polling, 1 % of the sends fail while at most 8 messages are in flight.
    return _write(socket, frames) or (bool(socket.poll(0, zmq.POLLOUT)) and _write(socket, frames))


def _write(socket: zmq.Socket[Any], frames: Sequence[Buffer]) -> bool:
    """Send frame by frame, at half the cost of multipart. False: nothing was sent, even if frames were accepted."""
    *before, last = frames
    try:
        for frame in before:
            socket.send(frame, MORE, len(frame) < ZERO_COPY_BYTES)
        socket.send(last, NOW, len(last) < ZERO_COPY_BYTES)
    except zmq.Again:
        return False
    return True


def read(socket: zmq.Socket[Any], copy: bool) -> tuple[zmq.Frame, list[Any], bool]:
    """The next message: the frame with the connection's id, the frames of the message, and whether frames are left.

    copy: cheaper for small frames; otherwise frames are views of ZeroMQ's memory. If a message has too many frames, the
    rest is left for `skip`.
    """
    identity = socket.recv(NOW, copy=False)
    frames: list[Any] = []
    more = identity.more
    while more and len(frames) < MOST_FRAMES:
        frame = socket.recv(NOW, copy=False)
        more = frame.more
        frames.append(frame.bytes if copy else frame.buffer)
    return identity, frames, more


def skip(socket: zmq.Socket[Any]) -> list[zmq.Frame]:
    """Read some of the frames that `read` has left. `more` of the last frame tells whether others follow."""
    frames = [socket.recv(NOW, copy=False)]
    while frames[-1].more and len(frames) < TURN_MESSAGES:
        frames.append(socket.recv(NOW, copy=False))
    return frames


def name_of(identity: zmq.Frame) -> str:
    """The name that a connection claims; empty if it claims none.

    When a newer connection takes over a name, ZeroMQ renames the old one; its messages still carry the name.
    """
    routing_id = identity.bytes
    if routing_id[:1] == UNNAMED:
        try:
            return str(identity.get("Identity"))
        except zmq.ZMQError:
            return ""
    return routing_id.decode("utf-8", "replace")
