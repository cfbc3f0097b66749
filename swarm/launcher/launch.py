"""One run: start the processes, gather them, let the streams flow, strike with faults, drain, stop, write it down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from swarm.core.clock import MonotonicClock, WallClock, ns, process_age_s, seconds
from swarm.core.ports import Received
from swarm.core.protocol import messages as msg
from swarm.core.settings import reading
from swarm.launcher.files import ProcessSpec, process_specs
from swarm.launcher.keys import RunKeys
from swarm.launcher.processes import Child, Children, swarm_command
from swarm.launcher.progress import Progress, Quiet, Snapshot
from swarm.launcher.signals import Signals
from swarm.net.endpoint import Endpoint
from swarm.net.loop import Loop
from swarm.net.security.keyring import Keyring
from swarm.run.faults import Faults, drawn
from swarm.run.roster import Members
from swarm.run.settings.resolve import Resolved
from swarm.telemetry.collector import Collector
from swarm.telemetry.recorder import RECORDINGS
from swarm.telemetry.report.side_by_side import MEASURES_SHOWN, measure

READY_S = 20.0
READY_PER_ROBOT_S = 0.5              # all of them load their models at once, on as many cores as there are
DRAIN_EXTRA_S = 2.0                  # beyond the longest deadline
SHUTDOWN_S = 5.0
SHOW_NS = ns(0.25)
LOOK_NS = ns(0.05)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a launch ended. `summary` is None if the streams never began; `error` is one line, or empty."""

    exit_code: int
    folder: Path
    summary: dict[str, Any] | None = None
    error: str = ""


