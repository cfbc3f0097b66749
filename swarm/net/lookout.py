"""Does what membership asks for: heartbeats, rumours, introductions, and a timer for the next look."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from swarm.core import messages as msg
from swarm.core.membership import NEIGHBOURS, Membership
from swarm.core.sightings import Ask, Came, Command, Doubted, Lost, Tell
from swarm.net.endpoint import Received
from swarm.net.loop import Timer
from swarm.net.process import Process

Changed = Came | Lost | Doubted


class Lookout:
    """Watches the agents of a swarm for one process. `changed` is told whenever its view of one of them changes.

    engaged: the agents that are worked with at the moment.
    """

    def __init__(
        self, process: Process, changed: Callable[[Changed], None], *, neighbours: int = NEIGHBOURS,
        engaged: Callable[[int], Collection[str]] = lambda _: (),
    ) -> None:
        self.view = Membership(process.name, neighbours)
        self._process, self._loop, self._clock = process, process.loop, process.clock
        self._changed, self._engaged = changed, engaged
        self._timer: Timer | None = None
        self._ungreeted: set[str] = set()            # newcomers that could not be reached yet

    def met(self, names: Sequence[str]) -> None:
        """Members that have joined, or moved. They are greeted, unless a launcher has told them of us."""
        where = (self._process.net.where(name) for name in names)
        agents = {member.name: member.boot for member in where if member is not None and member.role == "agent"}
        self._ungreeted |= {n for n in agents if self._process.launcher is None or n in self._process.guests}
        self._do(self.view.joined(agents, self._clock.now_ns()))

    def heard(self, message: Received) -> bool:
        """Any message of an agent. Returns whether to go on with it: not if it comes of a start that is over."""
        peer, boot = message.sender, message.boot
        if isinstance(message.body, msg.HeartbeatAck):
            link = self._process.net.link(peer)
            trip_s = link.quality.rtt_s + 2 * link.quality.rtt_spread_s if link else 0.0
            commands = self.view.answered(peer, boot, message.at_ns, trip_s)
        else:
            commands = self.view.spoke(peer, boot, message.at_ns)
        if commands:
            self._do(commands)
        return not self.view.is_ghost(peer, boot)

    def rumour(self, told: msg.Rumour) -> None:
        """What another member says of a third."""
        if told.about != self._process.name:
            self._do(self.view.told(told.about, told.boot, told.silent, self._clock.now_ns()))

    def _tick(self) -> None:
        now = self._clock.now_ns()
        self._do(self.view.tick(now, self._engaged(now)))

    def _do(self, commands: Sequence[Command]) -> None:
        for command in commands:
            match command:
                case Ask(names=names):
                    self._ungreeted -= {name for name in self._ungreeted if self._process.introduce(name)}
                    self._process.beat(names)
                case Tell(to=to, about=about, boot=boot, silent=silent):
                    for name in to:
                        self._process.net.send(name, msg.Rumour(about=about, boot=boot, silent=silent))
                case _:
                    self._changed(command)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.at(self.view.next_ns(), self._tick)
