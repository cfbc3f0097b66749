"""The members that this process is connected to: addresses, a connection to each, and the measured link."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from swarm.core.policy.link import LinkEstimator, LinkQuality
from swarm.core.protocol.messages import Member
from swarm.core.protocol.wire import WireError
from swarm.core.settings import rules
from swarm.core.settings.errors import BadInput
from swarm.transport.bulk.lane import Bulk
from swarm.transport.ports import Connection, Lanes

MOST_PEERS = 1024                    # members that are known; each has two connections


class Peer:
    """A member that we are connected to."""

    def __init__(self, member: Member, connection: Connection) -> None:
        self.member, self.connection, self.estimator = member, connection, LinkEstimator()
        self.write = connection.write                # by lane


class Members:
    """Connects and forgets members. own, role: of this process. refuse: called for each member that is refused.

    An agent connects to another one when it first sends to it, or hears of it: in a large swarm it works with few.
    """

    def __init__(self, lanes: Lanes, own: str, role: str, bulk: Bulk, refuse: Callable[[WireError], None]) -> None:
        self._lanes, self._own, self._role, self._bulk, self._refuse = lanes, own, role, bulk, refuse
        self._known: dict[str, Member] = {}          # all announced members: a key may be enrolled later
        self._joined: dict[str, Member] = {}         # those of them that were not refused
        self._peers: dict[str, Peer] = {}            # those of them that are connected

    def join(self, members: Sequence[Member]) -> None:
        """Take in every member but this process; a member whose address changed is connected again.

        A member is refused if its key is not enrolled, if it is announced with another key, or if its address is not
        valid.
        """
        for member in members:
            if member.name == self._own or self._joined.get(member.name) == member:
                continue
            self.leave(member.name)
            try:
                rules.member(member, "member")
                if len(self._known) >= MOST_PEERS:
                    raise WireError("member", f"no room for {member.name}: there are {MOST_PEERS}")
            except BadInput as error:                # from a message: files are checked when they are read
                self._refuse(WireError("member", str(error)))
            except WireError as error:
                self._refuse(error)
            else:
                self._known[member.name] = member
                self._admit(member)

    def admits(self, member: Member) -> bool:
        """Whether a member could join: its address is valid, and its key enrolled as it is announced."""
        try:
            rules.member(member, "member")
            self._lanes.check(member)
        except (BadInput, WireError):
            return False
        return True

    def reach(self, name: str) -> Peer | None:
        """The member with its connection, which is made if there is none yet; None: it has not joined."""
        peer = self._peers.get(name)
        if peer is None and name in self._joined:
            self._connect(self._joined[name])
            peer = self._peers.get(name)
        return peer

    def _admit(self, member: Member) -> None:
        try:
            self._lanes.check(member)
        except WireError as error:
            self._refuse(error)
            return
        self._joined[member.name] = member
        if not self._role == member.role == "agent":
            self._connect(member)

    def _connect(self, member: Member) -> None:
        """Connect to a member. One that cannot be connected now, as where files are short, may be later."""
        try:
            peer = Peer(member, self._lanes.connect(member, partial(self._failed, member)))
        except BadInput as error:
            self._known.pop(member.name, None)
            self._joined.pop(member.name, None)
            self._refuse(WireError("member", str(error)))
        except WireError as error:
            self._refuse(error)
        else:
            self._peers[member.name] = peer
            self._bulk.join(member.name, peer.estimator)

    def leave(self, name: str) -> None:
        """Forget a member; messages queued for it are dropped."""
        self._known.pop(name, None)
        self._joined.pop(name, None)
        peer = self._peers.pop(name, None)
        if peer is not None:
            self._bulk.leave(name)
            peer.connection.close()

    def keys_changed(self, names: frozenset[str]) -> None:
        """Disconnect members whose key was revoked; connect those whose key was enrolled or replaced."""
        changed = [member for name, member in self._known.items() if name in names]
        for member in changed:
            self.leave(member.name)
        self.join(changed)

    def peers(self, *roles: str) -> list[str]:
        """Names of the members that have joined, in this order; of these roles, if any are named."""
        return [name for name, member in self._joined.items() if not roles or member.role in roles]

    def role(self, name: str) -> str:
        """Role of a member, empty if it is not known."""
        member = self._joined.get(name)
        return member.role if member else ""

    def where(self, name: str) -> Member | None:
        """A member's addresses, if it has joined."""
        return self._joined.get(name)

    def link(self, name: str) -> LinkEstimator | None:
        """The estimator of the link to a member; None: it is not connected."""
        peer = self._peers.get(name)
        return peer.estimator if peer else None

    def links(self) -> dict[str, LinkQuality]:
        """The measured quality of the links to all connected members."""
        return {name: peer.estimator.quality for name, peer in self._peers.items()}

    def _failed(self, member: Member, error: WireError) -> None:
        """The address of a member is wrong."""
        self._refuse(error)
        if self.where(member.name) == member:
            self.leave(member.name)
