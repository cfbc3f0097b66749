"""The bulk lane of one process in both directions: it sends windows of chunks, and receives receipts and messages.

For all peers it performs the steps of `sender.py`, hands chunks to `receiver.py`, sends receipts with the next message
or alone, and checks periodically for late messages and silent peers.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from swarm.core.policy.link import LinkEstimator
from swarm.core.ports import Clock, Timer, Timers
from swarm.core.protocol import messages as msg
from swarm.core.protocol.messages import Body
from swarm.core.protocol.wire import MAX_TENSOR_BYTES, Envelope, Receipt, WireError, buffer_of
from swarm.core.units import ns, seconds
from swarm.transport.bulk.receiver import Complete, Incoming, ReceiverStatistics
from swarm.transport.bulk.sender import Outgoing, QueueStatistics
from swarm.transport.bulk.steps import Dropped, QueuedMessage, SendChunk, SendEnd, SendWhole, Step

RECEIPT_NS = ns(0.002)               # a receipt waits this long for a message to carry it
RECEIPT_BYTES = 64 << 10             # after this many bytes it does not wait
MOST_IN_ALL_BYTES = 4 * MAX_TENSOR_BYTES     # of transfers that are open, of all peers together
CHECK_NS = ns(0.25)                  # period of the checks for silence and lateness

Undelivered = Callable[[str, Hashable, str], None]


class Write(Protocol):
    """Sends one message on a lane now. False: it cannot. With a transfer, tensors are only announced."""

    def __call__(
        self, to: str, lane: str, body: Body, tensors: Sequence[NDArray[Any]] = ..., budget_s: float | None = ...,
        number: int = ..., transfer: int = ...,
    ) -> bool: ...


class Bulk:
    """Bulk traffic with all peers. `undelivered` is called by a timer, never from within a call."""

    def __init__(
        self, clock: Clock, timers: Timers, write: Write, refuse: Callable[[WireError], None], undelivered: Undelivered,
    ) -> None:
        self._clock, self._timers = clock, timers
        self._write, self._refuse, self._undelivered = write, refuse, undelivered
        self._outgoing: dict[str, Outgoing] = {}
        self._incoming: dict[str, Incoming] = {}
        self._busy: dict[str, Outgoing] = {}         # those to which something may wait or be in flight
        self._numbers: dict[str, int] = {}           # last numbers sent to peers that have left
        self._receipts: Timer | None = None
        self._check_timer = timers.every(CHECK_NS, self._check)
        self.undelivered = 0                         # messages accepted and dropped later
        self.limit(MAX_TENSOR_BYTES, MOST_IN_ALL_BYTES)

    def limit(self, most_bytes: int, most_bytes_in_all: int) -> None:
        """As `Transport.limit_transfers`."""
        self._most_bytes, self._most_in_all = most_bytes, most_bytes_in_all

    def join(self, name: str, link: LinkEstimator) -> None:
        self._outgoing[name] = Outgoing(link, self._numbers.get(name, 0))

    def leave(self, name: str) -> None:
        """Forget a peer. Messages that wait for it and transfers that it has begun are dropped."""
        self._incoming.pop(name, None)
        self._busy.pop(name, None)
        outgoing = self._outgoing.pop(name, None)
        if outgoing is not None:
            self._numbers[name] = outgoing.window.number
            self._report_dropped(name, outgoing.on_unreachable())

    def close(self) -> None:
        self._check_timer.cancel()
        if self._receipts is not None:
            self._receipts.cancel()
        for peers in (self._outgoing, self._incoming, self._busy):
            peers.clear()

    def statistics(self) -> dict[str, QueueStatistics]:
        return {name: outgoing.statistics() for name, outgoing in self._outgoing.items()}

    def receivers(self) -> dict[str, ReceiverStatistics]:
        return {name: incoming.statistics() for name, incoming in self._incoming.items()}

    # --- sending ---

    def send(
        self, to: str, body: Body, tensors: Sequence[NDArray[Any]], size: int, budget_s: float | None = None,
        tag: Hashable = None, head_bytes: int = 0,
    ) -> bool:
        """Send now or when the window allows. False: the queue is full, or the peer cannot be reached.

        tensors: contiguous, of `size` bytes in total. head_bytes: size of the header, if it is large.
        """
        outgoing, now = self._outgoing[to], self._clock.now_ns()
        self._busy[to] = outgoing
        if (budget_s is None or budget_s > 0) and outgoing.is_open(size + head_bytes, now):
            if not self._write(to, "bulk", body, tensors, budget_s, outgoing.window.number + 1):
                outgoing.on_unreachable()
                return False
            outgoing.window.on_sent(size + head_bytes, now)
            return True
        queued = QueuedMessage(body, tensors, None if budget_s is None else now + ns(budget_s), tag, head_bytes)
        if not outgoing.put(queued):
            return False
        dropped = self._perform(to, outgoing, outgoing.next_steps(now))
        others = [drop for drop in dropped if drop.queued is not queued]
        self._report_dropped(to, others)
        return len(others) == len(dropped)

    def cancel(self, to: str, tag: Hashable) -> bool:
        """Stop the unsent rest of a message. False: there is no such message."""
        outgoing = self._outgoing.get(to)
        if outgoing is None or not outgoing.cancel(tag):
            return False
        self._send_next(to, outgoing)
        return True

    def on_receipt(self, sender: str, receipt: Receipt, now: int) -> None:
        """A peer sent a receipt. Raises: WireError."""
        outgoing = self._outgoing.get(sender)
        if outgoing is not None:
            outgoing.window.on_receipt(receipt, now)
            self._send_next(sender, outgoing)

    def on_refused(self, sender: str, transfer: int) -> None:
        """A peer refused a transfer."""
        outgoing = self._outgoing.get(sender)
        if outgoing is not None:
            self._report_dropped(sender, outgoing.on_refused(transfer))
            self._send_next(sender, outgoing)

    def _send_next(self, to: str, outgoing: Outgoing) -> None:
        self._report_dropped(to, self._perform(to, outgoing, outgoing.next_steps(self._clock.now_ns())))

    def _perform(self, to: str, outgoing: Outgoing, steps: Iterable[Step]) -> list[Dropped]:
        """Perform the steps. Returns the dropped messages: all that wait, if the peer can no longer be reached."""
        dropped: list[Dropped] = []
        for step in steps:
            if isinstance(step, Dropped):
                dropped.append(step)
            elif not self._send(to, step):
                return [*dropped, *outgoing.on_unreachable(None if isinstance(step, SendEnd) else step.queued)]
        return dropped

    def _send(self, to: str, step: SendWhole | SendChunk | SendEnd) -> bool:
        match step:
            case SendWhole(queued, number):
                due = queued.deadline_ns
                left_s = None if due is None else seconds(max(0, due - self._clock.now_ns()))
                return self._write(to, "bulk", queued.body, queued.tensors, left_s, number, queued.transfer)
            case SendChunk(queued, number, tensor, offset, end):
                chunk = msg.Chunk(transfer=queued.transfer, tensor=tensor, offset=offset)
                piece = np.frombuffer(buffer_of(queued.tensors[tensor])[offset:end], np.uint8)
                return self._write(to, "bulk", chunk, [piece], number=number)
            case SendEnd(transfer):
                return self._write(to, "bulk", msg.TransferEnded(transfer=transfer))

    def _report_dropped(self, to: str, dropped: Sequence[Dropped]) -> None:
        self.undelivered += len(dropped)
        for drop in dropped:
            if drop.queued.tag is not None:
                self._timers.after(0, partial(self._undelivered, to, drop.queued.tag, drop.reason))

    # --- receiving ---

    def on_message(self, envelope: Envelope, size: int, now: int) -> None:
        """A numbered message of a peer was received; strangers are ignored. Raises: WireError `number`."""
        if envelope.sender in self._outgoing:
            self._from(envelope).on_message(envelope.number, size, now)

    def on_announcement(self, envelope: Envelope, now: int) -> None:
        """A message was received whose tensors follow in chunks."""
        try:
            incoming = self._from(envelope)
            others = sum(other.open_bytes for other in self._incoming.values() if other is not incoming)
            incoming.on_announcement(envelope, now, min(self._most_bytes, self._most_in_all - others))
        except WireError as error:
            self._refuse_transfer(envelope.sender, envelope.transfer, error)

    def on_chunk(self, envelope: Envelope, chunk: msg.Chunk, tensors: list[NDArray[Any]], now: int) -> Complete | None:
        """A chunk was received. Returns the message, if it was the last chunk."""
        try:
            if len(tensors) != 1 or tensors[0].dtype != np.uint8:
                raise WireError("chunk", f"{len(tensors)} tensors, one of bytes is expected")
            return self._from(envelope).on_chunk(chunk, buffer_of(tensors[0]), now)
        except WireError as error:
            self._refuse_transfer(envelope.sender, chunk.transfer, error)
            return None

    def on_end(self, envelope: Envelope, transfer: int) -> None:
        """A peer stopped a transfer before its end."""
        self._from(envelope).on_end(transfer)

    def receipt_for(self, name: str) -> Receipt | None:
        """The receipt that a peer is due, for an envelope that is sent to it now. None: no receipt is due."""
        incoming = self._incoming.get(name)
        return incoming.receipt(self._clock.now_ns()) if incoming is not None and incoming.owes_receipt else None

    def receipt_sent(self, name: str) -> None:
        """A message was sent to a peer, with the receipt that was due."""
        incoming = self._incoming.get(name)
        if incoming is not None:
            incoming.receipt_sent()

    def acknowledge(self, name: str, *, at_once: bool) -> None:
        """Send the receipt that a peer is due: with the next message, or alone."""
        incoming = self._incoming.get(name)
        if incoming is None or not incoming.owes_receipt:
            return                                   # the handler's answer has carried it
        if at_once or incoming.unreceipted_bytes >= RECEIPT_BYTES:
            self._write(name, "urgent", msg.Credit())
        elif self._receipts is None:
            self._receipts = self._timers.after(RECEIPT_NS, self._send_receipts)

    def _from(self, envelope: Envelope) -> Incoming:
        """The lane from the sender; a new boot gets a new one. Raises: WireError `stranger` if it has not joined."""
        if envelope.sender not in self._outgoing:
            raise WireError("stranger", f"{envelope.sender!r} has not joined, so its chunks are not assembled")
        known = self._incoming.get(envelope.sender)
        if known is None or known.boot != envelope.boot:
            known = self._incoming[envelope.sender] = Incoming(envelope.boot)
        return known

    def _refuse_transfer(self, name: str, transfer: int, error: WireError) -> None:
        self._refuse(error)
        self._write(name, "urgent", msg.TransferRefused(transfer=transfer, reason=error.cause))

    def _send_receipts(self) -> None:
        self._receipts = None
        for name, incoming in list(self._incoming.items()):
            if incoming.owes_receipt:
                self._write(name, "urgent", msg.Credit())

    # --- periodically ---

    def _check(self) -> None:
        """Restart the window of silent peers, drop late messages, give up transfers that make no progress."""
        now = self._clock.now_ns()
        for name, incoming in list(self._incoming.items()):
            for transfer in incoming.drop_stale(now):
                self._refuse_transfer(name, transfer, WireError("idle", f"transfer {transfer} of {name}: no progress"))
        if self._receipts is None:
            self._send_receipts()                    # receipts that could not be sent
        self._busy = {name: outgoing for name, outgoing in self._busy.items() if outgoing.is_busy}
        for name, outgoing in list(self._busy.items()):
            outgoing.window.check_silence(now)
            self._send_next(name, outgoing)
