"""Watches the agents of a swarm for one process: performs the commands of its view, and ticks it in time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from swarm.core.ports import Host, Received, Timer
from swarm.core.protocol import messages as msg
from swarm.membership.events import Command, Failed, Joined, Probe, Suspected, Tell
from swarm.membership.participant import Participant
from swarm.membership.ring import NEIGHBOURS
from swarm.membership.view import Membership

Changed = Joined | Failed | Suspected


class FailureDetector:
    """Heartbeats, gossip and introductions of one participant.

    changed: called whenever its view of a member changes.
    engaged: the agents that it works with now.
    """

    def __init__(
        self, host: Host, participant: Participant, changed: Callable[[Changed], None], *, neighbours: int = NEIGHBOURS,
        engaged: Callable[[int], Collection[str]] = lambda _: (),
    ) -> None:
        self.view = Membership(participant.name, neighbours)
        self._participant, self._net = participant, host.transport
        self._timers, self._clock = host.timers, host.clock
        self._changed, self._engaged = changed, engaged
        self._timer: Timer | None = None
        self._ungreeted: set[str] = set()            # newcomers that could not be reached yet

    def met(self, names: Sequence[str]) -> None:
        """Members joined, or have another address. We introduce ourselves, unless a launcher does."""
        where = (self._net.where(name) for name in names)
        agents = {member.name: member.boot for member in where if member is not None and member.role == "agent"}
        self._ungreeted |= {name for name in agents if self._participant.greets(name)}
        self._do(self.view.joined(agents, self._clock.now_ns()))

    def heard(self, message: Received) -> bool:
        """Any message of an agent. Returns whether to process it: not if it comes from a start that has ended."""
        peer, boot = message.sender, message.boot
        if isinstance(message.body, msg.HeartbeatAck):
            link = self._net.link(peer)
            trip_s = link.quality.rtt_s + 2 * link.quality.rtt_spread_s if link else 0.0
            commands = self.view.answered(peer, boot, message.at_ns, trip_s)
        else:
            commands = self.view.spoke(peer, boot, message.at_ns)
        if commands:
            self._do(commands)
        return not self.view.is_stale(peer, boot)

    def gossip(self, told: msg.Gossip) -> None:
        """Gossip of another member about a third one."""
        if told.about != self._participant.name:
            self._do(self.view.told(told.about, told.boot, told.silent, self._clock.now_ns()))

    def _tick(self) -> None:
        now = self._clock.now_ns()
        self._do(self.view.tick(now, self._engaged(now)))

    def _do(self, commands: Sequence[Command]) -> None:
        for command in commands:
            match command:
                case Probe(names=names):
                    self._ungreeted -= {name for name in self._ungreeted if self._participant.introduce(name)}
                    self._participant.beat(names)
                case Tell(to=to, about=about, boot=boot, silent=silent):
                    for name in to:
                        self._net.send(name, msg.Gossip(about=about, boot=boot, silent=silent))
                case _:
                    self._changed(command)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._timers.at(self.view.next_ns(), self._tick)
