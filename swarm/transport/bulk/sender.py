"""The bulk lane to one peer: a bounded queue, chunks, cancellation.

Deterministic: messages and receipts in, steps out; the bulk lane performs the steps. A message that fits the window is
sent whole. A larger one is announced and follows in chunks; between two chunks a more urgent message may go first, and
the rest may be cancelled.
"""

from __future__ import annotations

import bisect
import collections
from collections.abc import Hashable, Iterator

import msgspec

from swarm.core.policy.link import LinkEstimator
from swarm.transport.bulk.steps import Dropped, QueuedMessage, SendChunk, SendEnd, SendWhole, Step
from swarm.transport.bulk.window import CHUNK_BYTES, Window

QUEUE_BYTES = 16 << 20               # waiting for one peer; a single larger message is accepted when nothing waits
QUEUE_MESSAGES = 64
MOST_STARTED = 4                     # transfers in progress at once
CHUNKS_PER_WINDOW = 4                # so that the link stays busy while a receipt is on its way
MOST_REMEMBERED = 8                  # transfers that were sent in full and may still be refused


class QueueStatistics(msgspec.Struct, frozen=True):
    """One peer's bulk queue: its present state, and counts since the peer joined."""

    waiting: int
    waiting_bytes: int
    in_flight: int                   # messages
    in_flight_bytes: int
    window_bytes: int
    full: int                        # messages not accepted because the queue was full
    dropped: dict[str, int]          # by reason
    silences: int                    # times that no receipt came in time
    lost: int                        # messages that the peer did not receive


class Outgoing:
    """The bulk lane to one peer. number: as in `Window`."""

    def __init__(self, link: LinkEstimator, number: int = 0) -> None:
        self.window = Window(link, number)
        self._waiting: list[QueuedMessage] = []                     # most urgent first
        self._waiting_bytes = self._order = self._full = 0
        self._dropped: collections.Counter[str] = collections.Counter()
        self._unended: list[int] = []                        # stopped transfers whose end was not sent yet
        self._sent: list[QueuedMessage] = []                 # the last ones, in full

    @property
    def is_busy(self) -> bool:
        """Whether anything waits or is in flight."""
        return bool(self._waiting or self._unended or not self.window.is_empty)

    def put(self, queued: QueuedMessage) -> bool:
        """Queue a message. False: the queue is full."""
        full = len(self._waiting) >= QUEUE_MESSAGES or self._waiting_bytes + queued.size > QUEUE_BYTES
        if full and self._waiting:
            self._full += 1
            return False
        self._order += 1
        queued.order = self._order
        bisect.insort(self._waiting, queued, key=lambda p: p.urgency)
        self._waiting_bytes += queued.size
        return True

    def is_open(self, size: int, now: int) -> bool:
        """Whether a message of this size may be sent whole now: nothing waits, and the message fits the window.

        The caller sends it with the next number, and calls `window.on_sent`.
        """
        if self._waiting or self._unended or self.window.must_drain(now):
            return False
        return size <= self.window.bytes and self.window.fits(size)

    def next_steps(self, now: int) -> Iterator[Step]:
        """The steps to perform now, one by one, until the window is full or nothing waits."""
        yield from self._ends()
        while self._waiting:
            first = self._waiting[0]
            if first.deadline_ns is not None and first.deadline_ns <= now:
                yield self._drop(first, "late")
                yield from self._ends()
                continue
            if self.window.must_drain(now):
                return
            queued = self._next()
            in_chunks = queued.transfer or queued.left > self.window.bytes
            step = self._piece(queued, now) if in_chunks else self._whole(queued, now)
            if step is None:
                return
            yield step

    def cancel(self, tag: Hashable) -> list[Dropped]:
        """Drop the unsent rest of the message with this tag; empty if there is no such message."""
        found = next((p for p in self._waiting if p.tag == tag), None)
        return [self._drop(found, "cancelled")] if found is not None else []

    def on_refused(self, transfer: int) -> list[Dropped]:
        """The peer refused this transfer, which may have been sent in full already."""
        found = next((p for p in self._waiting if transfer and p.transfer == transfer), None)
        if found:
            return [self._drop(found, "refused")]
        sent = [p for p in self._sent if p.transfer == transfer]
        for queued in sent:
            self._sent.remove(queued)
        self._dropped["refused"] += len(sent)
        return [Dropped(p, "refused") for p in sent]

    def on_unreachable(self, unsent: QueuedMessage | None = None) -> list[Dropped]:
        """The connection is closed: drop `unsent` and all waiting messages; expect no receipt for those in flight."""
        dropped = [p for p in self._waiting if p is not unsent] + ([unsent] if unsent else [])
        self._dropped["unreachable"] += len(dropped)
        self._unended += [p.transfer for p in dropped if p.transfer]
        self._waiting.clear()
        self._waiting_bytes = 0
        self.window.forget()
        return [Dropped(p, "unreachable") for p in dropped]

    def statistics(self) -> QueueStatistics:
        return QueueStatistics(
            len(self._waiting), self._waiting_bytes, self.window.in_flight, self.window.in_flight_bytes,
            self.window.bytes, self._full, dict(+self._dropped), self.window.silences, self.window.lost,
        )

    def _next(self) -> QueuedMessage:
        """The most urgent message. If it would start one transfer too many: the most urgent transfer in progress."""
        first = self._waiting[0]
        if not first.transfer and first.left > self.window.bytes:
            started = [p for p in self._waiting if p.transfer]
            if len(started) >= MOST_STARTED:
                return started[0]
        return first

    def _whole(self, queued: QueuedMessage, now: int) -> SendWhole | None:
        if not self.window.fits(queued.size):
            return None
        self._waiting.remove(queued)
        self._waiting_bytes -= queued.size
        return SendWhole(queued, self.window.on_sent(queued.size, now))

    def _piece(self, queued: QueuedMessage, now: int) -> SendWhole | SendChunk | None:
        """The announcement, then chunk after chunk; the last chunk removes the message from the queue."""
        if not queued.transfer:
            if not self.window.fits(queued.head_bytes):
                return None
            queued.transfer = self.window.on_sent(queued.head_bytes, now)
            return SendWhole(queued, queued.transfer)
        while queued.offset == queued.tensors[queued.tensor].nbytes:
            queued.tensor, queued.offset = queued.tensor + 1, 0
        tensor, window = queued.tensors[queued.tensor], self.window
        chunk = CHUNK_BYTES if window.is_empty else max(CHUNK_BYTES, window.bytes // CHUNKS_PER_WINDOW)
        room = window.bytes - window.in_flight_bytes
        size = min(tensor.nbytes - queued.offset, room if chunk // 2 < room < chunk else chunk)
        if not window.fits(size):
            return None
        step = SendChunk(queued, window.on_sent(size, now), queued.tensor, queued.offset, queued.offset + size)
        queued.offset += size
        queued.left -= size
        if not queued.left:
            self._waiting.remove(queued)
            self._waiting_bytes -= queued.size
            self._sent = [*self._sent[1 - MOST_REMEMBERED:], queued.remembered()]
        return step

    def _drop(self, queued: QueuedMessage, reason: str) -> Dropped:
        """Remove a message from the queue. The next steps end its transfer, if one has begun."""
        self._waiting.remove(queued)
        self._waiting_bytes -= queued.size
        self._dropped[reason] += 1
        if queued.transfer:
            self._unended.append(queued.transfer)
        return Dropped(queued, reason)

    def _ends(self) -> Iterator[SendEnd]:
        """Ends of stopped transfers. An end stays here until it was sent."""
        while self._unended:
            yield SendEnd(self._unended[0])
            del self._unended[0]
