"""One process on the network: two lanes, everybody's messages in, one `send` out.

Each lane is a bound ROUTER on which all peers' messages come in, and a DEALER to every peer on which ours go out.
Traffic is one-way per connection, so a peer that cannot be reached is known when sending: with immediate mode a
DEALER without a completed connection, or with a full queue, refuses at once instead of storing stale messages.

Small messages go by the urgent lane as they are. All else goes by the bulk lane, under a window that the measured link
sets, whole or in chunks (bulk.py).
"""

from __future__ import annotations

import collections
import logging
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any

import msgspec
import zmq
from numpy.typing import NDArray

from swarm.core.policy.link import LinkEstimator, LinkQuality
from swarm.core.ports import Received, Traffic
from swarm.core.protocol import messages as msg
from swarm.core.protocol.messages import Afflicted, Body, Member
from swarm.core.protocol.wire import (
    PROTOCOL,
    SEAL_BYTES,
    Buffer,
    Envelope,
    Receipt,
    WireError,
    contiguous,
    decode,
    encode,
    header,
    header_of,
    sealed,
    unsealed,
)
from swarm.core.settings import rules
from swarm.core.settings.errors import BadInput
from swarm.net import sockets
from swarm.net.bulk.lane import Bulk
from swarm.net.bulk.sender import QueueStatistics
from swarm.net.fault_injection import Impairment
from swarm.net.lane import Lane, LaneStatistics
from swarm.net.loop import Loop
from swarm.net.security.keyring import Keyring
from swarm.net.security.zap import Authenticator
from swarm.net.sockets import LANES, URGENT_BYTES

log = logging.getLogger(__name__)

UNSPOILT = ("launcher", "world")     # no injected fault touches what comes of the test rig and of the robot's own body
LARGE_BYTES = 1 << 20                # of a message; measured: busy polling beside such a one slows it down
MOST_PEERS = 1024                    # that are known; each has two sockets
SOCKETS_OF_OWN = 64                  # lanes, their monitors, the door


class NetStatistics(msgspec.Struct, frozen=True):
    """Counts since the endpoint was made, and the state of all links and queues."""

    lanes: dict[str, LaneStatistics]
    unreachable: int                 # sends that found no connection or a full queue
    undelivered: int                 # messages that were taken and dropped later
    refused: dict[str, int]          # messages refused, by cause
    links: dict[str, LinkQuality]
    queues: dict[str, QueueStatistics]


class _Peer:
    """A member that we are connected to."""

    def __init__(self, member: Member, lanes: dict[str, zmq.Socket[Any]]) -> None:
        self.member, self.lanes, self.estimator = member, lanes, LinkEstimator()


