"""Collects the reports of a run's processes for the run folder: ledger, figures, events and faults.

Pure policy: it takes messages and times, and writes through the port `Record`. The launcher contains a collector; on
boards the collector is a separate process (`board_collector.py`).
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec

from swarm.core.policy.allowance import Allowances
from swarm.core.policy.faults import Fault
from swarm.core.policy.lateness import Lateness
from swarm.core.ports import Received
from swarm.core.protocol import messages as msg
from swarm.core.protocol.messages import Slip
from swarm.core.settings.launch_file import LaunchFile
from swarm.core.units import ns, seconds
from swarm.telemetry.figures.agents import AgentBook
from swarm.telemetry.figures.missed import missed_rows, streams_of, whole_slips
from swarm.telemetry.figures.planner import PlanHistory
from swarm.telemetry.figures.presence import Presence
from swarm.telemetry.figures.recovery.fault_records import FaultDone, Loss, battery_empty, crash
from swarm.telemetry.figures.series import Series
from swarm.telemetry.figures.summary import summarise
from swarm.telemetry.file_types import Detail, Record
from swarm.telemetry.ledger import Ledger, Row
from swarm.telemetry.ledger import Statistics as LedgerStatistics
from swarm.telemetry.summary_types import AgentFigures, Transport

MOST_EVENTS, EVENTS_PER_S = 200.0, 20.0      # that one process may tell of: at once, and per second for long
MOST_EARLY = 1000                    # requests of one agent, before its streams account for them
LINE_NS = ns(1.0)                    # from one line of the time series to the next


class Collector:
    """One run's figures. `now` is the clock of the collector's process in nanoseconds.

    name: the collecting process, as the source of its own events. faults: all planned faults. commanded_ns: time of the
    command. manifest: makes the contents of `manifest.json` from the name of the renderer. lateness: of the timers of
    the collector's process.
    """

    def __init__(
        self, launch: LaunchFile, record: Record, *, name: str, faults: Sequence[Fault] = (), commanded_ns: int,
        manifest: Callable[[str], Mapping[str, Any]], lateness: Lateness | None = None,
    ) -> None:
        self.world: msg.WorldNews | None = None
        self.planner: list[msg.PlannerNews] = []
        self._launch, self._record, self._own_name, self._manifest = launch, record, name, manifest
        self._planner_boots: set[int] = set()
        self._agents, self._plans, self._lateness = AgentBook(), PlanHistory(), lateness or Lateness()
        self._robots = {robot for fleet in launch.fleet for robot in fleet.robots()}
        self._presence = Presence(launch)
        self._faults = [FaultDone(fault=fault) for fault in faults]
        self._losses: list[Loss] = []
        self._empty: set[str] = set()                # robots whose battery ran out
        self._allowed = Allowances(MOST_EVENTS, EVENTS_PER_S)
        self._rates_hz: dict[str, float] = collections.defaultdict(float)    # of all streams of each robot
        for robot, stream in streams_of(launch):
            self._rates_hz[robot] += stream.rate_hz
        self._series = Series(
            self._robots, [(robot, stream.name, stream.rate_hz) for robot, stream in streams_of(launch)], self._plans,
            self._presence.due)
        self._ledger = Ledger(
            commanded_ns, {stream.name: stream.model for stream in launch.streams}, on_end=self._series.ended)
        self._since_ns: dict[str, int] = {}          # of each agent: its oldest request, or the begin of the run
        self._slips: dict[float, Slip] = {}          # of the world, by begin
        self._start_ns, self._started = commanded_ns, False
        self._next_line_ns: int | None = None        # while the streams run
        self._late_ms = 0.0, 0.0                     # its own loop, while the streams ran: 99th percentile, at most
        self._loops: dict[tuple[str, int], tuple[float, float]] = {}     # the same of each start of world and planners
        self._renderer = "unknown"

    def write_manifest(self) -> None:
        """Write the manifest. The renderer is unknown until the world has reported it."""
        self._record.manifest(self._manifest(self._renderer))

    def started(self, now: int) -> None:
        """The streams begin."""
        self._start_ns, self._started = now, True
        self._next_line_ns = now + LINE_NS
        self._lateness.clear()
        self._ledger.started(now)
        self.event(now, self._own_name, "started")

    def streams_ended(self, now: int) -> None:
        """The streams have ended; open requests are awaited."""
        self._write_series(now)
        self._next_line_ns = None
        self._late_ms = self._lateness.quantile_ms(0.99), self._lateness.longest_ns / 1e6

    def _write_series(self, now: int) -> None:
        """Write a line for each second of the streams that has passed."""
        if self._launch.duration_s:
            now = min(now, self._start_ns + ns(self._launch.duration_s))
        while self._next_line_ns is not None and now >= self._next_line_ns:
            self._record.series(self._series.line(float(round(self._at_s(self._next_line_ns)))))
            self._next_line_ns += LINE_NS

    def handle(self, message: Received) -> None:
        """Record one message; messages that are no reports are ignored."""
        body, now = message.body, message.at_ns
        self._write_series(now)
        match body:
            case msg.Submitted() | msg.Ended():
                self._ledger.reported(message.sender, body, self._most_requests(message.sender, now), now)
            case msg.Happened() if message.sender in self._robots and not self._allowed.take(message.sender, now):
                pass                                 # whoever tells of so many events floods the disk
            case msg.Happened(what=what, detail=detail):
                if what == "peer_lost":
                    self._losses.append(Loss(self._at_s(now), message.sender, str(detail.get("peer", ""))))
                self._renderer = str(detail.get("renderer", self._renderer))
                self.event(now, message.sender, what, detail)
            case msg.AgentNews():
                self._agents.handle(message.sender, message.boot, body)
                self._series.reported(message.sender, message.boot, body)
            case msg.WorldNews(time_s=time_s, poses=poses):
                self.world = body
                self._agents.batteries(body.batteries)
                self._loops[message.sender, message.boot] = body.loop_late_ms_p99, body.loop_late_ms_max
                self._slips |= {slip.from_s: slip for slip in body.slips}
                self._record.pose(time_s, poses)
            case msg.Scene(json=scene):
                self._record.scene(scene)
            case msg.PlannerNews():
                self.planner.append(body)
                self._loops[message.sender, message.boot] = body.loop_late_ms_p99, body.loop_late_ms_max
                self._planner_boots.add(message.boot)
            case msg.PlanNews(plan=plan):
                self._plans.handle(self._at_s(now), plan)
                self._record.plan(self._at_s(now), plan, message.boot)
            case _:
                pass

    def _loop_lateness(self) -> dict[str, tuple[float, float]]:
        """Of each process that is no agent: 99th percentile and most of the start in which they were largest."""
        loops = {self._own_name: self._late_ms}
        for (name, _), (p99, most) in self._loops.items():
            before = loops.get(name, (0.0, 0.0))
            loops[name] = max(p99, before[0]), max(most, before[1])
        return loops

    def _most_requests(self, agent: str, now: int) -> int:
        """Requests that an agent may have submitted: twice its due frames, since a restarted one submits some again.

        They are due since the begin of the run, or since the oldest that it kept.
        """
        since_ns = self._since_ns[agent] = min(self._since_ns.get(agent, self._start_ns), now)
        return MOST_EARLY + int(2.0 * self._rates_hz.get(agent, 0.0) * seconds(now - since_ns))

    # --- processes and faults ---

    def process_lost(self, name: str, boot: int, how: str, planned: bool, now: int) -> None:
        """A process ended during the run: because of an injected fault (`planned`), or by itself."""
        status = "killed" if planned else "crashed"
        if name in self._empty:
            how = "its battery was empty"
        self.event(now, self._own_name, status, {"process": name, "how": how})
        if not planned and self._started:
            self._faults.append(crash(name, self._at_s(now)))
        if name in self._robots:
            self.agent_gone(name, boot, now)
            self._agents.set_status(name, boot, "empty" if name in self._empty else status)

    def process_stopped(self, name: str, boot: int) -> None:
        """A process ended on request."""
        if name in self._robots:
            self._agents.set_status(name, boot, "ended")

    def agent_gone(self, name: str, boot: int, now: int) -> None:
        """Fail the open requests of one start of an agent: it can no longer end them."""
        self._ledger.handle(msg.Gone(name=name, boot=boot), now)

    def robot_joined(self, name: str, now: int) -> None:
        """A robot is there from now on: its requests are due."""
        self._presence.joined(name, self._at_s(now))
        self.event(now, self._own_name, "joined", {"robot": name})

    def robot_left(self, name: str, boot: int, now: int) -> None:
        """The process of a robot that was to leave has ended."""
        self.event(now, self._own_name, "left", {"robot": name})
        self.agent_gone(name, boot, now)
        self._agents.set_status(name, boot, "left")

    def robot_empty(self, name: str, now: int) -> None:
        """The battery of a robot is empty; its process is about to end."""
        self._empty.add(name)
        self.event(now, self._own_name, "battery_empty", {"robot": name})
        self._faults.append(battery_empty(name, self._at_s(now)))

    def respawned(self, name: str, crashes: int, now: int) -> None:
        """A process that crashed is started again."""
        self.event(now, self._own_name, "respawned", {"process": name, "crashes": crashes})

    def not_started(self, name: str, why: str, now: int) -> None:
        """A process could not be started again."""
        self._record.event(self._at_s(now), self._own_name, "not_started", {"process": name, "why": why})

    def fault_injected(self, fault: Fault, now: int) -> None:
        """A fault of the launch file begins."""
        self._record.event(self._at_s(now), self._own_name, "fault", {"fault": fault.name})
        self._update_fault(fault, done_s=self._at_s(now))

    def fault_cleared(self, fault: Fault, now: int) -> None:
        """The effect of a fault has ended, or the process that it restarted is ready."""
        self._update_fault(fault, ended_s=self._at_s(now))
        self._record.event(self._at_s(now), self._own_name, "fault_over", {"fault": fault.name})

    def disk_full(self, full: bool) -> None:
        """Begin or end an injected full disk: while it lasts, nothing is written into the run folder."""
        self._record.full = full

    def event(self, now: int, who: str, what: str, detail: Detail | None = None) -> None:
        self._record.event(self._at_s(now), who, what, detail)

    # --- figures ---

    def ledger(self) -> LedgerStatistics:
        return self._ledger.statistics()

    def on_time_so_far(self, now: int) -> float | None:
        """completed / frames whose results have fallen due, or have ended; None before the first."""
        total = self._ledger.statistics().total
        due = sum(self._presence.due(robot, stream.rate_hz, self._at_s(now) - stream.deadline_s)
                  for robot, stream in streams_of(self._launch)) if self._started else 0
        asked = max(due, total.submitted - total.open)
        return total.completed / asked if asked else None

    def open_requests(self) -> int:
        """Requests that have been submitted and have not ended."""
        return self._ledger.statistics().total.open

    @property
    def requests(self) -> int:
        """Requests that it holds."""
        return self._ledger.requests

    def take_open(self) -> list[Row]:
        """Take out the open requests, for the run that comes next."""
        return self._ledger.take_open()

    @property
    def epoch(self) -> int:
        """Of the newest plan; 0 before the first."""
        return self.planner[-1].epoch if self.planner else 0

    def finish(
        self, ran_s: float, *, encrypted: bool, interrupted: bool = False, overlapped: list[str] | None = None,
        state_hash: Callable[[Sequence[Row]], str] | None = None,
    ) -> dict[str, Any]:
        """Close the ledger and write everything that has not been written. Returns the summary.

        ran_s: how long the streams ran. encrypted: whether messages were encrypted with CURVE. interrupted: the run was
        ended before its time. overlapped: other runs on this host meanwhile; None: not known. state_hash: makes the
        hash of a run that can be repeated bit for bit.
        """
        rows, statistics = self._ledger.close(), self._ledger.statistics()
        slips = whole_slips(self._slips.values(), self.world.elapsed_s, ran_s) if self.world else []
        rows += missed_rows(self._launch, rows, slips, ran_s, self._presence, self._faults)
        if not self._launch.duration_s:              # on boards the duration is not known before
            self._launch = msgspec.structs.replace(self._launch, duration_s=round(ran_s, 3))
        summary = summarise(
            launch=self._launch, boards=self._launch.boards, rows=rows, ledger=statistics, agents=self._agents,
            world=self.world, slips=slips, planner=self.planner, planner_starts=len(self._planner_boots),
            plans=self._plans, faults=self._faults, losses=self._losses, ran_s=ran_s, interrupted=interrupted,
            late_ms=self._late_ms, loops=self._loop_lateness(),
        )
        summary.overlapped = overlapped
        summary.unwritten = dict(sorted(self._record.unwritten.items()))
        summary.state_hash = state_hash(rows) if state_hash else None
        summary.transport = _transport(summary.agents.values(), encrypted)
        self.write_manifest()
        self._record.requests(rows)
        written = msgspec.to_builtins(summary)
        self._record.summary(written)
        return written

    def _update_fault(self, fault: Fault, **times: float) -> None:
        i = next(i for i, done in enumerate(self._faults) if done.fault is fault)
        self._faults[i] = msgspec.structs.replace(self._faults[i], **times)

    def _at_s(self, now: int) -> float:
        return seconds(now - self._start_ns)


def _transport(agents: Collection[AgentFigures], encrypted: bool) -> Transport:
    return Transport(security="curve" if encrypted else "plaintext", messages=sum(a.carried for a in agents),
                     bytes=sum(a.carried_bytes for a in agents))
