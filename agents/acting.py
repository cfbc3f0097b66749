"""Lets the behaviour of one robot act: it gets the events, and its outputs are performed. Deterministic.

The behaviour runs beside the loop, one event after the other: while it plans, guards fire and answers are taken. Of
observations that wait only the newest counts; a behaviour that is slower than its events loses the oldest of them.
Outputs that are nonsense are dropped, counted and named.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from agents import behaviours
from agents.bodies.world import WorldBody
from agents.outputs import in_words, wrong_with
from agents.ports import Aside
from swarm.core.policy.lateness import Lateness
from swarm.core.ports import Host
from swarm.core.protocol import messages as msg
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Drive, Fly, Observation, Perceived, Report
from swarm.core.settings.process_files import AgentFile

Given = behaviours.Event | Callable[[], Perceived]
"""An event, or what makes one beside the loop."""

MOST_WAITING = 64                    # events; some seconds of them


class Acting:
    """teammates: the robots that are known to be alive, for notes to all. dropped: called with the kind of each output
    that is nonsense, the output, and why it is nonsense.

    lateness: from each event to its outputs. missed: events that the behaviour did not get, because it was slower.
    nonsense: outputs that were dropped.
    """

    def __init__(
        self, settings: AgentFile, host: Host, aside: Aside, body: WorldBody, teammates: Callable[[], Sequence[str]],
        dropped: Callable[[str, object, str], None],
    ) -> None:
        self._settings, self._clock, self._net, self._aside = settings, host.clock, host.transport, aside
        self._body, self._teammates, self._dropped = body, teammates, dropped
        self._make = behaviours.load(settings.behaviour) if settings.behaviour else None
        self._behaviour: behaviours.Behaviour | None = None      # made once the body has announced its sensors
        self._waiting: deque[tuple[Given, int]] = deque()        # with the times when they came
        self._acts = False               # the behaviour is at work
        self.lateness, self.missed, self.nonsense = Lateness(), 0, 0

    def embodied(self, sensors: SensorSuite) -> None:
        """The body has announced its sensors. Raises: BadInput if the behaviour needs another sensor."""
        if self._make is not None:
            settings = self._settings
            self._behaviour = self._make(settings.name, settings.team, settings.seed, sensors)

    def on(self, event: Given) -> None:
        """Give an event to the behaviour, now or when it has handled those before."""
        if self._behaviour is None:
            return
        if isinstance(event, Observation):
            self._drop([waits for waits in self._waiting if isinstance(waits[0], Observation)])
        if len(self._waiting) == MOST_WAITING:
            self._drop([self._waiting[0]])
        self._waiting.append((event, self._clock.now_ns()))
        if not self._acts:
            self._next(self._behaviour)

    def _drop(self, waiting: Sequence[tuple[Given, int]]) -> None:
        for one in waiting:
            self._waiting.remove(one)
        self.missed += len(waiting)

    def _next(self, behaviour: behaviours.Behaviour) -> None:
        event, came_ns = self._waiting.popleft()
        self._acts = True

        def act() -> list[object]:
            outputs: Any = behaviour.on(event() if callable(event) else event, self._clock.now_ns())
            return [outputs] if isinstance(outputs, str) else list(outputs)      # a word is no list of its letters

        def done(outputs: Sequence[object]) -> None:
            self._acts = False
            self.lateness.add(self._clock.now_ns() - came_ns)
            self._perform(outputs)
            if self._waiting:
                self._next(behaviour)

        self._aside.run(act, done)

    def _perform(self, outputs: Sequence[object]) -> None:
        for output in outputs:
            match output:
                case Drive() | Fly() | Report() if why := wrong_with(output):
                    self._drop_nonsense("report" if isinstance(output, Report) else "act", output, why)
                case Drive() | Fly():
                    self._body.act(output)
                case Report():
                    self._body.report(output)
                case behaviours.Note():
                    self._share(output)
                case _:
                    self._drop_nonsense("output", output, "it is neither an act nor a report nor a note")

    def _share(self, note: behaviours.Note) -> None:
        """Send a note to those of its receivers that are robots."""
        shared = msg.Shared(topic=note.topic, data=note.data)
        if why := wrong_with(shared):
            self._drop_nonsense("note", note, why)
            return
        if not isinstance(note.to, (tuple, list)):
            self._drop_nonsense("receiver", note, f"`to` is {type(note.to).__name__}, not a tuple of names")
            return
        robots = [peer for peer in note.to if self._is_robot(peer)]
        if len(robots) < len(note.to):
            stranger = next(peer for peer in note.to if not self._is_robot(peer))
            self._drop_nonsense("receiver", note, f"no robot of the team is called {in_words(stranger)}")
        for peer in robots if note.to else self._teammates():
            self._net.send(peer, shared)

    def _is_robot(self, peer: object) -> bool:
        return isinstance(peer, str) and (self._net.role(peer) == "agent" or peer in self._settings.team)

    def _drop_nonsense(self, kind: str, output: object, why: str) -> None:
        self.nonsense += 1
        self._dropped(kind, output, why)
