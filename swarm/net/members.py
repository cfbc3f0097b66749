"""The members that this process is connected to: addresses, a socket to each lane, and the measured link."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import zmq

from swarm.core.policy.link import LinkEstimator, LinkQuality
from swarm.core.protocol.messages import Member
from swarm.core.protocol.wire import WireError
from swarm.core.settings import addresses, rules
from swarm.core.settings.errors import BadInput
from swarm.core.units import ns
from swarm.net import sockets
from swarm.net.bulk.lane import Bulk
from swarm.net.loop import Loop
from swarm.net.name_lookup import NameLookup
from swarm.net.security.zap import Authenticator
from swarm.net.sockets import LANES

log = logging.getLogger(__name__)

MOST_PEERS = 1024                    # members that are known; each has two sockets
LOOK_UP_AGAIN_S = 5.0                # a host whose name did not resolve


class Peer:
    """A member that we are connected to."""

    def __init__(self, member: Member, lanes: dict[str, zmq.Socket[Any]]) -> None:
        self.member, self.lanes, self.estimator = member, lanes, LinkEstimator()


class Members:
    """Connects and forgets members. own: the name of this process. refuse: called for each member that is refused.

    auth: our keys and the members' keys; None: plaintext.
    """

    def __init__(
        self, context: zmq.Context[Any], loop: Loop, own: str, bulk: Bulk, auth: Authenticator | None,
        refuse: Callable[[WireError], None], names: NameLookup | None = None,
    ) -> None:
        self._context, self._own, self._bulk, self._auth, self._refuse = context, own, bulk, auth, refuse
        self._loop, self._names = loop, names or NameLookup(loop)
        self._unresolved: set[str] = set()           # hosts that were reported
        self._peers: dict[str, Peer] = {}
        self._known: dict[str, Member] = {}          # all announced members: a key may be enrolled later

    def join(self, members: Sequence[Member]) -> None:
        """Connect to every member but this process; a member whose address changed is connected again.

        A member is refused if its key is not enrolled, if it is announced with another key, or if its address is not
        valid.
        """
        for member in members:
            known = self._peers.get(member.name)
            if member.name == self._own or (known is not None and known.member == member):
                continue
            self.leave(member.name)
            try:
                rules.member(member, "member")
                if len(self._known) >= MOST_PEERS:
                    raise WireError("member", f"no room for {member.name}: there are {MOST_PEERS}")
                self._known[member.name] = member
                peer = self._peers[member.name] = Peer(member, self._dial(member))
            except BadInput as error:                # from a message: files are checked when they are read
                self._refuse(WireError("member", str(error)))
            except WireError as error:
                self._refuse(error)
            else:
                self._bulk.join(member.name, peer.estimator)
                for lane in LANES:
                    self._connect(peer, lane)

    def leave(self, name: str) -> None:
        """Forget a member; messages queued for it are dropped."""
        self._known.pop(name, None)
        peer = self._peers.pop(name, None)
        if peer is not None:
            self._bulk.leave(name)
            for socket in peer.lanes.values():
                socket.close(linger=0)

    def keys_changed(self, names: frozenset[str]) -> None:
        """Disconnect members whose key was revoked; connect those whose key was enrolled or replaced."""
        changed = [member for name, member in self._known.items() if name in names]
        for member in changed:
            self.leave(member.name)
        self.join(changed)

    def get(self, name: str) -> Peer | None:
        return self._peers.get(name)

    def peers(self, *roles: str) -> list[str]:
        """Names of the connected members, in the order of joining; of these roles, if any are named."""
        return [name for name, peer in self._peers.items() if not roles or peer.member.role in roles]

    def role(self, name: str) -> str:
        """Role of a member, empty if it is not known."""
        peer = self._peers.get(name)
        return peer.member.role if peer else ""

    def where(self, name: str) -> Member | None:
        """A member's addresses, if it is connected."""
        peer = self._peers.get(name)
        return peer.member if peer else None

    def link(self, name: str) -> LinkEstimator | None:
        """The estimator of the link to a member."""
        peer = self._peers.get(name)
        return peer.estimator if peer else None

    def links(self) -> dict[str, LinkQuality]:
        """The measured quality of the links to all members."""
        return {name: peer.estimator.quality for name, peer in self._peers.items()}

    def _connect(self, peer: Peer, lane: str) -> None:
        """Connect one lane, at once or when the name of its host resolves; not if the member left meanwhile."""
        if self._peers.get(peer.member.name) is not peer:
            return
        host = addresses.host_of(getattr(peer.member, lane))
        if addresses.is_number(host) or addresses.on_loopback(host):
            self._looked_up(peer, lane, host, "")
        else:
            self._names.start(host, partial(self._looked_up, peer, lane, host))

    def _looked_up(self, peer: Peer, lane: str, host: str, cause: str) -> None:
        """cause: why the host cannot be found; empty if it can."""
        if self._peers.get(peer.member.name) is not peer:
            return
        if not cause:
            self._unresolved.discard(host)
            try:
                sockets.connect(peer.lanes[lane], getattr(peer.member, lane))
            except BadInput as error:
                self._refuse(WireError("member", str(error)))
                self.leave(peer.member.name)
            return
        if host not in self._unresolved:
            log.warning("the host %s of %s cannot be found (%s); it is looked up again every %g s", host,
                        peer.member.name, cause, LOOK_UP_AGAIN_S)
            self._unresolved.add(host)
        self._loop.after(ns(LOOK_UP_AGAIN_S), partial(self._connect, peer, lane))

    def _dial(self, member: Member) -> dict[str, zmq.Socket[Any]]:
        """A socket to each lane of a member, not connected. Raises: WireError; then no socket is left open."""
        opened: dict[str, zmq.Socket[Any]] = {}
        try:
            for lane in LANES:
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
