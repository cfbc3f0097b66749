"""Members on a network of the test's own, with its own time: messages are late or lost, members come, die and stop.

A stopped member hears what was sent to it when it goes on. What a dead one has sent still arrives. Each has the real
view of who is there, and the real book of whom it may give work.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

import msgspec

from agents.peers.table import PeerTable
from swarm.core.protocol.messages import Advert
from swarm.core.units import ns
from swarm.membership.events import Command, Failed, Joined, Probe, Suspected, Tell
from swarm.membership.ring import NEIGHBOURS
from swarm.membership.view import HEARTBEAT_S, Membership
from tests.agents.builders import profile

Step = Callable[[], None]
QUIET_S = 3 * HEARTBEAT_S
LATEST_S = 0.02                      # on the way
TOLD_S = 0.1                         # a start's address is known to all by then
ADVERT = Advert(board="b", executors=1, profiles=[profile()], streams=[])


class Life(msgspec.Struct):
    """One start of one member."""

    name: str
    boot: int
    view: Membership
    begun_ns: int
    ended_ns: int = 0
    stopped: bool = False
    held: list[Step] = []            # what it will do when it goes on
    peers: PeerTable = msgspec.field(default_factory=PeerTable)
    timer: int = 0

    def usable(self, now: int) -> set[str]:
        """Whom it would give work."""
        return set(self.peers.views(now))


class Crowd:
    """`names` from the start on; `loss` of single messages for as long as it is set."""

    def __init__(self, seed: int, names: list[str], neighbours: int = NEIGHBOURS) -> None:
        self.random = random.Random(seed)
        self.now, self.loss, self.names, self._neighbours = 0, 0.0, names, neighbours
        self.lives: dict[str, Life] = {}
        self.groups: dict[str, int] = {}             # of a partition; empty: none
        self.log: list[tuple[int, str, Command]] = []
        self._queue: list[tuple[int, int, Step]] = []
        self._count = 0
        self._active_peers: dict[str, list[str]] = {}
        self._announced: dict[tuple[str, str], int] = {}         # when, to whom, of whom
        for name in names:
            self.start(name)

    # --- faults ---

    def start(self, name: str, clock_back: bool = False) -> None:
        """For the first time or anew, at an address of its own, which all others are told."""
        before = self.lives.get(name)
        boot = 1000 * len(self.names) if before is None else before.boot + (-7 if clock_back else 1)
        life = Life(name=name, boot=boot, view=Membership(name, self._neighbours), begun_ns=self.now)
        self.lives[name] = life
        self.at(self.now + ns(self.random.uniform(0.0, TOLD_S)), lambda: self._begin(life))
        for other in [other for other in self.lives.values() if other is not life and not other.ended_ns]:
            told_ns = self.now + ns(self.random.uniform(0.0, TOLD_S))
            told_ns = self._announced[other.name, name] = max(told_ns, self._announced.get((other.name, name), 0) + 1)
            self.at(told_ns, lambda other=other: self._announce(other, name, boot))          # in order, by one source

    def join(self, name: str) -> None:
        """A newcomer."""
        self.names.append(name)
        self.start(name)

    def kill(self, name: str) -> None:
        self.lives[name].ended_ns = self.now

    def stop(self, name: str) -> None:
        self.lives[name].stopped = True

    def go_on(self, name: str) -> None:
        life = self.lives[name]
        life.stopped = False
        held, life.held = life.held, []
        first = self.random.randint(0, len(held))    # messages in their order; a timer may come before any of them
        for step in held[:first]:
            step()
        self._tick(life)
        for step in held[first:]:
            step()

    # --- time ---

    def at(self, when_ns: int, step: Step) -> None:
        self._count += 1
        heapq.heappush(self._queue, (when_ns, self._count, step))

    def run_until(self, end_s: float) -> None:
        while self._queue and self._queue[0][0] <= ns(end_s):
            self.now, _, step = heapq.heappop(self._queue)
            step()
        self.now = ns(end_s)

    # --- what must hold ---

    def running(self) -> list[Life]:
        return [life for life in self.lives.values() if not life.ended_ns and not life.stopped]

    def lost_by(self, name: str) -> list[str]:
        return [who for _, who, command in self.log if isinstance(command, Failed) and command.name == name]

    def engage(self, name: str) -> None:
        """It gives work to all that it may."""
        life = self.lives[name]
        self._active_peers[name] = sorted(life.usable(self.now))

    def split(self) -> list[str]:
        """Where a running member's belief of one of its contacts is not the truth."""
        return [
            f"{life.name} of {other.name}: {life.view.state(other.name)} {life.view.boot(other.name)}, is {other.boot}"
            for life in self.running() for other in map(self.lives.__getitem__, life.view.contacts())
            if (life.view.boot(other.name) == other.boot) != (not other.ended_ns and not other.stopped)
        ]

    # --- how ---

    def _announce(self, to: Life, name: str, boot: int) -> None:
        self._here(to, lambda: self._do(to, to.view.on_announced({name: boot}, self.now)))

    def _begin(self, life: Life) -> None:
        self._do(life, life.view.on_announced({name: other.boot for name, other in self.lives.items()}, self.now))
        self._tick(life)

    def _tick(self, life: Life) -> None:
        self._here(life, lambda: self._do(life, life.view.tick(self.now, self._active_peers.get(life.name, ()))))

    def _here(self, life: Life, step: Step) -> None:
        """Within a member's process: not once it is dead, later when it is stopped."""
        if life.ended_ns:
            return
        if life.stopped:
            life.held.append(lambda: self._here(life, step))
            return
        step()
        life.timer += 1
        number, due = life.timer, life.view.next_ns()
        self.at(max(due, self.now), lambda: self._tick(life) if number == life.timer else None)

    def _do(self, life: Life, commands: list[Command]) -> None:
        for command in commands:
            self.log.append((self.now, life.name, command))
            match command:
                case Probe(names=names):
                    for name in names:
                        self._send(life, name, lambda at, me=life: self._asked(at, me))
                case Tell(to=to, about=about, boot=boot, silent=silent):
                    for name in to:
                        self._send(
                            life, name, lambda at, a=about, b=boot, s=silent, me=life: self._told(at, me, a, b, s))
                case Joined(name=name, boot=boot):
                    assert life.peers.update(name, boot, 0.0, self.now), "it was there already"
                    life.peers.advertised(name, boot, ADVERT)
                case Failed(name=name):
                    assert life.peers.lost(name), "it was not there"
                case Suspected(name=name, suspected=suspected):
                    life.peers.suspected(name, suspected)

    def _asked(self, at: Life, by: Life) -> None:
        self._do(at, at.view.on_message(by.name, by.boot, self.now))
        self._send(at, by.name, lambda back: self._answered(back, at), only=by)

    def _answered(self, at: Life, by: Life) -> None:
        self._do(at, at.view.on_answer(by.name, by.boot, self.now, self.random.choice((0.0, 0.001, LATEST_S))))
        newest = self.lives[by.name]
        if newest is not by and at.view.boot(by.name) == newest.boot:
            assert at.view.is_stale(by.name, by.boot)

    def _told(self, at: Life, by: Life, about: str, boot: int, silent: bool) -> None:
        self._do(at, at.view.on_message(by.name, by.boot, self.now))
        if not at.view.is_stale(by.name, by.boot) and about != at.name:
            self._do(at, at.view.on_gossip(about, boot, silent, self.now))

    def _send(self, by: Life, to: str, step: Callable[[Life], None], only: Life | None = None) -> None:
        """To whatever start of `to` is there when it arrives; an answer only to the start that asked (`only`)."""
        apart = self.groups and self.groups.get(by.name) != self.groups.get(to)
        if apart or self.random.random() < self.loss:
            return
        arrives_ns = self.now + ns(self.random.uniform(0.0005, LATEST_S))

        def arrive() -> None:
            life = self.lives[to]
            if only is None or life is only:
                self._here(life, lambda: step(life))

        self.at(arrives_ns, arrive)
