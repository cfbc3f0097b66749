"""One process on the network: two lanes, everybody's messages in, one `send` out.

Each lane is a bound ROUTER on which all peers' messages come in, and a DEALER to every peer on which ours go out.
Traffic is one-way per connection, so a peer that cannot be reached is known when sending: with immediate mode a
DEALER without a completed connection, or with a full queue, refuses at once instead of storing stale messages.
"""

from __future__ import annotations

import collections
import logging
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import zmq
from numpy.typing import NDArray

from swarm.core.errors import BadInput
from swarm.core.messages import Body, Member
from swarm.core.wire import MAX_TENSOR_BYTES, PROTOCOL, Envelope, WireError, decode, encode
from swarm.net.loop import Loop

log = logging.getLogger(__name__)

LANES = ("urgent", "bulk")
HIGH_WATER = 64                      # messages per peer and lane, outgoing; stale inference is worth nothing
TURN_MESSAGES = 32                   # taken from one lane before the others get their turn
UNNAMED = b"\0"                      # ids like this are ZeroMQ's own
ZERO_COPY_BYTES = 64 << 10           # measured: above this, handing over the buffer beats copying it


class Received(msgspec.Struct, frozen=True):
    """A message that came, with who sent it and when it was taken from the socket (own clock)."""

    sender: str
    boot: int
    body: Body
    tensors: list[NDArray[Any]]
    budget_s: float | None
    at_ns: int


class NetStatistics(msgspec.Struct, frozen=True):
    """Counts since the endpoint was made."""

    sent: int
    received: int
    unreachable: int                 # sends that found no connection or a full queue
    refused: dict[str, int]          # messages refused, by cause
    sent_bytes: dict[str, int]       # by lane


