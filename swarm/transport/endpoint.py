"""One process on the network: it sends messages to members, and receives theirs, on two lanes (`ports.py`).

Small messages go on the urgent lane, whole. All others go on the bulk lane, whole or in chunks, within a window that
depends on the measured link (bulk/lane.py).
"""

from __future__ import annotations

import collections
import logging
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Any

import msgspec
from numpy.typing import NDArray

from swarm.core.policy.link import LinkQuality
from swarm.core.ports import Clock, Received, Timers, Traffic
from swarm.core.protocol import messages as msg
from swarm.core.protocol import wire
from swarm.core.protocol.messages import Body, InjectedFaults, Member
from swarm.core.protocol.wire import PROTOCOL, Buffer, Envelope, Receipt, WireError
from swarm.transport.bulk.lane import Bulk
from swarm.transport.bulk.receiver import ReceiverStatistics
from swarm.transport.bulk.sender import QueueStatistics
from swarm.transport.fault_injection import FaultInjection
from swarm.transport.members import Members, Peer
from swarm.transport.ports import URGENT_BYTES, Lanes, LaneStatistics

log = logging.getLogger(__name__)

OWN_BODIES = frozenset({msg.Credit, msg.Chunk, msg.TransferEnded, msg.TransferRefused})      # nobody else sees them
UNIMPAIRED = ("launcher", "world")   # injected faults and distance leave the messages of these roles alone


class NetStatistics(msgspec.Struct, frozen=True):
    """Counts since the endpoint was made, and the state of all links and queues."""

    lanes: Mapping[str, LaneStatistics]
    unreachable: int                 # sends that found no connection or a full queue
    undelivered: int                 # messages that were accepted and dropped later
    out_of_reach: int                # messages of members out of radio reach, which were not heard
    refused: dict[str, int]          # messages refused, by cause
    links: dict[str, LinkQuality]
    queues: dict[str, QueueStatistics]
    receivers: dict[str, ReceiverStatistics]