class Launch:
    """A run of a swarm on this machine. Phases: starting, running, draining, stopping; they only go forward."""

    def __init__(
        self, resolved: Resolved, out: Path, *, command: list[str], progress: Progress | None = None,
        commanded_ns: int | None = None,
    ) -> None:
        """Nothing is started yet, but `out` is claimed. Raises: BadInput when it cannot be the run's folder.

        commanded_ns: when the command was given, on the monotonic clock; None: when this process was started.
        """
        self._launch, self._folder = resolved.launch, out
        self._progress = progress or Quiet()
        self._clock = MonotonicClock()
        self._loop = Loop(self._clock)
        if commanded_ns is None:
            commanded_ns = self._clock.now_ns() - ns(process_age_s())
        self._drawn = drawn(self._launch)
        self._collector = Collector(resolved, self._drawn, out, command, commanded_ns)
        swarm = f"{self._launch.scenario}-{WallClock().new_boot():x}"
        self._keys = RunKeys(out / "keys", ["launcher", *self._launch.processes()])
        self._net = Endpoint(
            self._loop, swarm=swarm, name="launcher", role="launcher", boot=WallClock().new_boot(),
            handler=self._received, keyring=Keyring(self._keys.folder, "launcher"))
        self._members = Members(self._loop, self._net)
        self._specs = process_specs(
            resolved, swarm, self._net.member, str(self._keys.folder), str((out / RECORDINGS).absolute())
        )
        self._needed = {spec.name for spec in self._specs if spec.role != "planner"}
        self._robots = [spec.name for spec in self._specs if spec.role == "agent"]
        self._signals = Signals(self._loop, self._interrupted)
        self._phase = "starting"
        self._since_ns = self._clock.now_ns()        # when the phase began
        self._start_ns = self._drain_ns = 0
        self._drained: set[str] = set()              # agents that have said so
        self._error, self._failed = "", 0            # the line to tell, the exit code that goes with it

    def run(self) -> Outcome:
        """To the end, whatever it is; no process outlives it."""
        with self._signals:
            self._children = Children(
                self._loop, self._collector.folder.folder("logs"), self._child_ended,
                lambda: self._collector.folder.processes(self._children.table()))
            self._faults = Faults(self._loop, self._drawn, self._launch.seed, self._children, self._members,
                                  self._collector, self._start_again)
            try:
                if self._spawn():
                    self._collector.manifest()
                    self._loop.after(ns(self._ready_limit_s), self._not_ready)
                    self._loop.every(SHOW_NS, self._show)
                    self._loop.run()
            finally:
                self._to("stopping")
                immortal = self._children.close()
                self._net.close()
                unremoved = self._keys.remove()
            self._fail(f"processes {immortal} could not be ended" if immortal else "")
            self._fail(unremoved)
            outcome = self._finish()
        self._loop.close()
        return outcome

    # --- starting ---

    def _spawn(self) -> bool:
        for spec in self._specs:
            try:
                path = self._file_of(spec)
                path.write_text(reading.dump(spec.settings), encoding="utf-8")
                self._children.spawn(spec.name, spec.role, self._command_of(spec, path))
            except OSError as error:
                self._fail(f"{spec.name} cannot be started: {error}")
                return False
        return True

    def _start_again(self, name: str) -> None:
        """A fault's doing: a new process in the stead of one that has ended."""
        spec = next(spec for spec in self._specs if spec.name == name)
        command = self._command_of(spec, self._file_of(spec))
        try:
            self._children.spawn(name, spec.role, command, self._faults.clock_step_s(name))
        except OSError as error:                     # the run goes on without it
            self._collector.event(self._clock.now_ns(), "launcher", "not_started", {"process": name, "why": str(error)})

    def _file_of(self, spec: ProcessSpec) -> Path:
        return self._collector.folder.folder("files") / f"{spec.name}.yaml"

    def _command_of(self, spec: ProcessSpec, path: Path) -> list[str]:
        return swarm_command(spec.role, str(path))

    def _received(self, message: Received) -> None:
        body, sender = message.body, message.sender
        if isinstance(body, msg.Ready):
            self._ready(message, body)
        elif not msg.may_say(self._members.role(sender), body):
            return                                   # a stranger, or one who may not say it
        elif isinstance(body, msg.Drained):
            self._drained.add(sender)
        else:
            self._collector.handle(message)

    def _ready(self, message: Received, ready: msg.Ready) -> None:
        name = ready.member.name
        ours = any(c.name == message.sender == name and c.pid == ready.pid for c in self._children.running())
        if not ours or not self._members.add(ready.member, message.boot):
            return                                   # a stranger, or said again until the roster came
        if self._phase in ("running", "draining"):
            self._faults.ready(name)                 # what ails it, before it hears others
            self._members.tell_all(msg.Roster(members=self._members.roster()))
            self._members.tell(name, msg.Start() if self._phase == "running" else msg.Drain())
            if ready.member.role == "agent":
                self._members.tell("world", msg.Back(name=name, boot=message.boot))
        elif self._phase == "starting" and self._needed <= self._members.names():
            self._begin()

    @property
    def _ready_limit_s(self) -> float:
        return READY_S + READY_PER_ROBOT_S * len(self._robots)

    def _not_ready(self) -> None:
        if self._phase == "starting":
            late = sorted(self._needed - self._members.names())
            words = self._children.get(late[0]).last_words()
            self._fail(f"{', '.join(late)} not ready after {self._ready_limit_s:g} s" + (f": {words}" if words else ""))
            self._loop.stop()

    # --- running ---

    def _begin(self) -> None:
        self._to("running")
        self._start_ns = self._since_ns
        self._collector.started(self._start_ns)
        self._members.tell_all(msg.Roster(members=self._members.roster()))
        self._members.tell_all(msg.Start())
        self._faults.begin(self._start_ns)
        self._loop.at(self._start_ns + ns(self._launch.duration_s), self._drain)

    def _child_ended(self, child: Child) -> None:
        boot = self._members.lost(child.name)
        if self._phase == "stopping":
            if child.returncode == 0:
                self._collector.stopped(child.name)
            if not self._children.running():
                self._loop.stop()
            return
        words = "" if child.killed else child.last_words()
        told = child.ended_how + (f": {words}" if words else "")
        if self._phase == "starting" and child.name in self._needed:
            self._fail(f"{child.name}, before the run began, {told}", 2 if child.returncode == 2 else 1)
            self._loop.stop()
            return
        now = self._clock.now_ns()
        self._collector.ended(child.name, boot, told, child.killed, now)
        if child.role == "agent":                    # its body stops; peers and planner find out by their leases
            self._members.tell("world", msg.Gone(name=child.name, boot=boot))
        self._faults.ended(child)
        if child.role == "world":
            self._fail(f"cut short: {seconds(now - self._start_ns):.1f} s after the start, the world {told}")
            self._drain()

    # --- ending ---

    def _drain(self) -> None:
        """Streams and world stop; wait for what is open, and for every agent's word that nothing more will come."""
        if self._phase == "running":
            self._to("draining")
            self._drain_ns = self._since_ns
            self._faults.end()
            self._members.tell_all(msg.Drain())
            self._loop.every(LOOK_NS, self._look)

    def _look(self) -> None:
        """Shut down when all has drained, or has had its time."""
        if self._phase != "draining":
            return
        for_s = seconds(self._clock.now_ns() - self._since_ns)
        longest_s = max((stream.deadline_s for stream in self._launch.streams), default=0.0)
        awaited = {child.name for child in self._children.running() if child.role == "agent"} - self._drained
        if for_s > longest_s + DRAIN_EXTRA_S or not (awaited or self._collector.ledger().total.open):
            self._shut_down()

    def _shut_down(self) -> None:
        self._to("stopping")
        self._members.tell_all(msg.Shutdown())
        self._loop.after(ns(SHUTDOWN_S), self._loop.stop)
        if not self._children.running():
            self._loop.stop()

    def _interrupted(self) -> None:
        """The first signal ends the run in order, the second at once."""
        if self._phase == "starting" or len(self._signals.received) > 1:
            self._loop.stop()
        else:
            self._drain()

    def _finish(self) -> Outcome:
        """Write the folder, if there is a run to write down."""
        summary = None
        if self._start_ns:
            self._show("writing")
            ran_s = seconds((self._drain_ns or self._since_ns) - self._start_ns)
            summary = self._collector.finish(ran_s)
        self._fail(self._collector.close())
        self._progress.close()
        code = 128 + self._signals.received[0] if self._signals.received else self._failed
        return Outcome(exit_code=code, folder=self._folder, summary=summary, error=self._error)

    def _fail(self, error: str, exit_code: int = 1) -> None:
        """The first error is the one to tell; an empty one is none."""
        if error and not self._error:
            self._error, self._failed = error, exit_code

    def _to(self, phase: str) -> None:
        self._phase, self._since_ns = phase, self._clock.now_ns()

    def _show(self, phase: str = "") -> None:
        total, world = self._collector.ledger().total, self._collector.world
        told = world.mission.measures if world else []
        alive = {child.name for child in self._children.running()}
        self._progress.show(Snapshot(
            phase=phase or self._phase, at_s=seconds(self._clock.now_ns() - (self._start_ns or self._since_ns)),
            duration_s=self._launch.duration_s, ready=len(self._needed & self._members.names()),
            robots_alive=sum(robot in alive for robot in self._robots), robots=len(self._robots),
            on_time=total.on_time_so_far if total.submitted > total.open else None, offloaded=total.offload_share,
            mission=[(m.name.replace("_", " "), measure(m.value, m.unit)) for m in told[:MEASURES_SHOWN]],
            epoch=self._collector.epoch,
        ))
