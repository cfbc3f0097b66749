"""What goes to one peer on the bulk lane: a bounded queue, a window by the measured link, chunks, cancellation.

Deterministic: messages and receipts in, pieces to send out; the endpoint sends them. At most the link's window is in
flight, so that an urgent message on the other lane waits little longer behind it than 10 ms. A message that
fits the window travels whole; a larger one is announced and follows in chunks, between which a more urgent message may
go first and the rest may be cancelled. Loss is the peer's word (numbers that were skipped); silence only makes the
window small, since a peer that does not read looks the same as a link that carries nothing.
"""

from __future__ import annotations

import bisect
import collections
from collections.abc import Hashable, Iterator
from typing import NamedTuple

import msgspec

from swarm.core.clock import ns, seconds
from swarm.core.policy.link import WINDOW_BYTES, LinkEstimator
from swarm.core.protocol.wire import Receipt, WireError
from swarm.net.bulk.steps import Dropped, Parcel, SendChunk, SendEnd, SendWhole, Step

QUEUE_BYTES = 16 << 20               # waiting for one peer; a single larger message is taken when nothing waits
QUEUE_MESSAGES = 64
IN_FLIGHT = 32                       # messages
MOST_STARTED = 4                     # transfers under way at once
CHUNKS_PER_WINDOW = 4                # so that the link has work while a receipt is on its way
CHUNK_BYTES = 4096                   # never less, but for the end of a tensor; so little says nothing of a link's rate
MOST_REMEMBERED = 8                  # transfers that have wholly gone and may yet be refused
REST_NS = ns(2.0)                    # so often at least nothing is in flight for a moment, to measure the empty path
SILENCE_S = 1.0                      # without a receipt; doubles with each further silence


class _Flight(NamedTuple):
    number: int
    size: int
    sent_ns: int
    delivered: int                   # bytes acknowledged when it was sent
    opening: bool                    # no receipt had come then since nothing was in flight


class QueueStatistics(msgspec.Struct, frozen=True):
    """One peer's bulk queue: what waits and flies now, and counts since it was joined."""

    waiting: int
    waiting_bytes: int
    in_flight_bytes: int
    window_bytes: int
    full: int                        # messages not taken since the queue was full
    dropped: dict[str, int]          # by reason
    silences: int                    # times that no receipt came in time
    lost: int                        # messages that the peer never got


