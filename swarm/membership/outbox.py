"""A bounded queue for messages to one peer that must not be lost while the peer cannot be reached."""

from __future__ import annotations

import collections
from collections.abc import Callable

from swarm.core.ports import Timers
from swarm.core.protocol.messages import Body
from swarm.core.units import ns

BOUND = 20_000
FIRST_RETRY_NS = ns(0.001)           # doubled each time: a connection that is being made stands within milliseconds
RETRY_NS = ns(0.02)                  # at most


class Outbox:
    """First in, first out; beyond `BOUND` the oldest message is dropped.

    send: as `Transport.send` to the peer; False: it cannot be reached now.
    """

    def __init__(self, timers: Timers, send: Callable[[Body], bool]) -> None:
        self._timers, self._send = timers, send
        self._waiting: collections.deque[Body] = collections.deque(maxlen=BOUND)
        self._retrying, self._retry_ns = False, FIRST_RETRY_NS

    def put(self, body: Body) -> None:
        if self._waiting or not self._send(body):
            self._waiting.append(body)
            self._retry_later()

    def _retry_later(self) -> None:
        if not self._retrying:
            self._retrying = True
            self._timers.after(self._retry_ns, self._flush)
            self._retry_ns = min(2 * self._retry_ns, RETRY_NS)

    def _flush(self) -> None:
        self._retrying = False
        while self._waiting and self._send(self._waiting[0]):
            self._waiting.popleft()
            self._retry_ns = FIRST_RETRY_NS
        if self._waiting:
            self._retry_later()

    def __len__(self) -> int:
        return len(self._waiting)
