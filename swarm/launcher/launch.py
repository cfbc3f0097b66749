"""The host of one run on this machine: it starts processes, performs the director's orders, and writes the folder."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from swarm.compiled.cache import FLYING_LOOPS, PLANNER_LOOPS
from swarm.core.clock import MonotonicClock, WallClock, process_age_s
from swarm.core.settings import yaml_text
from swarm.core.units import ns, seconds
from swarm.launcher.host_folder import ListedRun
from swarm.launcher.machine_code import compile_loops
from swarm.launcher.processes import Child, Children, check_file_limit, swarm_command
from swarm.launcher.run_keys import RunKeys
from swarm.launcher.signals import Signals
from swarm.net.lanes import open_endpoint
from swarm.net.loop import Loop
from swarm.net.process import keep_what_is_there
from swarm.net.security.keyring import Keyring
from swarm.run import events as ev
from swarm.run.conductor import Conductor
from swarm.run.director import Director, Limits
from swarm.run.faults import faults_of
from swarm.run.settings.process_specs import ProcessSpec, process_specs
from swarm.run.settings.resolve import Resolved
from swarm.run.snapshot import Progress, Quiet, snapshot
from swarm.telemetry.collector import Collector
from swarm.telemetry.outcome import Outcome
from swarm.telemetry.provenance import manifest, revision
from swarm.telemetry.recorder import RECORDINGS, RunFolder
from swarm.transport.endpoint import Endpoint

NAME = "launcher"
SHOW_NS = ns(0.25)


class LocalProcesses:
    """The processes of a run as children of this process, with their settings in files of the run folder.

    command_of: the command line for a role and the path of its file.
    """

    def __init__(
        self, children: Children, folder: RunFolder, specs: Sequence[ProcessSpec],
        command_of: Callable[[str, str], list[str]],
    ) -> None:
        self._children, self._folder, self._command_of = children, folder, command_of
        self._specs = {spec.name: spec for spec in specs}
        self.kill, self.is_running = children.kill, children.is_running

    def start(self, name: str, incarnation: int, clock_step_s: float) -> None:
        spec = self._specs[name].start(incarnation)
        path = self._folder.folder("files") / f"{name}.yaml"
        path.write_text(yaml_text.dump(spec.settings), encoding="utf-8")
        self._children.spawn(name, spec.role, self._command_of(spec.role, str(path)), clock_step_s)

    def pause(self, name: str) -> None:
        self._children.signal(name, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        self._children.signal(name, signal.SIGCONT)


class Launch:
    """A run of a swarm on this machine."""

    def __init__(
        self, resolved: Resolved, out: Path, *, command: list[str], progress: Progress | None = None,
        commanded_ns: int | None = None, limits: Limits | None = None,
    ) -> None:
        """Nothing is started yet, but `out` is claimed.

        Raises: BadInput if `out` cannot be the run's folder, or this process may not open enough files.
        commanded_ns: when the command was given, on the monotonic clock; None: when this process was started.
        """
        self._robots = [robot for fleet in resolved.launch.fleet for robot in fleet.robots()]
        check_file_limit(len(self._robots))
        self._resolved, self._launch, self._folder = resolved, resolved.launch, RunFolder(out)
        self._progress = progress or Quiet()
        self._clock = MonotonicClock()
        self._loop = Loop(self._clock)
        self._loop.held_up = self._held_up
        if commanded_ns is None:
            commanded_ns = self._clock.now_ns() - ns(process_age_s())
        faults = faults_of(self._launch)
        self._collector = Collector(
            self._launch, self._folder, name=NAME, faults=faults, commanded_ns=commanded_ns,
            manifest=partial(manifest, self._launch, command, WallClock().unix_s(), revision()),
            lateness=self._loop.lateness)
        self._listed = ListedRun(f"{self._launch.scenario} into {self._folder.path.absolute()}")
        self._net: Endpoint | None = None
        self._conductor: Conductor | None = None     # once the run has begun
        self._signals = Signals(lambda: self._loop.post(lambda: self._handle(ev.Interrupted())))
        self._director = Director(
            self._launch, faults, open_requests=self._collector.open_requests,
            last_words=lambda name: self._children.last_words(name), limits=limits)

    def run(self) -> Outcome:
        """To the end, whatever it is; no process outlives it, and no key. Raises: BadInput before the start."""
        compile_loops([*(PLANNER_LOOPS if "planner" in self._launch.processes() else ()),
                       *(FLYING_LOOPS if self._resolved.flies_bodies() else ())])
        with self._signals, self._listed:
            with contextlib.ExitStack() as last_steps:       # each is taken, even if another one raises
                keys = RunKeys(self._folder.path / "keys")
                last_steps.callback(lambda: self._director.fail(keys.remove()))
                if self._supervise(keys):
                    last_steps.callback(self._end_processes)
                    self._fly(keys)
            outcome = self._finish()
        self._loop.close()
        return outcome

    def _supervise(self, keys: RunKeys) -> bool:
        """From now on whatever is started ends, and the keys go, even if this process is killed."""
        try:
            self._children = Children(
                self._loop, self._folder.folder("logs"), self._child_ended,
                lambda: self._folder.processes(self._children.table()), keys=keys.descriptor, lock=self._folder.lock,
                unlogged=lambda log, error: self._folder.count_unwritten(f"logs/{log}", error))
        except OSError as error:
            self._director.fail(f"the supervisor cannot be started: {error}")
            return False
        return True

    def _fly(self, keys: RunKeys) -> None:
        keys.enrol([NAME, *self._launch.processes()])
        swarm = f"{self._launch.scenario}-{WallClock().new_boot():x}"
        self._net = open_endpoint(
            self._loop, swarm=swarm, name=NAME, role="launcher", boot=WallClock().new_boot(),
            keyring=Keyring(keys.folder, NAME))
        specs = process_specs(self._resolved, swarm, self._net.member, str(keys.folder),
                              str((self._folder.path / RECORDINGS).absolute()))
        self._conductor = Conductor(
            self._director, self._collector, self._clock, self._loop, self._net,
            LocalProcesses(self._children, self._folder, specs, self._command_of), self._loop.stop)
        self._conductor.begin()
        if not self._director.error:
            self._loop.every(SHOW_NS, self._show)
            keep_what_is_there()
            self._loop.run()

    def _command_of(self, role: str, path: str) -> list[str]:
        return swarm_command(role, path)

    def _end_processes(self) -> None:
        self._handle(ev.LoopEnded())
        immortal = self._children.close()
        if self._net is not None:
            self._net.close()
        if immortal:
            self._director.fail(f"processes {immortal} could not be ended")

    # --- events of this host ---

    def _handle(self, event: ev.Event) -> None:
        if self._conductor is not None:
            self._conductor.handle(event)

    def _held_up(self, for_s: float) -> None:
        self._collector.event(self._clock.now_ns(), NAME, "held_up", {"for_s": round(for_s, 3)})
        self._handle(ev.HeldUp(for_s))

    def _child_ended(self, child: Child) -> None:
        self._handle(ev.ProcessEnded(child.name, child.returncode or 0, child.ended_how))

    # --- the end, and the display ---

    def _finish(self) -> Outcome:
        """Write the folder, if there is a run to write down."""
        director, summary, report = self._director, None, None
        if director.start_ns:
            self._show("writing")
            ran_s = seconds((director.drain_ns or director.since_ns) - director.start_ns)
            summary = self._collector.finish(
                min(ran_s, self._launch.duration_s), encrypted=True, interrupted=director.interrupted,
                overlapped=self._listed.overlapped())
            report = self._folder.report()
        self._progress.close()
        director.fail(self._folder.trouble)
        folder = self._folder.path
        self._folder.close()
        code = 128 + self._signals.received[0] if self._signals.received else director.exit_code
        return Outcome(exit_code=code, folder=folder, summary=summary, report=report, error=director.error)

    def _show(self, phase: str = "") -> None:
        self._progress.show(snapshot(self._launch, self._director, self._collector, self._clock.now_ns(), phase=phase))