class Outgoing:
    """The bulk lane to one peer."""

    def __init__(self, link: LinkEstimator, number: int = 0) -> None:
        """number: the last one that went to this peer before; a peer takes none twice."""
        self.number = number
        self._link = link
        self._waiting: list[Parcel] = []                     # most urgent first
        self._flights: collections.deque[_Flight] = collections.deque()
        self._waiting_bytes = self._in_flight = self._delivered = 0
        self._order = 0
        self._cap_bytes = WINDOW_BYTES[1]                    # of the window; small after a silence
        self._full = self._silences = self._silent = self._lost = 0
        self._progress_ns = 0                                # of the last receipt, or of the first in flight
        self._rested_ns = 0                                  # when last something was sent with nothing in flight
        self._opening = True                                 # no receipt has come since
        self._dropped: collections.Counter[str] = collections.Counter()
        self._unended: list[int] = []                        # transfers whose end the peer has not been told
        self._gone: collections.deque[Parcel] = collections.deque(maxlen=MOST_REMEMBERED)

    def put(self, parcel: Parcel) -> bool:
        """Take a message; False if the queue is full."""
        full = len(self._waiting) >= QUEUE_MESSAGES or self._waiting_bytes + parcel.size > QUEUE_BYTES
        if full and self._waiting:
            self._full += 1
            return False
        self._order += 1
        parcel.order = self._order
        bisect.insort(self._waiting, parcel, key=lambda p: p.urgency)
        self._waiting_bytes += parcel.size
        return True

    def is_open(self, size: int, now: int) -> bool:
        """Whether a message of this size may go whole and now, past the queue: nothing waits, and it fits the window.

        It goes under the next number, and `fly` is told of it.
        """
        if self._waiting or self._unended or self._rests(now):
            return False
        window = self.window_bytes
        return size <= window and self._opens(size, window)

    def fly(self, size: int, now: int) -> int:
        """The number of a message that goes now."""
        self.number += 1
        if not self._flights:
            self._progress_ns = self._rested_ns = now
            self._opening = True
        self._flights.append(_Flight(self.number, size, now, self._delivered, self._opening))
        self._in_flight += size
        return self.number

    def pump(self, now: int) -> Iterator[Step]:
        """What is to be sent now, step by step; ends when the window is full or nothing waits."""
        yield from self._ends()
        while self._waiting:
            first = self._waiting[0]
            if first.deadline_ns is not None and first.deadline_ns <= now:
                yield self._drop(first, "late")
                yield from self._ends()
                continue
            if self._rests(now):
                return
            parcel, window = self._next(), self.window_bytes
            if parcel.transfer or parcel.left > window:
                step = self._piece(parcel, window, now)
            else:
                step = self._whole(parcel, window, now)
            if step is None:
                return
            yield step

    def receipt(self, receipt: Receipt, now: int) -> None:
        """The peer's word on what has come. Raises: WireError `receipt` for what was never sent."""
        if receipt.number > self.number or receipt.lost > receipt.number:
            raise WireError("receipt", f"of number {receipt.number}, {receipt.lost} lost; {self.number} were sent")
        newest: _Flight | None = None
        while self._flights and self._flights[0].number <= receipt.number:
            newest = self._flights.popleft()
            self._in_flight -= newest.size
            self._delivered += newest.size
        for _ in range(min(receipt.lost - self._lost, IN_FLIGHT)):
            self._link.probe(lost=True)
        self._lost = max(self._lost, receipt.lost)
        if newest is None:
            return
        self._progress_ns, self._silent, self._opening = now, 0, False
        self._cap_bytes = min(2 * self._cap_bytes, WINDOW_BYTES[1])
        self._measure(newest, now - newest.sent_ns - ns(receipt.held_s))

    def listen(self, now: int) -> None:
        """Where the peer has said nothing for too long, the window opens anew, and is small."""
        quality = self._link.quality
        patience_s = max(SILENCE_S, 4 * (quality.rtt_s + self._in_flight / quality.bytes_per_s))
        if not self._flights or now - self._progress_ns < ns(patience_s) << min(self._silent, 3):
            return
        self._silences += 1
        self._silent += 1
        self._cap_bytes = WINDOW_BYTES[0]
        self._flights.clear()
        self._in_flight = 0

    def cancel(self, tag: Hashable) -> list[Dropped]:
        """Drop what has not wholly gone of the message with this tag; empty if there is no such message."""
        found = next((p for p in self._waiting if p.tag == tag), None)
        return [self._drop(found, "cancelled")] if found is not None else []

    def refused(self, transfer: int) -> list[Dropped]:
        """The peer will not have this transfer, of which all may have gone already."""
        found = next((p for p in self._waiting if transfer and p.transfer == transfer), None)
        if found:
            return [self._drop(found, "refused")]
        gone = [p for p in self._gone if p.transfer == transfer]
        for parcel in gone:
            self._gone.remove(parcel)
        self._dropped["refused"] += len(gone)
        return [Dropped(p, "refused") for p in gone]

    def unreachable(self, unsent: Parcel | None = None) -> list[Dropped]:
        """The way is closed: nothing that waits will arrive, nor does `unsent`; nothing that flies is waited for."""
        gone = [p for p in self._waiting if p is not unsent] + ([unsent] if unsent else [])
        self._dropped["unreachable"] += len(gone)
        self._unended += [p.transfer for p in gone if p.transfer]
        self._waiting.clear()
        self._flights.clear()
        self._waiting_bytes = self._in_flight = 0
        return [Dropped(p, "unreachable") for p in gone]

    @property
    def window_bytes(self) -> int:
        """Bytes that may be in flight now."""
        return min(self._link.window_bytes, self._cap_bytes)

    @property
    def in_flight_bytes(self) -> int:
        return self._in_flight

    def statistics(self) -> QueueStatistics:
        return QueueStatistics(
            len(self._waiting), self._waiting_bytes, self._in_flight, self.window_bytes, self._full,
            dict(+self._dropped), self._silences, self._lost,
        )

    def _next(self) -> Parcel:
        """The most urgent, unless it would be one transfer too many: then the most urgent that is under way."""
        first = self._waiting[0]
        if not first.transfer and first.left > self.window_bytes:
            started = [p for p in self._waiting if p.transfer]
            if len(started) >= MOST_STARTED:
                return started[0]
        return first

    def _whole(self, parcel: Parcel, window: int, now: int) -> SendWhole | None:
        if not self._opens(parcel.size, window):
            return None
        self._waiting.remove(parcel)
        self._waiting_bytes -= parcel.size
        return SendWhole(parcel, self.fly(parcel.size, now))

    def _piece(self, parcel: Parcel, window: int, now: int) -> SendWhole | SendChunk | None:
        """The announcement, then chunk after chunk; the last one takes the parcel from the queue."""
        if not parcel.transfer:
            if not self._opens(parcel.head_bytes, window):
                return None
            parcel.transfer = self.fly(parcel.head_bytes, now)
            return SendWhole(parcel, parcel.transfer)
        while parcel.offset == parcel.tensors[parcel.tensor].nbytes:
            parcel.tensor, parcel.offset = parcel.tensor + 1, 0
        tensor = parcel.tensors[parcel.tensor]
        chunk = max(CHUNK_BYTES, window // CHUNKS_PER_WINDOW) if self._flights else CHUNK_BYTES
        room = window - self._in_flight
        size = min(tensor.nbytes - parcel.offset, room if chunk // 2 < room < chunk else chunk)
        if not self._opens(size, window):
            return None
        step = SendChunk(parcel, self.fly(size, now), parcel.tensor, parcel.offset, parcel.offset + size)
        parcel.offset += size
        parcel.left -= size
        if not parcel.left:
            self._waiting.remove(parcel)
            self._waiting_bytes -= parcel.size
            self._gone.append(parcel.remembered())
        return step

    def _rests(self, now: int) -> bool:
        """Whether what is in flight is to arrive before more goes."""
        return bool(self._flights) and now - self._rested_ns >= REST_NS

    def _opens(self, size: int, window: int) -> bool:
        return not self._flights or (self._in_flight + size <= window and len(self._flights) < IN_FLIGHT)

    def _measure(self, newest: _Flight, took_ns: int) -> None:
        """Delivery rate: what was acknowledged between a message's sending and its receipt.

        Source: Cheng et al., Delivery Rate Estimation, draft-cheng-iccrg-delivery-rate-estimation. Until the first
        receipt since nothing was in flight, the way there and back is no part of the transfer and is taken off; what
        went then and is small measures that way (as BBR does: Cardwell et al., ACM Queue 14(5), 2016).
        """
        size, took_s = self._delivered - newest.delivered, max(seconds(took_ns), 0.0)
        if size <= CHUNK_BYTES:
            if newest.opening:
                self._link.clear_trip(took_s)
            return
        if newest.opening:
            took_s = max(took_s - self._link.quality.clear_s, took_s / 4)
        self._link.delivered(size, took_s)

    def _drop(self, parcel: Parcel, reason: str) -> Dropped:
        """The next pump ends its transfer, if one has begun."""
        self._waiting.remove(parcel)
        self._waiting_bytes -= parcel.size
        self._dropped[reason] += 1
        if parcel.transfer:
            self._unended.append(parcel.transfer)
        return Dropped(parcel, reason)

    def _ends(self) -> Iterator[SendEnd]:
        """What could not be sent stays, for when the way is open again."""
        while self._unended:
            yield SendEnd(self._unended[0])
            del self._unended[0]
