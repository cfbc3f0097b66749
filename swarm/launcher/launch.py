"""The host of one run on this machine: it starts processes, performs the director's orders, and writes the folder."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from swarm.core.clock import MonotonicClock, WallClock, process_age_s
from swarm.core.ports import Received
from swarm.core.protocol import messages as msg
from swarm.core.settings import yaml_text
from swarm.core.units import ns, seconds
from swarm.launcher.processes import Child, Children, swarm_command
from swarm.launcher.progress import Progress, Quiet, Snapshot
from swarm.launcher.run_keys import RunKeys
from swarm.launcher.signals import Signals
from swarm.net.endpoint import Endpoint
from swarm.net.loop import Loop
from swarm.net.security.curve_cost import curve_cost
from swarm.net.security.keyring import Keyring
from swarm.run import events as ev
from swarm.run.director import Director, Limits
from swarm.run.faults import faults_of
from swarm.run.records import record
from swarm.run.roster import Outboxes
from swarm.run.settings.process_specs import ProcessSpec, process_specs
from swarm.run.settings.resolve import Resolved
from swarm.telemetry.collector import Collector
from swarm.telemetry.provenance import manifest
from swarm.telemetry.recorder import RECORDINGS, RunFolder
from swarm.telemetry.report.side_by_side import MEASURES_SHOWN, named_measure

NAME = "launcher"
SHOW_NS = ns(0.25)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a launch ended. `summary` is None if the streams never began; `error` is one line, or empty."""

    exit_code: int
    folder: Path
    summary: dict[str, Any] | None = None
    error: str = ""


