"""Conducts one run: gives the director its events, and performs its commands on the ports of the host."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from swarm.core.ports import Clock, Received, Timers, Transport
from swarm.core.protocol import messages as msg
from swarm.run import events as ev
from swarm.run.director import Director
from swarm.run.ports import Processes
from swarm.run.records import record
from swarm.run.roster import Outboxes
from swarm.telemetry.collector import Collector


class Conductor:
    """One run on a host. stop: ends the host's loop."""

    def __init__(
        self, director: Director, collector: Collector, clock: Clock, timers: Timers, transport: Transport,
        processes: Processes, stop: Callable[[], None],
    ) -> None:
        self._director, self._collector, self._processes, self._stop = director, collector, processes, stop
        self._clock, self._timers = clock, timers
        self._outboxes = Outboxes(timers, transport)
        transport.attach(self.received)

    def begin(self) -> None:
        """Start all processes."""
        now = self._clock.now_ns()
        for command in self._director.begin(now):
            self._perform(command, now)
            if self._director.error:
                return                               # one process cannot be started: start no more
        self._collector.write_manifest()

    def handle(self, event: ev.Event) -> None:
        now = self._clock.now_ns()
        for command in self._director.handle(event, now):
            self._perform(command, now)

    def received(self, message: Received) -> None:
        """A message of a process of the run, or of a stranger."""
        body, sender = message.body, message.sender
        if isinstance(body, msg.Ready):
            if body.member.name == sender and self._processes.is_running(sender, body.pid):
                self.handle(ev.ProcessReady(body.member, message.boot))
        elif not msg.may_say(self._director.roster.role(sender), body):
            return                                   # a stranger, or a member that may not say this
        elif isinstance(body, msg.Drained):
            self.handle(ev.AgentDrained(sender))
        else:
            self._collector.handle(message)
            if isinstance(body, msg.WorldNews):
                for name, battery in body.batteries.items():
                    if battery.empty:
                        self.handle(ev.BatteryEmpty(name))

    def _perform(self, command: ev.Command, now: int) -> None:
        """now: the time of the event that caused it, so that all that is recorded of an event has one time."""
        match command:
            case ev.Spawn():
                self._start(command)
            case ev.Kill(name):
                self._processes.kill(name)
            case ev.Pause(name):
                self._processes.pause(name)
            case ev.Continue(name):
                self._processes.resume(name)
            case ev.Join(member, boot):
                self._outboxes.join(member, boot)
            case ev.Leave(name):
                self._outboxes.leave(name)
            case ev.Tell(name, body):
                self._outboxes.tell(name, body)
            case ev.Wake(at_ns, event):
                self._timers.at(at_ns, partial(self.handle, event))
            case ev.Stop():
                self._stop()
            case ev.Record():
                record(command, self._collector, now)
            case _:
                raise TypeError(f"{command} is no command of a run")

    def _start(self, command: ev.Spawn) -> None:
        try:
            self._processes.start(command.name, command.incarnation, command.clock_step_s)
        except OSError as error:
            self.handle(ev.SpawnFailed(command.name, str(error)))