class Endpoint:
    """A process's two lanes. Everything happens in the loop's thread.

    bind: an address, and a port for the urgent lane if it must be a fixed one; the bulk lane then has the next.
    Raises: BadInput where that cannot be bound.
    """

    def __init__(
        self, loop: Loop, *, swarm: str, name: str, role: str, boot: int,
        handler: Callable[[Received], None], bind: str = "127.0.0.1",
    ) -> None:
        self._loop, self._swarm, self._name, self._boot, self._handler = loop, swarm, name, boot, handler
        self._context: zmq.Context[Any] = zmq.Context()
        self._in: dict[str, zmq.Socket[Any]] = {}
        self._out: dict[str, dict[str, zmq.Socket[Any]]] = {}
        self._members: dict[str, Member] = {}
        self._sent = self._received = self._unreachable = 0
        self._refused: collections.Counter[str] = collections.Counter()
        self._sent_bytes: dict[str, int] = dict.fromkeys(LANES, 0)
        addresses = {lane: self._bind(lane, bind) for lane in LANES}
        self.member = Member(name=name, role=role, urgent=addresses["urgent"], bulk=addresses["bulk"])

    def join(self, members: Sequence[Member]) -> None:
        """Connect to every member but oneself; one whose address changed is connected anew."""
        for member in members:
            if member.name == self._name or self._members.get(member.name) == member:
                continue
            self.leave(member.name)
            self._out[member.name] = {"urgent": self._dial(member.urgent), "bulk": self._dial(member.bulk)}
            self._members[member.name] = member

    def leave(self, name: str) -> None:
        """Forget a member; what was queued for it is dropped."""
        self._members.pop(name, None)
        for socket in self._out.pop(name, {}).values():
            socket.close(linger=0)

    def send(
        self, to: str, body: Body, tensors: Sequence[NDArray[Any]] = (), budget_s: float | None = None
    ) -> bool:
        """Send on the lane that fits: tensors on bulk, all else on urgent. False: it cannot be reached now."""
        lane = "bulk" if tensors else "urgent"
        lanes = self._out.get(to)
        if lanes is None:
            self._unreachable += 1
            return False
        frames = encode(
            Envelope(v=PROTOCOL, swarm=self._swarm, sender=self._name, boot=self._boot, body=body, budget_s=budget_s),
            tensors,
        )
        size = sum(map(len, frames))
        try:
            lanes[lane].send_multipart(frames, flags=zmq.DONTWAIT, copy=size < ZERO_COPY_BYTES)
        except zmq.Again:
            self._unreachable += 1
            return False
        self._sent += 1
        self._sent_bytes[lane] += size
        return True

    def peers(self, *roles: str) -> list[str]:
        """Names of the members that are connected to, in the order of joining; of these roles, if any are named."""
        return [name for name, member in self._members.items() if not roles or member.role in roles]

    def role(self, name: str) -> str:
        """Role of a member, empty if it is not known."""
        member = self._members.get(name)
        return member.role if member else ""

    def statistics(self) -> NetStatistics:
        return NetStatistics(
            self._sent, self._received, self._unreachable, dict(self._refused), dict(self._sent_bytes)
        )

    def close(self, linger_ms: int = 0) -> None:
        """Close all sockets; what was sent last gets `linger_ms` to leave. A second call does nothing."""
        for socket in self._in.values():
            self._loop.unwatch(socket)
        self._in.clear()
        self._context.destroy(linger=linger_ms)

    def _bind(self, lane: str, host: str) -> str:
        socket = self._context.socket(zmq.ROUTER)
        socket.setsockopt(zmq.ROUTER_HANDOVER, 1)        # a restarted peer takes its name over
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_TENSOR_BYTES)
        self._tune(socket)
        address, _, port = host.partition(":")
        where = f"tcp://{address}:{int(port) + LANES.index(lane) if port else '*'}"
        try:
            socket.bind(where)
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise BadInput(f"bind: {where}", str(error), "a free port on this machine, or none") from None
        self._in[lane] = socket
        self._loop.watch(socket, lambda: self._receive(socket, copy=lane == "urgent"))
        return socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def _dial(self, address: str) -> zmq.Socket[Any]:
        socket = self._context.socket(zmq.DEALER)
        socket.setsockopt_string(zmq.ROUTING_ID, self._name)
        socket.setsockopt(zmq.IMMEDIATE, 1)
        socket.setsockopt(zmq.RECONNECT_IVL, 50)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
        self._tune(socket)
        try:
            socket.connect(address)
        except zmq.ZMQError as error:
            socket.close(linger=0)
            raise BadInput(f"roster: {address!r}", str(error), "an address like tcp://10.0.0.7:7000") from None
        return socket

    def _tune(self, socket: zmq.Socket[Any]) -> None:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SNDHWM, HIGH_WATER)
        socket.setsockopt(zmq.RCVHWM, HIGH_WATER)
        socket.setsockopt(zmq.HEARTBEAT_IVL, 2000)       # reaps dead connections; leases decide who is alive
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 6000)

    def _receive(self, socket: zmq.Socket[Any], copy: bool) -> None:
        for _ in range(TURN_MESSAGES):
            try:
                identity = socket.recv(flags=zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return
            frames: list[Any] = [socket.recv() if copy else socket.recv(copy=False).buffer
                                 for _ in iter(lambda: socket.getsockopt(zmq.RCVMORE), 0)]
            self._take(_name_of(identity), frames)
            if socket.closed:                            # the handler closed us
                return

    def _take(self, name: str, frames: Sequence[Any]) -> None:
        try:
            envelope, tensors = decode(frames)
            if envelope.swarm != self._swarm:
                raise WireError("swarm", f"of swarm {envelope.swarm!r}")
            if envelope.sender != name:
                raise WireError("sender", f"{envelope.sender!r} came on the connection of {name!r}")
        except WireError as error:
            if not self._refused[error.cause]:
                log.warning("refused a message (%s); further ones of this cause are only counted", error)
            self._refused[error.cause] += 1
            return
        self._received += 1
        now = self._loop.clock.now_ns()
        self._handler(Received(envelope.sender, envelope.boot, envelope.body, tensors, envelope.budget_s, now))


def _name_of(identity: zmq.Frame) -> str:
    """The name that a connection gave itself; empty if it gave none.

    A connection whose name was taken over by a newer one keeps what it said of itself, though ZeroMQ renames it.
    """
    routing_id = identity.bytes
    if routing_id[:1] == UNNAMED:
        try:
            return str(identity.get("Identity"))
        except zmq.ZMQError:
            return ""
    return routing_id.decode("utf-8", "replace")
