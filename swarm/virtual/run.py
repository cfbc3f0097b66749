"""One run in virtual time: the director, the collector and all processes on one timeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from swarm.core.policy.shaped_link import Links
from swarm.core.settings.process_files import PlannerFile
from swarm.core.units import seconds
from swarm.planner.ports import Solver
from swarm.run import events as ev
from swarm.run.conductor import Conductor
from swarm.run.director import Director
from swarm.run.faults import faults_of
from swarm.run.settings.process_specs import process_specs
from swarm.run.settings.resolve import Resolved
from swarm.telemetry.collector import Collector
from swarm.telemetry.file_types import Record
from swarm.virtual.network import Network
from swarm.virtual.planning.solver import VirtualSolver
from swarm.virtual.process import VirtualProcess
from swarm.virtual.processes import VirtualProcesses
from swarm.virtual.timeline import Timeline

NAME = "launcher"


class VirtualRun:
    """A run whose events happen one by one. record: takes what is recorded. manifest: as of the collector.

    shuffle, late_ns: as of the timeline. solver: makes the planner's, from its process and its file.
    """

    def __init__(
        self, resolved: Resolved, record: Record, *, manifest: Callable[[str], Mapping[str, Any]] = lambda renderer: {},
        shuffle: int | None = None, late_ns: int = 0,
        solver: Callable[[VirtualProcess, PlannerFile], Solver] = VirtualSolver,
    ) -> None:
        launch = resolved.launch
        if resolved.flies_bodies():
            import sim_worlds.physics.flying.loops  # noqa: F401 - compiles: not during the event that builds the world
        self.over = False
        self.timeline = Timeline(shuffle, late_ns)
        links = Links(launch.links, resolved.traces, launch.seed)
        self.network = Network(self.timeline, links.one_way)
        self.processes = VirtualProcesses(
            self.timeline, self.network, self._ended, solver=solver, quality=launch.perception)
        swarm = f"{launch.scenario}-virtual"
        self.launcher, host = self.processes.launcher(NAME, swarm)
        faults = faults_of(launch)
        self.collector = Collector(
            launch, record, name=NAME, faults=faults, commanded_ns=self.launcher.now_ns(), manifest=manifest)
        self.director = Director(launch, faults, open_requests=self.collector.open_requests)
        self.processes.specify(process_specs(resolved, swarm, host.transport.member, keys=""), resolved.floor)
        self._conductor = Conductor(
            self.director, self.collector, self.launcher, self.launcher, host.transport, self.processes, self._stop)

    @property
    def start_ns(self) -> int:
        """When the streams began, on the timeline; 0: they have not."""
        start_ns = self.director.start_ns
        return start_ns and start_ns - self.launcher.now_ns() + self.timeline.now_ns

    @property
    def at_s(self) -> float:
        """Seconds since the streams, or before them the run, began."""
        return seconds(self.launcher.now_ns() - (self.director.start_ns or self.director.since_ns))

    @property
    def ran_s(self) -> float:
        """How long the streams have run."""
        return seconds((self.director.drain_ns or self.launcher.now_ns()) - self.director.start_ns)

    def begin(self) -> None:
        """The processes are started by the first event."""
        self.launcher.after(0, self._conductor.begin)

    def step(self) -> bool:
        """Let the next event happen. False: the run is over."""
        if self.over:
            return False
        if not self.timeline.step():
            self.director.fail("nothing is left to happen")
            self.over = True
        return not self.over

    def interrupt(self) -> None:
        """The user asks for the end."""
        self._conductor.handle(ev.Interrupted())

    def where(self) -> str:
        """The event that happens or has happened last, in words."""
        event = self.timeline.current
        who = event.owner.name if event else NAME
        return f"event {self.timeline.happened}, of {who}, {self.at_s:.6f} s after the start"

    def close(self) -> None:
        """Free what the worlds hold outside Python."""
        self.processes.close()

    def _ended(self, event: ev.ProcessEnded) -> None:
        self._conductor.handle(event)

    def _stop(self) -> None:
        self.over = True