class Launch:
    """A run of a swarm on this machine."""

    def __init__(
        self, resolved: Resolved, out: Path, *, command: list[str], progress: Progress | None = None,
        commanded_ns: int | None = None, limits: Limits | None = None,
    ) -> None:
        """Nothing is started yet, but `out` is claimed. Raises: BadInput if `out` cannot be the run's folder.

        commanded_ns: when the command was given, on the monotonic clock; None: when this process was started.
        """
        self._launch, self._folder = resolved.launch, RunFolder(out)
        self._progress = progress or Quiet()
        self._clock = MonotonicClock()
        self._loop = Loop(self._clock)
        if commanded_ns is None:
            commanded_ns = self._clock.now_ns() - ns(process_age_s())
        faults = faults_of(self._launch)
        self._collector = Collector(
            self._launch, self._folder, name=NAME, faults=faults, commanded_ns=commanded_ns,
            manifest=partial(manifest, self._launch, command, WallClock().unix_s()), lateness=self._loop.lateness)
        swarm = f"{self._launch.scenario}-{WallClock().new_boot():x}"
        self._keys = RunKeys(out / "keys", [NAME, *self._launch.processes()])
        self._net = Endpoint(
            self._loop, swarm=swarm, name=NAME, role="launcher", boot=WallClock().new_boot(), handler=self._received,
            keyring=Keyring(self._keys.folder, NAME))
        self._outboxes = Outboxes(self._loop, self._net)
        specs = process_specs(
            resolved, swarm, self._net.member, str(self._keys.folder), str((out / RECORDINGS).absolute()))
        self._specs = {spec.name: spec for spec in specs}
        self._robots = [spec.name for spec in specs if spec.role == "agent"]
        self._signals = Signals(self._loop, lambda: self._handle(ev.Interrupted()))
        self._director = Director(
            self._launch, faults, open_requests=self._collector.open_requests,
            last_words=lambda name: self._children.last_words(name), limits=limits)

    def run(self) -> Outcome:
        """To the end, whatever it is; no process outlives it."""
        director = self._director
        with self._signals:
            self._children = Children(
                self._loop, self._folder.folder("logs"), self._child_ended,
                lambda: self._folder.processes(self._children.table()))
            try:
                now = self._clock.now_ns()
                for command in director.begin(now):
                    self._perform(command, now)
                    if director.error:
                        break                        # one process cannot be started: start no more
                else:
                    self._collector.write_manifest()
                    self._loop.every(SHOW_NS, self._show)
                    self._loop.run()
            finally:
                self._handle(ev.LoopEnded())
                immortal = self._children.close()
                self._net.close()
                unremoved = self._keys.remove()
            if immortal:
                director.fail(f"processes {immortal} could not be ended")
            if unremoved:
                director.fail(unremoved)
            outcome = self._finish()
        self._loop.close()
        return outcome

    # --- the director's events ---

    def _handle(self, event: ev.Event) -> None:
        now = self._clock.now_ns()
        for command in self._director.handle(event, now):
            self._perform(command, now)

    def _received(self, message: Received) -> None:
        body, sender = message.body, message.sender
        if isinstance(body, msg.Ready):
            if body.member.name == sender and self._children.is_running(sender, body.pid):
                self._handle(ev.ProcessReady(body.member, message.boot))
        elif not msg.may_say(self._director.roster.role(sender), body):
            return                                   # a stranger, or a member that may not say this
        elif isinstance(body, msg.Drained):
            self._handle(ev.AgentDrained(sender))
        else:
            self._collector.handle(message)

    def _child_ended(self, child: Child) -> None:
        self._handle(ev.ProcessEnded(child.name, child.returncode or 0, child.ended_how))

    # --- the director's commands ---

    def _perform(self, command: ev.Command, now: int) -> None:
        """now: the time of the event that caused it, so that all that is recorded of an event has one time."""
        match command:
            case ev.Spawn():
                self._spawn(self._specs[command.name].start(command.incarnation), command.clock_step_s)
            case ev.Kill(name):
                self._children.kill(name)
            case ev.Pause(name):
                self._children.signal(name, signal.SIGSTOP)
            case ev.Continue(name):
                self._children.signal(name, signal.SIGCONT)
            case ev.Join(member, boot):
                self._outboxes.join(member, boot)
            case ev.Leave(name):
                self._outboxes.leave(name)
            case ev.Tell(name, body):
                self._outboxes.tell(name, body)
            case ev.Wake(at_ns, event):
                self._loop.at(at_ns, partial(self._handle, event))
            case ev.Stop():
                self._loop.stop()
            case ev.Record():
                record(command, self._collector, now)
            case _:
                raise TypeError(f"{command} is no command of a run")

    def _spawn(self, spec: ProcessSpec, clock_step_s: float) -> None:
        try:
            path = self._folder.folder("files") / f"{spec.name}.yaml"
            path.write_text(yaml_text.dump(spec.settings), encoding="utf-8")
            self._children.spawn(spec.name, spec.role, self._command_of(spec, path), clock_step_s)
        except OSError as error:
            self._handle(ev.SpawnFailed(spec.name, str(error)))

    def _command_of(self, spec: ProcessSpec, path: Path) -> list[str]:
        return swarm_command(spec.role, str(path))

    # --- the end, and the display ---

    def _finish(self) -> Outcome:
        """Write the folder, if there is a run to write down."""
        director, summary = self._director, None
        if director.start_ns:
            self._show("writing")
            ran_s = seconds((director.drain_ns or director.since_ns) - director.start_ns)
            summary = self._collector.finish(ran_s, curve_cost())
        self._folder.close()
        if summary is not None:
            self._folder.report()
        if self._folder.trouble:
            director.fail(self._folder.trouble)
        self._progress.close()
        code = 128 + self._signals.received[0] if self._signals.received else director.exit_code
        return Outcome(exit_code=code, folder=self._folder.path, summary=summary, error=director.error)

    def _show(self, phase: str = "") -> None:
        director, collector = self._director, self._collector
        total, world = collector.ledger().total, collector.world
        told = world.mission.measures if world else []
        self._progress.show(Snapshot(
            phase=phase or director.phase,
            at_s=seconds(self._clock.now_ns() - (director.start_ns or director.since_ns)),
            duration_s=self._launch.duration_s, ready=director.ready,
            robots_alive=sum(robot in director.running for robot in self._robots), robots=len(self._robots),
            on_time=total.on_time_so_far if total.submitted > total.open else None, offloaded=total.offload_share,
            mission=[named_measure(m.name, m.value, m.unit) for m in told[:MEASURES_SHOWN]],
            epoch=collector.epoch,
        ))
