"""What the launcher hears during a run, kept for the run folder: the ledger, everybody's news, events and faults."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from swarm.core.clock import WallClock, seconds
from swarm.core.policy.faults import Fault
from swarm.core.ports import Received
from swarm.core.protocol import messages as msg
from swarm.net.cost import curve_cost
from swarm.run.settings.resolve import Resolved
from swarm.telemetry.figures.agents import AgentBook
from swarm.telemetry.figures.faults import FaultDone, Loss, crash
from swarm.telemetry.figures.summary import summarise
from swarm.telemetry.ledger import Ledger
from swarm.telemetry.ledger import Statistics as LedgerStatistics
from swarm.telemetry.provenance import manifest
from swarm.telemetry.recorder import RunFolder
from swarm.telemetry.summary_types import AgentFigures, Transport

Detail = dict[str, str | float | int]


class Collector:
    """One run's figures. `now` is the launcher's clock in nanoseconds."""

    def __init__(
        self, resolved: Resolved, faults: Sequence[Fault], out: Path, command: list[str], commanded_ns: int
    ) -> None:
        """faults: all that are to strike. Raises: BadInput when `out` cannot be the run's folder."""
        self.folder = RunFolder(out)
        self.world: msg.WorldNews | None = None
        self.planner: list[msg.PlannerNews] = []
        self._launch, self._command, self._began_unix_s = resolved.launch, command, WallClock().unix_s()
        self._ledger = Ledger(commanded_ns, {stream.name: stream.model for stream in resolved.launch.streams})
        self._agents = AgentBook()
        self._robots = {robot for fleet in resolved.launch.fleet for robot in fleet.robots()}
        self._faults = [FaultDone(fault=fault) for fault in faults]
        self._losses: list[Loss] = []
        self._start_ns = commanded_ns
        self._renderer = "unknown"
        self._finished = False

    def manifest(self) -> None:
        """Write down what is run; takes a tenth of a second, so the children are started first."""
        self.folder.manifest(manifest(
            launch=self._launch, boards=self._launch.boards, renderer=self._renderer, command=self._command,
            started_unix_s=self._began_unix_s,
        ))

    def started(self, now: int) -> None:
        """The streams begin."""
        self._start_ns = now
        self._ledger.started(now)
        self.event(now, "launcher", "started")

    def handle(self, message: Received) -> None:
        """One message of a run's process; what is no news is not for the record."""
        body, now = message.body, message.at_ns
        match body:
            case msg.Submitted() | msg.Ended():
                self._ledger.handle(body, now)
            case msg.Happened(what=what, detail=detail):
                if what == "peer_lost":
                    self._losses.append(Loss(self._at_s(now), message.sender, str(detail.get("peer", ""))))
                self._renderer = str(detail.get("renderer", self._renderer))
                self.event(now, message.sender, what, detail)
            case msg.AgentNews():
                self._agents.handle(message.sender, message.boot, body)
            case msg.WorldNews(time_s=time_s, poses=poses):
                self.world = body
                self.folder.pose(time_s, poses)
            case msg.Scene(json=scene):
                self.folder.scene(scene)
            case msg.PlannerNews():
                self.planner.append(body)
            case msg.PlanNews(plan=plan):
                self.folder.plan(self._at_s(now), plan, message.boot)
            case _:
                pass

    def ended(self, name: str, boot: int, how: str, planned: bool, now: int) -> None:
        """A process ended during the run: by a fault of the launch file (`planned`), or by itself."""
        self.event(now, "launcher", "killed" if planned else "crashed", {"process": name, "how": how})
        if not planned:
            at_s = self._at_s(now)
            self._faults.append(crash(name, at_s))
        if name in self._robots:
            self._ledger.handle(msg.Gone(name=name, boot=boot), now)
            self._agents.status(name, "killed" if planned else "crashed")

    def struck(self, fault: Fault, now: int) -> None:
        """A fault of the launch file strikes."""
        self.event(now, "launcher", "fault", {"fault": fault.name})
        self._note(fault, done_s=self._at_s(now))

    def over(self, fault: Fault, now: int) -> None:
        """What it did for a while has ended; or the process that it restarted is ready."""
        self._note(fault, ended_s=self._at_s(now))
        self.event(now, "launcher", "fault_over", {"fault": fault.name})

    def disk_full(self, full: bool) -> None:
        """From now on the run folder takes nothing, or everything again."""
        self.folder.full = full

    def _note(self, fault: Fault, **times: float) -> None:
        i = next(i for i, done in enumerate(self._faults) if done.fault is fault)
        self._faults[i] = msgspec.structs.replace(self._faults[i], **times)

    def stopped(self, name: str) -> None:
        """An agent ended as it was told to."""
        if name in self._robots:
            self._agents.status(name, "ended")

    def event(self, now: int, who: str, what: str, detail: Detail | None = None) -> None:
        self.folder.event(self._at_s(now), who, what, detail)

    def ledger(self) -> LedgerStatistics:
        return self._ledger.statistics()

    @property
    def epoch(self) -> int:
        """Of the newest plan; 0 before the first."""
        return self.planner[-1].epoch if self.planner else 0

    def finish(self, ran_s: float) -> dict[str, Any]:
        """Close the ledger and write all that has not been written. Returns the summary."""
        rows = self._ledger.close()
        summary = summarise(
            launch=self._launch, boards=self._launch.boards, rows=rows, ledger=self._ledger.statistics(),
            agents=self._agents, world=self.world, planner=self.planner, faults=self._faults, losses=self._losses,
            ran_s=ran_s,
        )
        summary.unwritten = dict(sorted(self.folder.unwritten.items()))
        summary.transport = _transport(summary.agents.values(), ran_s)
        self.manifest()
        self.folder.requests(rows)
        self._finished = True
        written = msgspec.to_builtins(summary)
        self.folder.summary(written)
        return written

    def close(self) -> str:
        """Close the folder, with a report if there was a run. Returns the first trouble with writing, or nothing."""
        self.folder.close()
        if self._finished:
            from swarm.telemetry.report.report import write_report  # imports matplotlib

            try:
                write_report(self.folder.path)
            except OSError as error:
                return self.folder.trouble or f"cannot write the report: {error}"
        return self.folder.trouble

    def _at_s(self, now: int) -> float:
        return seconds(now - self._start_ns)


def _transport(agents: Iterable[AgentFigures], ran_s: float) -> Transport:
    """What the agents' messages amount to, and what encrypting them cost: their own end of each, half of both."""
    agents = list(agents)
    messages, size_bytes = sum(a.carried for a in agents), sum(a.carried_bytes for a in agents)
    cost = curve_cost()
    cpu_s = cost.cpu_s(messages, size_bytes) / 2
    return Transport(
        security="curve", messages=messages, bytes=size_bytes, curve_us_per_message=cost.us_per_message,
        curve_ns_per_byte=cost.ns_per_byte, curve_cpu_s=round(cpu_s, 3),
        curve_core_share=round(cpu_s / ran_s, 5) if ran_s else 0.0,
    )
