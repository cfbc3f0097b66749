"""A link in fake time: a first-in-first-out pipe of a set bandwidth and delay, with both ends of a bulk lane on it."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from functools import partial

import numpy as np

from swarm.core.policy.link import LinkEstimator
from swarm.core.protocol.messages import Start
from swarm.core.protocol.wire import Receipt
from swarm.core.units import ns, seconds
from swarm.transport.bulk.lane import RECEIPT_BYTES, RECEIPT_NS
from swarm.transport.bulk.receiver import Incoming
from swarm.transport.bulk.sender import Outgoing
from swarm.transport.bulk.steps import QueuedMessage, SendChunk, SendWhole

BEAT_BYTES = 100
LISTEN_NS = ns(0.25)


def queued(size: int, deadline_ns: int | None = None, tag: object = None) -> QueuedMessage:
    """A message of one tensor of `size` bytes."""
    return QueuedMessage(Start(), [np.zeros(size, np.uint8)], deadline_ns, tag)


class FakeLink:
    """A saturating sender, the pipe, and a receiver that reads at once and answers as bulk.py does.

    beats: heartbeats per second, which share the pipe; 0: none. burst_bytes: pass at once after a pause, as a token
    bucket lets them.
    """

    def __init__(
        self, bytes_per_s: float, rtt_s: float, *, message_bytes: int = 4 << 20, beats: float = 10.0,
        burst_bytes: int = 0,
    ) -> None:
        self.bytes_per_s, self.rtt_s, self.message_bytes = bytes_per_s, rtt_s, message_bytes
        self.burst_bytes = burst_bytes
        self.link = LinkEstimator()
        self.out = Outgoing(self.link)
        self.now = self.delivered = 0
        self.beat_waits_s: list[float] = []
        self._free_ns = 0
        self._incoming = Incoming(1)
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        if beats:
            self._beat_ns = ns(1 / beats)
            self._at(0, self._beat)
        self._at(LISTEN_NS, self._listen)

    def run(self, for_s: float) -> float:
        """Share of the link that was used by bulk meanwhile."""
        end, before = self.now + ns(for_s), self.delivered
        self._send_next()
        while self._events[0][0] <= end:
            self.now, _, event = heapq.heappop(self._events)
            event()
        self.now = end
        return (self.delivered - before) / for_s / self.bytes_per_s

    def _at(self, when: int, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), event))

    def _carry(self, size: int, arrived: Callable[[], None]) -> None:
        saved_ns = ns(self.burst_bytes / self.bytes_per_s)
        self._free_ns = max(self.now - saved_ns, self._free_ns) + ns(size / self.bytes_per_s)
        self._at(max(self.now, self._free_ns) + ns(self.rtt_s / 2), arrived)

    def _send_next(self) -> None:
        """The sender always has more; nothing that is put into the pipe exceeds the window."""
        going = True
        while going:
            if not self.out.statistics().waiting:
                assert self.out.put(queued(self.message_bytes))
            going = False
            for step in self.out.next_steps(self.now):
                assert isinstance(step, SendWhole | SendChunk)
                chunk = isinstance(step, SendChunk)
                size = step.end - step.offset if chunk else 0 if step.queued.transfer else step.queued.size
                assert self.out.window.in_flight_bytes <= max(self.out.window.bytes, size)
                self._carry(size, partial(self._came, step.number, size, chunk))
            going = not self.out.statistics().waiting

    def _came(self, number: int, size: int, chunk: bool) -> None:
        self.delivered += size
        self._incoming.on_message(number, size, self.now)
        if chunk or self._incoming.unreceipted_bytes >= RECEIPT_BYTES:
            self._answer()
        else:
            self._at(self.now + RECEIPT_NS, self._answer)

    def _answer(self) -> None:
        receipt = self._incoming.receipt(self.now)
        if receipt is not None:
            self._at(self.now + ns(self.rtt_s / 2), lambda: self._answered(receipt))

    def _answered(self, receipt: Receipt) -> None:
        self.out.window.on_receipt(receipt, self.now)
        self._send_next()

    def _beat(self) -> None:
        sent = self.now

        def back() -> None:
            self.beat_waits_s.append(seconds(self.now - sent))
            self.link.round_trip(seconds(self.now - sent))

        self._carry(BEAT_BYTES, lambda: self._at(self.now + ns(self.rtt_s / 2), back))
        self._at(self.now + self._beat_ns, self._beat)

    def _listen(self) -> None:
        self.out.window.check_silence(self.now)
        self._send_next()
        self._at(self.now + LISTEN_NS, self._listen)
