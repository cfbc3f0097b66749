"""Watches the agents of a swarm for one process: performs the commands of its view, and calls its ticks in time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial

from swarm.core.ports import Host, Received, Timer
from swarm.core.protocol import messages as msg
from swarm.core.units import ns
from swarm.membership.events import Command, Failed, Joined, Probe, Suspected, Tell
from swarm.membership.participant import Participant
from swarm.membership.ring import NEIGHBOURS
from swarm.membership.view import Membership

CLOSE_S = 6.0                        # a member that is lost for so long gets a new connection

Changed = Joined | Failed | Suspected


class FailureDetector:
    """Heartbeats, gossip and introductions of one participant.

    changed: called whenever its view of members changes, with all that change together.
    active_peers: returns the active peers at a time (ns): the agents that this process works with.
    """

    def __init__(
        self, host: Host, participant: Participant, changed: Callable[[Sequence[Changed]], None], *,
        neighbours: int = NEIGHBOURS, active_peers: Callable[[int], Collection[str]] = lambda _: (),
    ) -> None:
        self.view = Membership(participant.name, neighbours)
        self._participant, self._net = participant, host.transport
        self._timers, self._clock = host.timers, host.clock
        self._changed, self._active_peers = changed, active_peers
        self._timer: Timer | None = None
        self._to_introduce: set[str] = set()         # newcomers that our introduction has not reached yet

    def met(self, names: Sequence[str]) -> None:
        """Members joined, or changed their address. We introduce ourselves, unless a launcher does."""
        members = (self._net.where(name) for name in names)
        agents = {member.name: member.boot for member in members if member is not None and member.role == "agent"}
        self._to_introduce |= {name for name in agents if self._participant.introduces_itself_to(name)}
        self._perform(self.view.on_announced(agents, self._clock.now_ns()))

    def heard(self, message: Received) -> bool:
        """A message of an agent was received. False: ignore it, because its sender is a start that has ended."""
        peer, boot = message.sender, message.boot
        if isinstance(message.body, msg.HeartbeatAck):
            link = self._net.link(peer)
            trip_s = link.quality.rtt_s + 2 * link.quality.rtt_spread_s if link else 0.0
            commands = self.view.on_answer(peer, boot, message.at_ns, trip_s)
        else:
            commands = self.view.on_message(peer, boot, message.at_ns)
        if commands:
            self._perform(commands)
        return not self.view.is_stale(peer, boot)

    def gossip(self, gossip: msg.Gossip) -> None:
        """Another member sent gossip about a third one."""
        if gossip.about != self._participant.name:
            self._perform(self.view.on_gossip(gossip.about, gossip.boot, gossip.silent, self._clock.now_ns()))

    def _renew_connection(self, name: str) -> None:
        """Close the connection to a member that is still lost, and open a new one.

        The old one may hold what the kernel repeats at ever longer intervals, so that a member that comes back would
        hear nothing for minutes.
        """
        member = self._net.where(name)
        if member is not None and self.view.state(name) == "lost":
            self._net.leave(name)
            self._net.join([member])

    def _tick(self) -> None:
        now = self._clock.now_ns()
        self._perform(self.view.tick(now, self._active_peers(now)))

    def _perform(self, commands: Sequence[Command]) -> None:
        changes: list[Changed] = []
        for command in commands:
            match command:
                case Probe(names=names):
                    self._to_introduce -= {name for name in self._to_introduce if self._net.where(name) is None
                                           or self._participant.introduce(name)}
                    self._participant.send_heartbeats(names)
                case Tell(to=to, about=about, boot=boot, silent=silent):
                    for name in to:
                        self._net.send(name, msg.Gossip(about=about, boot=boot, silent=silent))
                case Failed(name=name):
                    changes.append(command)
                    self._timers.after(ns(CLOSE_S), partial(self._renew_connection, name))
                case _:
                    changes.append(command)
        if changes:
            self._changed(changes)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._timers.at(self.view.next_ns(), self._tick)
