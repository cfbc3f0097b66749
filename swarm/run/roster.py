"""The processes of a run that are ready, and the messages that wait for a connection to them."""

from __future__ import annotations

from functools import partial

from swarm.core.ports import Timers, Transport
from swarm.core.protocol.messages import Body, Member
from swarm.membership.outbox import Outbox


class Roster:
    """Members that are ready and alive, by name, in the order in which they became ready."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._boots: dict[str, int] = {}
        self._roles: dict[str, str] = {}             # kept after a member's end: its last messages may be on the way

    def add(self, member: Member, boot: int) -> bool:
        """A process is ready, perhaps as the successor of one that has ended. False: this is known already."""
        if self._boots.get(member.name) == boot:
            return False
        self._members[member.name] = member
        self._boots[member.name], self._roles[member.name] = boot, member.role
        return True

    def remove(self, name: str) -> int:
        """A process has ended. Returns its boot, or 0 if it was never ready."""
        self._members.pop(name, None)
        return self._boots.get(name, 0)

    def role(self, name: str) -> str:
        """Role of a process that was ready once; empty for a stranger."""
        return self._roles.get(name, "")

    def names(self) -> list[str]:
        return list(self._members)

    def members(self) -> list[Member]:
        return list(self._members.values())

    def __contains__(self, name: str) -> bool:
        return name in self._members


class Outboxes:
    """Sends messages to members in order, and keeps them until the connection stands; drops those for the dead."""

    def __init__(self, timers: Timers, transport: Transport) -> None:
        self._timers, self._transport = timers, transport
        self._boots: dict[str, int] = {}
        self._outboxes: dict[str, Outbox] = {}

    def join(self, member: Member, boot: int) -> None:
        """Connect to a process that is ready."""
        self._boots[member.name] = boot
        self._transport.join([member])
        self._outboxes[member.name] = Outbox(self._timers, partial(self._send, member.name, boot))

    def leave(self, name: str) -> None:
        """Disconnect from a process that has ended."""
        self._boots.pop(name, None)
        self._transport.leave(name)

    def tell(self, name: str, body: Body) -> None:
        self._outboxes[name].put(body)

    def _send(self, name: str, boot: int, body: Body) -> bool:
        """True also for a process that has ended: nothing more is to be done about its message."""
        return self._boots.get(name) != boot or self._transport.send(name, body)
