"""Decides which members join: those that a launcher names, and newcomers that introduce themselves to any member.

A member may change only its own address; about others it may only add names that we do not know. With keys these must
be enrolled: others are not remembered, so that nobody can fill our memory with names. A member that joins in this way
always gets the role of an agent. Without keys only members on this machine may join, unless the settings
allow others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from swarm.core.ports import Transport
from swarm.core.protocol.messages import Introduction, Member
from swarm.core.settings import rules

PEER_ROLES = ("agent", "planner")


class Introductions:
    """Joins members to a transport.

    changed: called with members that are new or changed their address. refuse: called with the reason of each refusal.
    local_only: only members on this machine may join.
    """

    def __init__(
        self, transport: Transport, *, local_only: bool, changed: Callable[[list[str]], None],
        refuse: Callable[[str], None],
    ) -> None:
        self._transport, self._local_only, self._changed, self._refuse = transport, local_only, changed, refuse
        self.newcomers: set[str] = set()     # members that no launcher has named

    def join(self, members: Sequence[Member]) -> None:
        """Connect to the members that may join."""
        net = self._transport
        before = {name: net.where(name) for name in net.peers()}
        net.join([member for member in members if self._may_join(member)])
        self._changed([name for name in net.peers() if before.get(name) != net.where(name)])

    def introduce(self, to: str) -> bool:
        """Send a member our address, and those of others. False: it cannot be reached yet."""
        net = self._transport
        others = [net.where(name) for name in net.peers(*PEER_ROLES) if name != to]
        return net.send(to, Introduction(members=[net.member, *(m for m in others if m)]))

    def on_introduction(self, sender: str, members: Sequence[Member]) -> None:
        """A member sent its own address and those of others. We pass the address of a newcomer on to the others."""
        net = self._transport
        known = net.where(sender)
        role = known.role if known else "agent"
        own = next((member for member in members if member.name == sender and member.role == role), None)
        if own is not None and own != known:
            self.newcomers.add(sender)
            self.join([own])
            for other in net.peers(*PEER_ROLES) if known is None and net.where(sender) == own else ():
                if other != sender:                  # the newcomer gets their addresses from `introduce`
                    net.send(other, Introduction(members=[own]))
        elif known is not None:
            strangers = [m for m in members if m.role == "agent" and net.where(m.name) is None and net.admits(m)]
            self.newcomers.update(m.name for m in strangers)
            self.join(strangers)
        self.newcomers.intersection_update(net.peers())

    def _may_join(self, member: Member) -> bool:
        allowed = not self._local_only or rules.is_local(member)
        if not allowed:
            self._refuse(f"{member.name} is beyond this machine, and there are no keys")
        return allowed
