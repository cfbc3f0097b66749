"""Messages that must not be lost while the way to one peer is closed: kept, bounded, and sent when it opens."""

from __future__ import annotations

import collections
from collections.abc import Callable

import msgspec

from swarm.core.clock import ns
from swarm.core.ports import Timers
from swarm.core.protocol.messages import Body

BOUND = 20_000
RETRY_NS = ns(0.02)


class OutboxStatistics(msgspec.Struct, frozen=True):
    """What waits now, and what was dropped since the start."""

    waiting: int
    dropped: int


class Outbox:
    """First in, first out; beyond `BOUND` the oldest are dropped and counted."""

    def __init__(self, timers: Timers, send: Callable[[Body], bool]) -> None:
        self._timers, self._send = timers, send
        self._waiting: collections.deque[Body] = collections.deque(maxlen=BOUND)
        self._retrying = False
        self._dropped = 0

    def put(self, body: Body) -> None:
        if self._waiting or not self._send(body):
            self._dropped += len(self._waiting) == BOUND
            self._waiting.append(body)
            self._retry_later()

    def _retry_later(self) -> None:
        if not self._retrying:
            self._retrying = True
            self._timers.after(RETRY_NS, self._flush)

    def _flush(self) -> None:
        self._retrying = False
        while self._waiting and self._send(self._waiting[0]):
            self._waiting.popleft()
        if self._waiting:
            self._retry_later()

    def statistics(self) -> OutboxStatistics:
        return OutboxStatistics(len(self._waiting), self._dropped)

    def __len__(self) -> int:
        return len(self._waiting)
