"""The processes that have reported ready, and what is sent to them."""

from __future__ import annotations

from functools import partial

from swarm.core.protocol.messages import Body, Member
from swarm.membership.outbox import Outbox
from swarm.net.endpoint import Endpoint
from swarm.net.loop import Loop


class Members:
    """Sends are kept until the connection stands, in order; what is for the dead is dropped."""

    def __init__(self, loop: Loop, net: Endpoint) -> None:
        self._loop, self._net = loop, net
        self._members: dict[str, Member] = {}
        self._boots: dict[str, int] = {}
        self._roles: dict[str, str] = {}             # also of the dead: their last words may still be on the way
        self._outboxes: dict[str, Outbox] = {}

    def add(self, member: Member, boot: int) -> bool:
        """A process is ready, perhaps in another's stead. Returns whether that is new."""
        name = member.name
        if self._boots.get(name) == boot:
            return False
        self._members[name], self._boots[name], self._roles[name] = member, boot, member.role
        self._net.join([member])
        self._outboxes[name] = Outbox(self._loop, partial(self._send, name, boot))
        return True

    def lost(self, name: str) -> int:
        """A process has ended. Returns its boot, 0 if it was never ready."""
        self._members.pop(name, None)
        self._net.leave(name)
        return self._boots.get(name, 0)

    def role(self, name: str) -> str:
        """Role of a process that was ready once, empty for a stranger."""
        return self._roles.get(name, "")

    def names(self) -> set[str]:
        """Those that are ready and alive."""
        return set(self._members)

    def roster(self) -> list[Member]:
        return list(self._members.values())

    def tell(self, name: str, body: Body) -> None:
        self._outboxes[name].put(body)

    def tell_all(self, body: Body) -> None:
        for name in self._members:
            self.tell(name, body)

    def _send(self, name: str, boot: int, body: Body) -> bool:
        dead = name not in self._members or self._boots[name] != boot
        return dead or self._net.send(name, body)
