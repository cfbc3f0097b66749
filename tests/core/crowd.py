"""Members on a network of the test's own, with its own time: messages are late, lost, or held up; members die and stop.

A stopped member hears what was sent to it when it goes on. What a dead one has sent still arrives.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

import msgspec

from swarm.core import membership as ms
from swarm.core.clock import ns
from swarm.core.membership import HEARTBEAT_S, Membership

Step = Callable[[], None]
QUIET_S = 3 * HEARTBEAT_S
LATEST_S = 0.02                      # on the way


class Life(msgspec.Struct):
    """One start of one member."""

    name: str
    boot: int
    view: Membership
    begun_ns: int
    ended_ns: int = 0
    stopped: bool = False
    held: list[Step] = []            # what it will do when it goes on
    usable: set[str] = set()         # whom it would give work, by the commands it got
    timer: int = 0


class Crowd:
    """`names` from the start on; `loss` of single messages for as long as it is set."""

    def __init__(self, seed: int, names: list[str], neighbours: int = ms.NEIGHBOURS) -> None:
        self.random = random.Random(seed)
        self.now, self.loss, self.names, self._neighbours = 0, 0.0, names, neighbours
        self.lives: dict[str, Life] = {}
        self.groups: dict[str, int] = {}             # of a partition; empty: none
        self.log: list[tuple[int, str, ms.Command]] = []
        self._queue: list[tuple[int, int, Step]] = []
        self._count = 0
        for name in names:
            self.start(name)

    # --- faults ---

    def start(self, name: str) -> None:
        boot = self._boot(name)
        life = Life(name=name, boot=boot, view=Membership(name, self._neighbours), begun_ns=self.now)
        self.lives[name] = life
        self.at(self.now + ns(self.random.uniform(0.0, HEARTBEAT_S)), lambda: self._begin(life))

    def kill(self, name: str) -> None:
        self.lives[name].ended_ns = self.now

    def stop(self, name: str) -> None:
        self.lives[name].stopped = True

    def go_on(self, name: str) -> None:
        life = self.lives[name]
        life.stopped = False
        held, life.held = life.held, []
        self.random.shuffle(held)                    # timers and messages in any order, as they come out of a loop
        for step in held:
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
        return [who for _, who, command in self.log if isinstance(command, ms.Lost) and command.name == name]

    def split(self) -> list[str]:
        """Where a running member's belief of another is not the truth."""
        return [
            f"{life.name} of {other.name}: {life.view.state(other.name)} {life.view.boot(other.name)}, is {other.boot}"
            for life in self.running() for other in self.lives.values() if other is not life
            if (life.view.boot(other.name) == other.boot) != (not other.ended_ns and not other.stopped)
        ]

    # --- how ---

    def _boot(self, name: str) -> int:
        return self.lives[name].boot + 1 if name in self.lives else 1

    def _begin(self, life: Life) -> None:
        self._do(life, life.view.joined(self.names, self.now))
        self._tick(life)

    def _tick(self, life: Life) -> None:
        self._here(life, lambda: self._do(life, life.view.tick(self.now)))

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

    def _do(self, life: Life, commands: list[ms.Command]) -> None:
        for command in commands:
            self.log.append((self.now, life.name, command))
            match command:
                case ms.Ask(names=names):
                    for name in names:
                        self._send(life, name, lambda at, me=life: self._asked(at, me))
                case ms.Tell(to=to, about=about, boot=boot, silent=silent):
                    for name in to:
                        self._send(life, name, lambda at, a=about, b=boot, s=silent, me=life: self._told(at, me, a, b, s))
                case ms.Came(name=name, back=back):
                    assert name not in life.usable
                    life.usable |= set() if back else {name}
                case ms.Lost(name=name):
                    life.usable.discard(name)
                case ms.Doubted(name=name, doubted=doubted):
                    assert doubted or name not in life.usable
                    life.usable = life.usable - {name} if doubted else life.usable | {name}

    def _asked(self, at: Life, by: Life) -> None:
        self._do(at, at.view.spoke(by.name, by.boot, self.now))
        self._send(at, by.name, lambda back: self._answered(back, at), only=by)

    def _answered(self, at: Life, by: Life) -> None:
        before = at.view.boot(by.name)
        self._do(at, at.view.answered(by.name, by.boot, self.now))
        assert before is None or (at.view.boot(by.name) or before) >= before, "a ghost"

    def _told(self, at: Life, by: Life, about: str, boot: int, silent: bool) -> None:
        self._do(at, at.view.spoke(by.name, by.boot, self.now))
        if not at.view.is_ghost(by.name, by.boot) and about != at.name:
            self._do(at, at.view.told(about, boot, silent, self.now))

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
