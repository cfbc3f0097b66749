"""The host of one run in virtual time: all its processes in this one, on a clock that runs as fast as they do."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

from swarm.core.clock import MonotonicClock, WallClock
from swarm.core.policy.shaped_link import Links
from swarm.core.units import ns, seconds
from swarm.run import events as ev
from swarm.run.conductor import Conductor
from swarm.run.director import Director
from swarm.run.faults import faults_of
from swarm.run.settings.process_specs import process_specs
from swarm.run.settings.resolve import Resolved
from swarm.run.snapshot import Progress, Quiet, snapshot
from swarm.telemetry.collector import Collector
from swarm.telemetry.outcome import Outcome
from swarm.telemetry.provenance import manifest, revision
from swarm.virtual.logs import Logs
from swarm.virtual.network import Network
from swarm.virtual.processes import VirtualProcesses
from swarm.virtual.run_folder import HashedFolder
from swarm.virtual.timeline import Timeline

NAME = "launcher"
SHOW_NS = ns(0.25)                   # of real time
LOOK_EVERY = 256                     # events between two looks at the real clock


class VirtualLaunch:
    """A run of a swarm in virtual time. interrupted: says whether the user has asked for the end, and how often."""

    def __init__(
        self, resolved: Resolved, out: Path, *, command: list[str], progress: Progress | None = None,
        interruptions: Callable[[], int] = lambda: 0,
    ) -> None:
        """Nothing happens yet, but `out` is claimed. Raises: BadInput if it cannot be the run's folder."""
        self._resolved, self._launch, self._folder = resolved, resolved.launch, HashedFolder(out)
        self._progress, self._interruptions = progress or Quiet(), interruptions
        self._real = MonotonicClock()
        self._over, self._interrupted = False, 0
        self.timeline = Timeline()
        links = Links(self._launch.links, resolved.traces, self._launch.seed)
        network = Network(self.timeline, links.one_way)
        self.processes = VirtualProcesses(self.timeline, network, self._ended)
        swarm = f"{self._launch.scenario}-virtual"
        self._process, host = self.processes.launcher(NAME, swarm)
        faults = faults_of(self._launch)
        self._collector = Collector(
            self._launch, self._folder, name=NAME, faults=faults, commanded_ns=self._process.now_ns(),
            manifest=partial(manifest, self._launch, command, WallClock().unix_s(), revision()))
        self._director = Director(self._launch, faults, open_requests=self._collector.open_requests)
        self.processes.specify(process_specs(self._resolved, swarm, host.transport.member, keys=""))
        self._conductor = Conductor(
            self._director, self._collector, self._process, self._process, host.transport, self.processes, self._stop)

    def run(self) -> Outcome:
        """To the end, whatever it is."""
        self._began_ns = self._shown_ns = self._real.now_ns()
        self._process.after(0, self._conductor.begin)
        try:
            with Logs(self.timeline, self._folder.log):
                self._pass_time()
        except Exception as error:   # noqa: BLE001 - told with seed, time and event; the log has all of it
            self._failed(error)
        finally:
            self.processes.close()
        return self._finish()

    def _pass_time(self) -> None:
        step = self.timeline.step
        while not self._over:
            for _ in range(LOOK_EVERY):
                if self._over or not step():
                    break
            self._look()
            if not len(self.timeline):
                self._director.fail("nothing is left to happen")
                return

    def _look(self) -> None:
        """Show the progress, and take in what the user asks for."""
        now = self._real.now_ns()
        if now - self._shown_ns >= SHOW_NS:
            self._shown_ns = now
            self._show()
        while self._interrupted < self._interruptions() and not self._over:
            self._interrupted += 1
            self._conductor.handle(ev.Interrupted())

    def _ended(self, event: ev.ProcessEnded) -> None:
        self._conductor.handle(event)

    def _stop(self) -> None:
        self._over = True

    def _failed(self, error: Exception) -> None:
        """An error in the code of a process ends the run; the log has all of it."""
        event = self.timeline.current
        who = event.owner.name if event else NAME
        where = f"event {self.timeline.happened}, of {who}, {self._at_s():.6f} s after the start"
        self._director.fail(f"seed {self._launch.seed}, {where}: {type(error).__name__}: {error}")
        self._folder.log(who, "".join(traceback.format_exception(error)))

    def _at_s(self) -> float:
        return seconds(self._process.now_ns() - (self._director.start_ns or self._director.since_ns))

    def _finish(self) -> Outcome:
        director, summary, report = self._director, None, None
        if director.start_ns:
            self._show("writing")
            ran_s = seconds((director.drain_ns or self._process.now_ns()) - director.start_ns)
            self._folder.processes(self.processes.table())
            summary = self._collector.finish(
                min(ran_s, self._launch.duration_s), encrypted=False, interrupted=director.interrupted,
                state_hash=self._folder.state_hash)
            report = self._folder.report()
        self._progress.close()
        director.fail(self._folder.trouble)
        path = self._folder.path
        self._folder.close()
        return Outcome(exit_code=130 if self._interrupted else director.exit_code, folder=path, summary=summary,
                       report=report, error=director.error)

    def _show(self, phase: str = "") -> None:
        real_s = seconds(self._real.now_ns() - self._began_ns)
        self._progress.show(snapshot(
            self._launch, self._director, self._collector, self._process.now_ns(), phase=phase,
            speed=seconds(self.timeline.now_ns) / max(real_s, 1e-3)))