class Endpoint:
    """The transport of one process over its lanes. Everything happens in the policy's thread.

    handler, undelivered: as in `attach`.
    """

    def __init__(
        self, clock: Clock, timers: Timers, lanes: Lanes, *, swarm: str, name: str, role: str, boot: int,
        handler: Callable[[Received], None] = lambda message: None,
        undelivered: Callable[[str, Hashable, str], None] = lambda *_: None,
    ) -> None:
        self._clock, self._timers, self._swarm, self._name, self._boot = clock, timers, swarm, name, boot
        self.attach(handler, undelivered)
        self.lanes, self.fault_injection, self._unreachable = lanes, FaultInjection(name), 0
        self._in_reach: frozenset[str] | None = None         # None: all are
        self._out_of_reach = 0
        self._radio = [0, 0, 0, 0]                           # as in `Traffic`
        self._refused: collections.Counter[str] = collections.Counter()
        self._bulk = Bulk(clock, timers, self._write, self._refuse, lambda *message: self._undelivered(*message))
        self._members = Members(lanes, name, role, self._bulk, self._refuse)
        self.join, self.leave, self.peers = self._members.join, self._members.leave, self._members.peers
        self.role, self.where, self.link = self._members.role, self._members.where, self._members.link
        self.admits, self.limit_transfers = self._members.admits, self._bulk.limit
        self.links = self._members.links
        self.member = Member(name=name, role=role, public_key=lanes.public_key, boot=boot, **lanes.addresses)
        lanes.attach(self._receive, self._refuse, self._members.keys_changed)

    def attach(
        self, received: Callable[[Received], None], undelivered: Callable[[str, Hashable, str], None] = lambda *_: None
    ) -> None:
        """Set the handler of all messages from now on.

        undelivered: called with receiver, tag and reason for each tagged message that was accepted and will not arrive.
        """
        self._handler, self._undelivered = received, undelivered

    # --- sending ---

    def send(
        self, to: str, body: Body, tensors: Sequence[NDArray[Any]] = (), budget_s: float | None = None,
        tag: Hashable = None,
    ) -> bool:
        """Send on the urgent lane up to 8 KiB, on the bulk lane above.

        False: the member cannot be reached now, or its queue is full. A message whose header is over its limit counts
        as accepted and undelivered. Tensors must not be changed afterwards.
        """
        peer = self._members.reach(to)
        if peer is None:
            self._unreachable += 1
            return False
        arrays = [wire.contiguous(t) for t in tensors] if tensors else []
        size, head_bytes = sum([a.nbytes for a in arrays]) if arrays else 0, 0
        if size <= URGENT_BYTES:
            frame = wire.header(self._envelope(to, body, arrays, budget_s, inline=[a.tobytes() for a in arrays]))
            if len(frame) <= URGENT_BYTES:
                sent = self._write_frames(peer, "urgent", [frame])
                self._unreachable += not sent
                return sent
            head_bytes = len(frame)
            if head_bytes > wire.MAX_HEADER_BYTES:
                self._refuse_own(to, body, head_bytes, tag)
                return True                          # nothing is gained by a second try
        accepted = self._bulk.send(to, body, arrays, size, budget_s, tag, head_bytes)
        self._unreachable += not accepted
        return accepted

    def _refuse_own(self, to: str, body: Body, size: int, tag: Hashable) -> None:
        """A message of ours that its receiver would refuse is not sent."""
        self._refuse(WireError("own_header", f"{type(body).__name__} of {size} bytes to {to}, at most "
                                             f"{wire.MAX_HEADER_BYTES} are accepted"))
        if tag is not None:
            self._timers.after(0, lambda: self._undelivered(to, tag, "too_long"))

    def cancel(self, to: str, tag: Hashable) -> bool:
        """Stop the unsent rest of the message with this tag. False: there is no such message any more."""
        return self._bulk.cancel(to, tag)

    def _write(
        self, to: str, lane: str, body: Body, tensors: Sequence[NDArray[Any]] = (), budget_s: float | None = None,
        number: int = 0, transfer: int = 0,
    ) -> bool:
        peer = self._members.reach(to)
        envelope = self._envelope(to, body, tensors, budget_s, number=number, transfer=transfer)
        return peer is not None and self._write_frames(peer, lane, wire.encode(envelope, () if transfer else tensors))

    def _envelope(
        self, to: str, body: Body, tensors: Sequence[NDArray[Any]], budget_s: float | None, *, number: int = 0,
        transfer: int = 0, inline: Sequence[bytes] = (),
    ) -> Envelope:
        """The envelope of a message, with the receipt that the peer is due, if any."""
        receipt = self._bulk.receipt_for(to)
        if not tensors and not number:
            return Envelope(v=PROTOCOL, swarm=self._swarm, sender=self._name, boot=self._boot, body=body,
                            budget_s=budget_s, receipt=receipt)
        return Envelope(
            v=PROTOCOL, swarm=self._swarm, sender=self._name, boot=self._boot, body=body, budget_s=budget_s,
            tensors=[wire.header_of(t) for t in tensors], number=number, transfer=transfer, receipt=receipt,
            inline=list(inline),
        )

    def _write_frames(self, peer: Peer, lane: str, frames: list[Buffer]) -> bool:
        frames[0] = wire.with_crc(bytes(frames[0]))
        if not peer.write[lane](frames):
            return False
        self._bulk.receipt_sent(peer.member.name)
        if peer.member.role not in UNIMPAIRED:
            self._radio[0] += 1
            self._radio[1] += sum(map(len, frames))
        return True

    # --- receiving ---

    def _refuse(self, error: WireError) -> None:
        if not self._refused[error.cause]:
            log.warning("refused a message or connection (%s); more of this cause are only counted", error)
        self._refused[error.cause] += 1

    def _receive(self, name: str, frames: Sequence[Any], size: int) -> None:
        """Decode and dispatch a message. Raises: WireError for a message that is refused."""
        self._members.reach(name)                    # it is answered on a connection of our own
        if self.role(name) not in UNIMPAIRED:
            self._radio[2] += 1
            self._radio[3] += size
        if self._in_reach is not None and name not in self._in_reach and self.role(name) not in UNIMPAIRED:
            self._out_of_reach += 1
            return
        if self.fault_injection.active and self.role(name) not in UNIMPAIRED:
            impaired = self.fault_injection.apply(name, frames)
            if impaired is None:
                return
            frames = impaired
        now = self._clock.now_ns()
        head = wire.without_crc(frames[0])
        try:
            envelope, tensors = wire.decode([head] if len(frames) == 1 else [head, *frames[1:]])
        except WireError as error:
            raise error.sent_by(name) from None
        if envelope.swarm != self._swarm:
            raise WireError("swarm", f"of swarm {envelope.swarm!r}")
        if envelope.sender != name:
            raise WireError("sender", f"{envelope.sender!r} was received on the connection of {name!r}")
        if envelope.receipt is not None:
            self._on_receipt(name, envelope.receipt, now)
        if not envelope.number and not envelope.transfer and type(envelope.body) not in OWN_BODIES:
            self._hand_over(envelope, tensors, now, now)     # as most messages are
            return
        if envelope.number:
            self._bulk.on_message(envelope, size, now)
        match envelope.body:
            case msg.Credit():
                return
            case msg.Chunk() as chunk:
                complete = self._bulk.on_chunk(envelope, chunk, tensors, now)
                if complete is not None:
                    self._hand_over(complete.envelope, complete.tensors, complete.begun_ns, now)
            case msg.TransferEnded(transfer=transfer):
                self._bulk.on_end(envelope, transfer)
            case msg.TransferRefused(transfer=transfer):
                self._bulk.on_refused(name, transfer)
            case _ if envelope.transfer:
                self._bulk.on_announcement(envelope, now)
            case _:
                self._hand_over(envelope, tensors, now, now)
        if envelope.number:
            self._bulk.acknowledge(name, at_once=isinstance(envelope.body, msg.Chunk))

    def _on_receipt(self, name: str, receipt: Receipt, now: int) -> None:
        """Refuse a receipt for messages that were never sent, as after our restart; its message may still be valid."""
        try:
            self._bulk.on_receipt(name, receipt, now)
        except WireError as error:
            self._refuse(error)

    def _hand_over(self, envelope: Envelope, tensors: list[NDArray[Any]], begun_ns: int, now: int) -> None:
        self._handler(Received(
            envelope.sender, envelope.boot, envelope.body, tensors, envelope.budget_s, begun_ns, now
        ))

    # --- faults, statistics, end ---

    def inject(self, faults: InjectedFaults) -> None:
        """Drop and corrupt messages of peers by these faults from now on. They replace those injected before."""
        self.fault_injection.set_faults(faults)

    def hear_only(self, members: Collection[str]) -> None:
        """From now on drop the messages of all robots and planners but these: the others are out of radio reach."""
        self._in_reach = frozenset(members)

    def traffic(self) -> Traffic:
        lanes = self.lanes.statistics()
        return Traffic(
            refused=sum(self._refused.values()), control_bytes=lanes["urgent"].sent_bytes,
            messages=sum(lane.sent + lane.received for lane in lanes.values()),
            size_bytes=sum(lane.sent_bytes + lane.received_bytes for lane in lanes.values()),
            broken_off=sum(lane.broken_off for lane in lanes.values()), radio=tuple(self._radio),  # pyright: ignore
        )

    def statistics(self) -> NetStatistics:
        return NetStatistics(
            lanes=self.lanes.statistics(),
            unreachable=self._unreachable, undelivered=self._bulk.undelivered,
            out_of_reach=self._out_of_reach, refused=dict(self._refused),
            links=self.links(), queues=self._bulk.statistics(), receivers=self._bulk.receivers(),
        )

    def close(self, linger_ms: int = 0) -> None:
        """Close all connections. Unsent messages have `linger_ms` to leave. A second call does nothing."""
        self._bulk.close()
        self.lanes.close(linger_ms)
