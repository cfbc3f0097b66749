"""Tracks the messages in flight to one peer on the bulk lane: a window sized by the measured link, and receipts.

At most one window is in flight, so that an urgent message on the other lane waits little longer than 10 ms behind it.
The peer reports loss (numbers that it did not receive). Silence only makes the window small, because a peer that does
not read looks the same as a link that carries nothing.
"""

from __future__ import annotations

import collections
from typing import NamedTuple

from swarm.core.policy.link import WINDOW_BYTES, LinkEstimator
from swarm.core.protocol.wire import Receipt, WireError
from swarm.core.units import ns, seconds

IN_FLIGHT = 32                       # messages
CHUNK_BYTES = 4096                   # the smallest chunk, except at the end of a tensor; less cannot measure a rate
DRAIN_NS = ns(2.0)                   # at least this often the window is drained, to measure the empty link
SILENCE_S = 1.0                      # without a receipt; doubles with each further silence


class _InFlight(NamedTuple):
    number: int
    size: int
    sent_ns: int
    delivered: int                   # bytes acknowledged when it was sent
    opening: bool                    # sent before the first receipt since the window was empty


class Window:
    """The window of one peer.

    number: number of the last message that was sent to this peer; a peer accepts no number twice.
    """

    def __init__(self, link: LinkEstimator, number: int = 0) -> None:
        self.number = number
        self.in_flight_bytes = 0
        self.silences = 0                                    # times that no receipt came in time
        self.lost = 0                                        # messages that the peer did not receive
        self._link = link
        self._in_flight: collections.deque[_InFlight] = collections.deque()
        self._delivered = 0                                  # bytes
        self._cap_bytes = WINDOW_BYTES[1]                    # of the window; small after a silence
        self._silent = 0                                     # silences since the last receipt
        self._progress_ns = 0                                # of the last receipt, or of the first in flight
        self._drained_ns = 0                                 # when a message was last sent with nothing in flight
        self._opening = True                                 # no receipt has come since then

    @property
    def bytes(self) -> int:
        """Bytes that may be in flight now."""
        return min(self._link.window_bytes, self._cap_bytes)

    @property
    def in_flight(self) -> int:
        """Messages in flight."""
        return len(self._in_flight)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in flight."""
        return not self._in_flight

    def must_drain(self, now: int) -> bool:
        """Whether all messages in flight must arrive before more are sent."""
        return bool(self._in_flight) and now - self._drained_ns >= DRAIN_NS

    def fits(self, size: int) -> bool:
        """Whether a message of this size may be sent now; with nothing in flight any may."""
        within = self.in_flight_bytes + size <= self.bytes and len(self._in_flight) < IN_FLIGHT
        return not self._in_flight or within

    def on_sent(self, size: int, now: int) -> int:
        """A message is sent now. Returns its number."""
        self.number += 1
        if not self._in_flight:
            self._progress_ns = self._drained_ns = now
            self._opening = True
        self._in_flight.append(_InFlight(self.number, size, now, self._delivered, self._opening))
        self.in_flight_bytes += size
        return self.number

    def on_receipt(self, receipt: Receipt, now: int) -> None:
        """The peer sent a receipt. Raises: WireError `receipt` for messages that were never sent."""
        if receipt.number > self.number or receipt.lost > receipt.number:
            raise WireError("receipt", f"of number {receipt.number}, {receipt.lost} lost; {self.number} were sent")
        newest: _InFlight | None = None
        while self._in_flight and self._in_flight[0].number <= receipt.number:
            newest = self._in_flight.popleft()
            self.in_flight_bytes -= newest.size
            self._delivered += newest.size
        for _ in range(min(receipt.lost - self.lost, IN_FLIGHT)):
            self._link.probe(lost=True)
        self.lost = max(self.lost, receipt.lost)
        if newest is None:
            return
        self._progress_ns, self._silent, self._opening = now, 0, False
        self._cap_bytes = min(2 * self._cap_bytes, WINDOW_BYTES[1])
        self._measure(newest, now - newest.sent_ns - ns(receipt.held_s))

    def check_silence(self, now: int) -> None:
        """If no receipt has arrived for too long, forget the messages in flight, and start with a small window."""
        quality = self._link.quality
        patience_s = max(SILENCE_S, 4 * (quality.rtt_s + self.in_flight_bytes / quality.bytes_per_s))
        if not self._in_flight or now - self._progress_ns < ns(patience_s) << min(self._silent, 3):
            return
        self.silences += 1
        self._silent += 1
        self._cap_bytes = WINDOW_BYTES[0]
        self.forget()

    def forget(self) -> None:
        """Expect no receipt for the messages in flight."""
        self._in_flight.clear()
        self.in_flight_bytes = 0

    def _measure(self, newest: _InFlight, took_ns: int) -> None:
        """Delivery rate: bytes that were acknowledged between a message's sending and its receipt.

        Source: Cheng et al., Delivery Rate Estimation, draft-cheng-iccrg-delivery-rate-estimation. For messages sent
        before the first receipt since the window was empty, the round trip is not part of the transfer and is
        subtracted; a small one of them measures the round trip (as in BBR: Cardwell et al., ACM Queue 14(5), 2016),
        and a slow link's rate until a larger one has.
        """
        size, took_s = self._delivered - newest.delivered, max(seconds(took_ns), 0.0)
        if size <= CHUNK_BYTES:
            if newest.opening:
                self._link.clear_trip(took_s, size)
            return
        if newest.opening:
            took_s = max(took_s - self._link.quality.surely_s, took_s / 4)
        self._link.delivered(size, took_s)
