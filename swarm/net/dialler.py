"""Connects to the lanes of members: a socket for each lane, after the name of the host is resolved."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import zmq

from swarm.core.protocol.messages import Member
from swarm.core.protocol.wire import WireError
from swarm.core.settings import addresses
from swarm.core.settings.errors import BadInput
from swarm.core.units import ns
from swarm.net import sockets
from swarm.net.lane import Lane
from swarm.net.loop import Loop
from swarm.net.name_lookup import NameLookup
from swarm.net.security.zap import Authenticator

log = logging.getLogger(__name__)

LOOK_UP_AGAIN_S = 5.0                # a host that is not found, or to which no connection stands


class Dialled:
    """The connection to one member: the port `Connection`."""

    def __init__(self, member: Member, lanes: Mapping[str, Lane], sockets_: Mapping[str, zmq.Socket[Any]]) -> None:
        self.member, self.sockets, self.closed = member, sockets_, False
        self.write = {name: partial(lane.write, sockets_[name]) for name, lane in lanes.items()}
        self._at: dict[str, str] = {}                # where each lane is connected to by the name of a host

    def move(self, lane: str, endpoint: str) -> None:
        """Connect a lane to this endpoint, and no longer to another. Raises: BadInput."""
        if (old := self._at.get(lane)) == endpoint:
            return
        if old is not None:
            sockets.disconnect(self.sockets[lane], old)
        sockets.connect(self.sockets[lane], endpoint)
        self._at[lane] = endpoint

    def is_ready(self, lane: str) -> bool:
        return not self.closed and bool(self.sockets[lane].poll(0, zmq.POLLOUT))

    def close(self) -> None:
        self.closed = True
        for socket in self.sockets.values():
            socket.close(linger=0)


class Dialler:
    """Makes connections. own: the name of this process. auth: our keys and the members' keys; None: plaintext."""

    def __init__(
        self, context: zmq.Context[Any], loop: Loop, own: str, lanes: Mapping[str, Lane], auth: Authenticator | None,
        names: NameLookup | None = None,
    ) -> None:
        self._context, self._loop, self._own, self._lanes, self._auth = context, loop, own, lanes, auth
        self._names = names or NameLookup(loop)
        self._unresolved: set[str] = set()           # hosts that were reported

    def connect(self, member: Member, failed: Callable[[WireError], None]) -> Dialled:
        """As the port `Lanes` says."""
        connection = Dialled(member, self._lanes, self._sockets(member))
        try:
            for lane in self._lanes:
                self._connect(connection, lane, failed)
        except BadInput:
            connection.close()
            raise
        return connection

    def _connect(self, connection: Dialled, lane: str, failed: Callable[[WireError], None]) -> None:
        """Connect one lane, at once or when the name of its host resolves. Raises: BadInput, only at once."""
        host = addresses.host_of(getattr(connection.member, lane))
        if addresses.is_number(host) or addresses.on_loopback(host):
            sockets.connect(connection.sockets[lane], getattr(connection.member, lane))
        else:
            self._names.start(host, partial(self._looked_up, connection, lane, host, failed))

    def _looked_up(
        self, connection: Dialled, lane: str, host: str, failed: Callable[[WireError], None], address: str, cause: str
    ) -> None:
        """cause: why the host cannot be found; empty if it can. Nothing is done for a member that left meanwhile."""
        if connection.closed:
            return
        self._loop.after(ns(LOOK_UP_AGAIN_S), partial(self._look_up_again, connection, lane, failed))
        if cause:
            if host not in self._unresolved:
                log.warning("the host %s of %s cannot be found (%s); it is looked up again every %g s", host,
                            connection.member.name, cause, LOOK_UP_AGAIN_S)
                self._unresolved.add(host)
            return
        self._unresolved.discard(host)
        try:
            connection.move(lane, addresses.at_host(getattr(connection.member, lane), address))
        except BadInput as error:
            failed(WireError("member", str(error)))

    def _look_up_again(self, connection: Dialled, lane: str, failed: Callable[[WireError], None]) -> None:
        """A host to which no connection stands may have another address by now."""
        if connection.is_ready(lane):
            self._loop.after(ns(LOOK_UP_AGAIN_S), partial(self._look_up_again, connection, lane, failed))
        elif not connection.closed:
            self._connect(connection, lane, failed)

    def _sockets(self, member: Member) -> dict[str, zmq.Socket[Any]]:
        """A socket to each lane of a member, not connected. Raises: WireError; then no socket is left open."""
        opened: dict[str, zmq.Socket[Any]] = {}
        try:
            for lane in self._lanes:
                socket = opened[lane] = sockets.dialling(self._context, lane, "" if self._auth else self._own)
                if self._auth:
                    self._auth.dial(socket, member)
        except (BadInput, WireError, zmq.ZMQError) as error:
            for socket in opened.values():
                socket.close(linger=0)
            if isinstance(error, zmq.ZMQError):      # no more sockets, or no more open files
                raise WireError("member", f"{member.name} cannot be connected: {error}") from None
            raise
        return opened
