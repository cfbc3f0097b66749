"""Who joins: members that a launcher names, and newcomers that introduce themselves to any member.

Where a member is to be found is its own word; of others a member can tell only what is new to us. A newcomer is an
agent: no role with more to say comes by this way. Without keys only members on this machine may join, unless the
settings say otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from swarm.core.ports import Transport
from swarm.core.protocol.messages import Joined, Member
from swarm.core.settings import rules

PEER_ROLES = ("agent", "planner")


class Introductions:
    """Joins members to a transport. `met` is told of those that are new or have moved, `refuse` of those kept out.

    local_only: no member beyond this machine may join.
    """

    def __init__(
        self, transport: Transport, *, local_only: bool, met: Callable[[list[str]], None],
        refuse: Callable[[str], None],
    ) -> None:
        self._transport, self._local_only, self._met, self._refuse = transport, local_only, met, refuse
        self.guests: set[str] = set()    # members that introduced themselves: no launcher tells others of them

    def join(self, members: Sequence[Member]) -> None:
        """Connect to those that may join."""
        net = self._transport
        before = {name: net.where(name) for name in net.peers()}
        net.join([one for one in members if self._may_join(one)])
        self._met([name for name in net.peers() if before.get(name) != net.where(name)])

    def introduce(self, to: str) -> bool:
        """Tell a member that we are there, and who else is. False: it cannot be reached yet."""
        net = self._transport
        others = [net.where(name) for name in net.peers(*PEER_ROLES) if name != to]
        return net.send(to, Joined(members=[net.member, *(m for m in others if m)]))

    def introduced(self, sender: str, members: Sequence[Member]) -> None:
        """A member tells of itself and of others; newcomers are told to those that are here."""
        net = self._transport
        known = net.where(sender)
        role = known.role if known else "agent"
        own = next((one for one in members if one.name == sender and one.role == role), None)
        if own is not None and own != known:
            self.guests.add(sender)
            self.join([own])
            for other in net.peers(*PEER_ROLES) if known is None and net.where(sender) == own else ():
                if other != sender:                  # the newcomer is told of them when it is greeted
                    net.send(other, Joined(members=[own]))
        elif known is not None:
            strangers = [m for m in members if m.role == "agent" and net.where(m.name) is None]
            self.guests.update(m.name for m in strangers)
            self.join(strangers)
        self.guests.intersection_update(net.peers())

    def _may_join(self, member: Member) -> bool:
        may = not self._local_only or rules.stays_here(member)
        if not may:
            self._refuse(f"{member.name} is beyond this machine, and there are no keys")
        return may