class Endpoint:
    """A process's two lanes. Everything happens in the loop's thread.

    bind: an address, and a port for the urgent lane if it must be a fixed one; the bulk lane then has the next.
    keyring: our key and everybody's; None: plaintext, where a connection is who it says it is.
    handler, undelivered: as in `attach`.
    Raises: BadInput where that cannot be bound.
    """

    def __init__(
        self, loop: Loop, *, swarm: str, name: str, role: str, boot: int,
        handler: Callable[[Received], None] = lambda message: None, bind: str = "127.0.0.1",
        keyring: Keyring | None = None, undelivered: Callable[[str, Hashable, str], None] = lambda *_: None,
    ) -> None:
        self._loop, self._swarm, self._name, self._boot = loop, swarm, name, boot
        self.attach(handler, undelivered)
        self._context: zmq.Context[Any] = zmq.Context()
        self._context.set(zmq.MAX_SOCKETS, 2 * MOST_PEERS + SOCKETS_OF_OWN)
        self._peers: dict[str, _Peer] = {}
        self.impairment = Impairment(name)
        self._unreachable = 0
        self._refused: collections.Counter[str] = collections.Counter()
        self._lanes: dict[str, Lane] = {}
        self._known: dict[str, Member] = {}              # all that were ever announced, for a key that comes later
        self._door = keyring and Authenticator(
            self._context, loop, keyring, refuse=self._refuse, changed=self._keys_changed
        )
        try:
            addresses = {lane: self._open(lane, bind) for lane in LANES}
        except BadInput:
            self._shut(0)
            raise
        self.member = Member(
            name=name, role=role, public_key=keyring.own.public if keyring else "", boot=boot, **addresses)
        self._bulk = Bulk(loop, self._write, self._refuse, lambda *message: self._undelivered(*message))
        for lane in LANES:
            loop.watch(self._lanes[lane].socket, partial(self._receive, lane))

    def attach(
        self, received: Callable[[Received], None],
        undelivered: Callable[[str, Hashable, str], None] = lambda *_: None,
    ) -> None:
        """Who gets all messages from now on, and who is told of one with a tag that was taken and will not arrive: to
        whom, tag, reason."""
        self._handler, self._undelivered = received, undelivered

    # --- members ---

    def join(self, members: Sequence[Member]) -> None:
        """Connect to every member but oneself; one whose address changed is connected anew.

        One whose key is not enrolled, or is announced with another, is refused and counted; so is one that is nowhere.
        """
        for member in members:
            known = self._peers.get(member.name)
            if member.name == self._name or (known is not None and known.member == member):
                continue
            self.leave(member.name)
            try:
                rules.member(member, "member")
                if len(self._known) >= MOST_PEERS:
                    raise WireError("member", f"no room for {member.name}: there are {MOST_PEERS}")
                self._known[member.name] = member
                peer = self._peers[member.name] = _Peer(member, self._dial_all(member))
            except BadInput as error:                # of a message: files are checked when they are read
                self._refuse(WireError("member", str(error)))
            except WireError as error:
                self._refuse(error)
            else:
                self._bulk.join(member.name, peer.estimator)

    def leave(self, name: str) -> None:
        """Forget a member; what was queued for it is dropped."""
        self._known.pop(name, None)
        peer = self._peers.pop(name, None)
        if peer is not None:
            self._bulk.leave(name)
            for socket in peer.lanes.values():
                socket.close(linger=0)

    def _keys_changed(self, names: frozenset[str]) -> None:
        """Nothing more goes to one who was revoked; one who was enrolled is connected, anew if its key is another."""
        changed = [member for name, member in self._known.items() if name in names]
        for member in changed:
            self.leave(member.name)
        self.join(changed)

    def peers(self, *roles: str) -> list[str]:
        """Names of the members that are connected to, in the order of joining; of these roles, if any are named."""
        return [name for name, peer in self._peers.items() if not roles or peer.member.role in roles]

    def role(self, name: str) -> str:
        """Role of a member, empty if it is not known."""
        peer = self._peers.get(name)
        return peer.member.role if peer else ""

    def where(self, name: str) -> Member | None:
        """A member's addresses, if it is connected to."""
        peer = self._peers.get(name)
        return peer.member if peer else None

    def link(self, name: str) -> LinkEstimator | None:
        """The estimator of the path to a member."""
        peer = self._peers.get(name)
        return peer.estimator if peer else None

    def links(self) -> dict[str, LinkQuality]:
        """What is believed of the paths to all members."""
        return {name: peer.estimator.quality for name, peer in self._peers.items()}

    # --- out ---

    def send(
        self, to: str, body: Body, tensors: Sequence[NDArray[Any]] = (), budget_s: float | None = None,
        tag: Hashable = None,
    ) -> bool:
        """Send on the lane that fits: up to 8 KiB on urgent, all else on bulk.

        False: it cannot be reached now, or its queue is full. Tensors must not be changed afterwards.
        """
        peer = self._peers.get(to)
        if peer is None:
            self._unreachable += 1
            return False
        arrays = [contiguous(t) for t in tensors]
        size, head_bytes = sum([a.nbytes for a in arrays]), 0
        if size <= URGENT_BYTES:
            frame = header(self._envelope(to, body, arrays, budget_s, inline=[a.tobytes() for a in arrays]))
            if len(frame) <= URGENT_BYTES:
                gone = self._write_frames(peer, "urgent", [frame])
                self._unreachable += not gone
                return gone
            head_bytes = len(frame)
        taken = self._bulk.send(to, body, arrays, size, budget_s, tag, head_bytes)
        self._unreachable += not taken
        return taken

    def cancel(self, to: str, tag: Hashable) -> bool:
        """Stop what has not wholly gone of the message with this tag. False: there is no such message any more."""
        return self._bulk.cancel(to, tag)

    def _write(
        self, to: str, lane: str, body: Body, tensors: Sequence[NDArray[Any]] = (), budget_s: float | None = None,
        number: int = 0, transfer: int = 0,
    ) -> bool:
        peer = self._peers.get(to)
        envelope = self._envelope(to, body, tensors, budget_s, number=number, transfer=transfer)
        return peer is not None and self._write_frames(peer, lane, encode(envelope, () if transfer else tensors))

    def _envelope(
        self, to: str, body: Body, tensors: Sequence[NDArray[Any]], budget_s: float | None, *, number: int = 0,
        transfer: int = 0, inline: Sequence[bytes] = (),
    ) -> Envelope:
        """With the receipt that is owed to the peer, if one is."""
        return Envelope(
            v=PROTOCOL, swarm=self._swarm, sender=self._name, boot=self._boot, body=body, budget_s=budget_s,
            tensors=[header_of(t) for t in tensors], number=number, transfer=transfer,
            receipt=self._bulk.receipt_for(to), inline=list(inline),
        )

    def _write_frames(self, peer: _Peer, lane: str, frames: list[Buffer]) -> bool:
        if not sockets.write(peer.lanes[lane], [sealed(bytes(frames[0])), *frames[1:]]):
            return False
        self._bulk.said(peer.member.name)
        size = SEAL_BYTES + sum(map(len, frames))
        if size >= LARGE_BYTES:
            self._loop.be_patient()                  # ZeroMQ's thread and the kernel carry it
        self._lanes[lane].sent(size)
        return True

    # --- in ---

    def _receive(self, lane: str) -> None:
        """One message; the loop calls again for the next one, after the other lane had its turn."""
        taken = self._lanes[lane].take()
        if taken is None:
            return
        identity, frames, size = taken
        if size >= LARGE_BYTES:
            self._loop.be_patient()                  # another may follow, and that takes as long
        try:
            name = self._door.sender_of(identity) if self._door else sockets.name_of(identity)
            if self.impairment.active and self.role(name) not in UNSPOILT:
                frames = self.impairment.through(name, frames)
            if frames is not None:
                self._take(name, frames, size, self._loop.clock.now_ns())
        except WireError as error:
            self._refuse(error)

    def _refuse(self, error: WireError) -> None:
        if not self._refused[error.cause]:
            log.warning("refused (%s); further ones of this cause are only counted", error)
        self._refused[error.cause] += 1

    def _take(self, name: str, frames: Sequence[Any], size: int, now: int) -> None:
        """Raises: WireError for a message that is not taken."""
        envelope, tensors = decode([unsealed(frames[0]), *frames[1:]])
        if envelope.swarm != self._swarm:
            raise WireError("swarm", f"of swarm {envelope.swarm!r}")
        if envelope.sender != name:
            raise WireError("sender", f"{envelope.sender!r} came on the connection of {name!r}")
        if envelope.receipt is not None:
            self._receipted(name, envelope.receipt, now)
        if envelope.number:
            self._bulk.came(envelope, size, now)
        match envelope.body:
            case msg.Credit():
                return
            case msg.Chunk() as chunk:
                complete = self._bulk.chunk(envelope, chunk, tensors, now)
                if complete is not None:
                    self._hand_over(complete.envelope, complete.tensors, complete.begun_ns, now)
            case msg.TransferEnded(transfer=transfer):
                self._bulk.ended(envelope, transfer)
            case msg.TransferRefused(transfer=transfer):
                self._bulk.refused(name, transfer)
            case _ if envelope.transfer:
                self._bulk.announced(envelope, now)
            case _:
                self._hand_over(envelope, tensors, now, now)
        if envelope.number:
            self._bulk.acknowledge(name, at_once=isinstance(envelope.body, msg.Chunk))

    def _receipted(self, name: str, receipt: Receipt, now: int) -> None:
        """One for what was never sent means nothing, as after our restart; what it came with may be sound."""
        try:
            self._bulk.receipted(name, receipt, now)
        except WireError as error:
            self._refuse(error)

    def _hand_over(self, envelope: Envelope, tensors: list[NDArray[Any]], begun_ns: int, now: int) -> None:
        self._handler(Received(
            envelope.sender, envelope.boot, envelope.body, tensors, envelope.budget_s, begun_ns, now
        ))

    # --- the rest ---

    def inject(self, faults: Afflicted) -> None:
        """From now on, lose and corrupt what comes of peers as these injected faults say, and no other way."""
        self.impairment.become(faults)

    def traffic(self) -> Traffic:
        lanes = {name: lane.statistics() for name, lane in self._lanes.items()}
        return Traffic(
            refused=sum(self._refused.values()), control_bytes=lanes["urgent"].sent_bytes,
            messages=sum(lane.sent + lane.received for lane in lanes.values()),
            size_bytes=sum(lane.sent_bytes + lane.received_bytes for lane in lanes.values()),
            broken_off=sum(lane.broken_off for lane in lanes.values()),
        )

    def statistics(self) -> NetStatistics:
        return NetStatistics(
            lanes={name: lane.statistics() for name, lane in self._lanes.items()},
            unreachable=self._unreachable, undelivered=self._bulk.undelivered, refused=dict(self._refused),
            links=self.links(), queues=self._bulk.statistics(),
        )

    def close(self, linger_ms: int = 0) -> None:
        """Close all sockets; what was sent last gets `linger_ms` to leave. A second call does nothing."""
        if not self._context.closed:
            for lane in self._lanes.values():
                self._loop.unwatch(lane.socket)
            self._bulk.close()
            self._shut(linger_ms)

    def _shut(self, linger_ms: int) -> None:
        for lane in self._lanes.values():
            lane.close()
        if self._door:
            self._door.close()
        self._context.destroy(linger=linger_ms)

    def _open(self, lane: str, where: str) -> str:
        opened = self._lanes[lane] = Lane(self._context, self._loop, lane, self._refuse)
        if self._door:
            self._door.serve(opened.socket)
        return sockets.bind(opened.socket, lane, where)

    def _dial_all(self, member: Member) -> dict[str, zmq.Socket[Any]]:
        """A socket to each lane of a member. Raises: BadInput, WireError; then none is left open."""
        opened: dict[str, zmq.Socket[Any]] = {}
        try:
            for lane in LANES:
                socket = opened[lane] = sockets.dialling(self._context, lane, "" if self._door else self._name)
                if self._door:
                    self._door.dial(socket, member)
                sockets.connect(socket, getattr(member, lane))
        except (BadInput, WireError, zmq.ZMQError) as error:
            for socket in opened.values():
                socket.close(linger=0)
            if isinstance(error, zmq.ZMQError):      # no more sockets, no more files
                raise WireError("member", f"{member.name} cannot be connected to: {error}") from None
            raise
        return opened
