"""The port `Lanes` on ZeroMQ's sockets, and the endpoint of a process that stands on it.

Each lane is a bound ROUTER that receives the messages of all peers, and a DEALER to each peer that sends ours. Each
connection carries traffic one way, so a send knows whether the peer can be reached: in immediate mode a DEALER without
a completed connection, or with a full queue, refuses at once and stores no stale messages.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any

import zmq

from swarm.core.policy.allowance import Allowances
from swarm.core.ports import Received
from swarm.core.protocol.messages import Member
from swarm.core.protocol.wire import WireError
from swarm.core.settings.addresses import at_host
from swarm.core.settings.errors import BadInput
from swarm.net import sockets
from swarm.net.dialler import Dialled, Dialler
from swarm.net.lane import Lane
from swarm.net.loop import Loop
from swarm.net.security.keyring import Keyring
from swarm.net.security.zap import Authenticator
from swarm.transport.endpoint import Endpoint
from swarm.transport.members import MOST_PEERS
from swarm.transport.ports import LANES, Lanes, LaneStatistics, Link
from swarm.transport.shaped_lanes import ShapedLanes

OWN_SOCKETS = 64                     # lanes, their monitors, ZAP
HEADER_BYTES = 1 << 10               # a longer header counts as several messages: it takes as long to decode
PER_S = 1000.0                       # messages of one member: far more than agents send each other
REPORTS_PER_S = 5000.0               # the same, where agents report: each request is told of twice
BURST_S = 0.5                        # so much of a second's messages may come at once
MOST_DROPPED = 2000                  # before the connection is cut, and the member is barred for a while
COLLECTING = ("launcher", "collector")


class SocketLanes:
    """Both lanes, bound to an address.

    own: the name of this process. bind: an address, and a port for the urgent lane if it must be fixed; the bulk lane
    then has the next port. keyring: our key and the members' keys; None: plaintext, where the name that a connection
    claims is not checked. per_s: most messages of one member, if there are keys. announced: the host that others are
    told; empty: that of `bind`. Raises: BadInput if the address cannot be bound.
    """

    def __init__(
        self, loop: Loop, own: str, bind: str, keyring: Keyring | None, per_s: float = PER_S, announced: str = ""
    ) -> None:
        self._loop = loop
        self._received: Callable[[str, Sequence[Any], int], None] = lambda name, frames, size: None
        self._early: list[WireError] = []            # refusals before `attach`
        self._refuse: Callable[[WireError], None] = self._early.append
        self._keys_changed: Callable[[frozenset[str]], None] = lambda names: None
        self.public_key = keyring.own.public if keyring else ""
        self.addresses: dict[str, str] = {}
        self.context: zmq.Context[Any] = zmq.Context()
        self.context.set(zmq.MAX_SOCKETS, 2 * MOST_PEERS + OWN_SOCKETS)
        self.auth = keyring and Authenticator(
            self.context, loop, keyring, refuse=self._refused, changed=lambda names: self._keys_changed(names))
        self._allowed = Allowances(BURST_S * per_s, per_s, lambda name: bool(keyring and keyring.public(name)))
        self._dropped: collections.Counter[str] = collections.Counter()      # since a member was last barred
        self.by_name: dict[str, Lane] = {}
        lets_in = self.auth.lets_in if self.auth else lambda address: True
        try:
            for name in LANES:
                lane = self.by_name[name] = Lane(self.context, loop, name, self._refused, lets_in)
                if self.auth:
                    self.auth.serve(lane.socket)
                bound = sockets.bind(lane.socket, name, bind)
                self.addresses[name] = at_host(bound, announced) if announced else bound
        except BadInput:
            self._close(0)
            raise
        self._dialler = Dialler(self.context, loop, own, self.by_name, self.auth)

    def attach(
        self, received: Callable[[str, Sequence[Any], int], None], refuse: Callable[[WireError], None],
        keys_changed: Callable[[frozenset[str]], None],
    ) -> None:
        self._received, self._refuse, self._keys_changed = received, refuse, keys_changed
        for error in self._early:
            refuse(error)
        for lane in self.by_name.values():
            self._loop.watch(lane.socket, partial(self._receive, lane))

    def check(self, member: Member) -> None:
        if self.auth:
            self.auth.check(member)

    def connect(self, member: Member, failed: Callable[[WireError], None]) -> Dialled:
        return self._dialler.connect(member, failed)

    def statistics(self) -> Mapping[str, LaneStatistics]:
        return {name: lane.statistics() for name, lane in self.by_name.items()}

    def close(self, linger_ms: int = 0) -> None:
        if not self.context.closed:
            for lane in self.by_name.values():
                self._loop.unwatch(lane.socket)
            self._close(linger_ms)

    def _close(self, linger_ms: int) -> None:
        for lane in self.by_name.values():
            lane.close()
        if self.auth:
            self.auth.close()
        self.context.destroy(linger=linger_ms)

    def _refused(self, error: WireError) -> None:
        self._refuse(error)

    def _receive(self, lane: Lane) -> None:
        """Receive one message. The loop calls again for the next one, after the other lane had its turn."""
        message = lane.receive()
        if message is None:
            return
        identity, frames, size = message
        try:
            if self.auth is None:
                self._received(sockets.name_of(identity), frames, size)
                return
            sender = self.auth.sender_of(identity)
            counts = 1 + len(frames[0]) // HEADER_BYTES      # tensors cost little, and windows limit them
            if self._allowed.take(sender, self._loop.clock.now_ns(), counts):
                self._received(sender, frames, size)
            else:
                self._drop(lane, identity, sender)
        except WireError as error:
            self._refuse(error)

    def _drop(self, lane: Lane, identity: zmq.Frame, sender: str) -> None:
        """Drop a message of a member that sends too many; if it goes on, cut it off. Raises: WireError."""
        assert self.auth is not None
        self._dropped[sender] += 1
        if self._dropped[sender] >= MOST_DROPPED:
            self._dropped[sender] = 0
            self.auth.bar(sender)
            lane.cut(identity)
        raise WireError("rate", f"{sender} sends too many messages; if it goes on, it is cut off for a while")


def open_endpoint(
    loop: Loop, *, swarm: str, name: str, role: str, boot: int,
    handler: Callable[[Received], None] = lambda message: None, bind: str = "127.0.0.1",
    keyring: Keyring | None = None, undelivered: Callable[[str, Hashable, str], None] = lambda *_: None,
    link_to: Callable[[str], Link | None] | None = None, per_s: float | None = None, announced: str = "",
) -> Endpoint:
    """The transport of this process on sockets; see `SocketLanes`, `ShapedLanes` and `Endpoint`. Raises: BadInput.

    per_s: most messages of one member; None: as many as honest ones of its role send.
    """
    lanes: Lanes = SocketLanes(
        loop, name, bind, keyring, per_s or (REPORTS_PER_S if role in COLLECTING else PER_S), announced)
    if link_to is not None:
        lanes = ShapedLanes(lanes, loop.clock, loop, link_to)
    return Endpoint(
        loop.clock, loop, lanes, swarm=swarm, name=name, role=role, boot=boot,
        handler=handler, undelivered=undelivered)
