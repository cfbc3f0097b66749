"""Lets the behaviour of one robot act: it gets the events, and its outputs are performed. Deterministic.

The behaviour runs beside the loop, one event after the other: while it plans, guards fire and answers are taken. Of
observations that wait only the newest counts; a behaviour that is slower than its events loses the oldest of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from agents import behaviours
from agents.bodies.world import WorldBody
from agents.ports import Aside
from swarm.core.policy.lateness import Lateness
from swarm.core.ports import Clock, Transport
from swarm.core.protocol import messages as msg
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Drive, Fly, Observation, Perceived, Report
from swarm.core.settings.process_files import AgentFile

Given = behaviours.Event | Callable[[], Perceived]
"""An event, or what makes one beside the loop."""

MOST_WAITING = 64                    # events; some seconds of them


class Acting:
    """teammates: the robots that are known to be alive, for notes to all.

    lateness: from each event to its outputs. missed: events that the behaviour did not get, because it was slower.
    """

    def __init__(
        self, settings: AgentFile, clock: Clock, net: Transport, aside: Aside, body: WorldBody,
        teammates: Callable[[], Sequence[str]],
    ) -> None:
        self._settings, self._clock, self._net, self._aside = settings, clock, net, aside
        self._body, self._teammates = body, teammates
        self._make = behaviours.load(settings.behaviour) if settings.behaviour else None
        self._behaviour: behaviours.Behaviour | None = None      # made once the body has announced its sensors
        self._waiting: deque[tuple[Given, int]] = deque()        # with the times when they came
        self._acts = False               # the behaviour is at work
        self.lateness, self.missed = Lateness(), 0

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

        def done(outputs: Sequence[behaviours.Output]) -> None:
            self._acts = False
            self.lateness.add(self._clock.now_ns() - came_ns)
            self._perform(outputs)
            if self._waiting:
                self._next(behaviour)

        self._aside.run(
            lambda: behaviour.on(event() if callable(event) else event, self._clock.now_ns()), done)

    def _perform(self, outputs: Sequence[behaviours.Output]) -> None:
        for output in outputs:
            match output:
                case Drive() | Fly():
                    self._body.act(output)
                case Report():
                    self._body.report(output)
                case behaviours.Note(topic=topic, data=data, to=to):
                    for peer in to or self._teammates():
                        self._net.send(peer, msg.Shared(topic=topic, data=data))
