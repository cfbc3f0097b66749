"""Lanes whose messages to some members leave later: the sender keeps the delay and the rate of a link itself.

It holds messages, not packets: below it everything is as fast as the lanes are.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from swarm.core.ports import Clock, Timers
from swarm.core.protocol.messages import Member
from swarm.core.protocol.wire import Buffer, WireError
from swarm.transport.ports import LANES, SEND_QUEUE, Connection, Lanes, Link


class ShapedLanes:
    """The port `Lanes` over other lanes. link_to: the link to a member; None: it is reached without delay."""

    def __init__(self, lanes: Lanes, clock: Clock, timers: Timers, link_to: Callable[[str], Link | None]) -> None:
        self._lanes, self._clock, self._timers, self._link_to = lanes, clock, timers, link_to
        self._links: dict[str, Link] = {}            # a new connection goes on with the link
        self.addresses, self.public_key = lanes.addresses, lanes.public_key
        self.attach, self.check, self.statistics, self.close = lanes.attach, lanes.check, lanes.statistics, lanes.close

    def connect(self, member: Member, failed: Callable[[WireError], None]) -> Connection:
        connection = self._lanes.connect(member, failed)
        link = self._links.get(member.name) or self._link_to(member.name)
        if link is None:
            return connection
        self._links[member.name] = link
        return ShapedConnection(connection, self._clock, self._timers, link)


class ShapedConnection:
    """The port `Connection` over another one: it hands on each message at the time at which the link delivers it.

    A message is dropped if the connection has ended meanwhile, or its queue is full.
    """

    def __init__(self, connection: Connection, clock: Clock, timers: Timers, link: Link) -> None:
        self._connection, self._clock, self._timers, self._link = connection, clock, timers, link
        self._waiting: dict[str, collections.deque[Sequence[Buffer]]] = {lane: collections.deque() for lane in LANES}
        self._last_ns: dict[str, int] = dict.fromkeys(LANES, 0)      # when the last one goes: a lane keeps the order
        self.write: Mapping[str, Callable[[Sequence[Buffer]], bool]] = {
            lane: partial(self._write, lane) for lane in LANES}

    def is_ready(self, lane: str) -> bool:
        return len(self._waiting[lane]) < SEND_QUEUE[lane] and self._connection.is_ready(lane)

    def close(self) -> None:
        for waiting in self._waiting.values():
            waiting.clear()
        self._connection.close()

    def _write(self, lane: str, frames: Sequence[Buffer]) -> bool:
        if not self.is_ready(lane):
            return False
        arrives_ns = self._link.arrives_ns(sum(map(len, frames)), self._clock.now_ns())
        self._last_ns[lane] = max(arrives_ns, self._last_ns[lane])
        self._waiting[lane].append(frames)
        self._timers.at(self._last_ns[lane], partial(self._hand_on, lane))
        return True

    def _hand_on(self, lane: str) -> None:
        """The oldest one is due; there is none after `close`."""
        if self._waiting[lane]:
            self._connection.write[lane](self._waiting[lane].popleft())
