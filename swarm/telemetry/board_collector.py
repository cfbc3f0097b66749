"""The collector for boards without a launcher.

Members report to it, but no launcher announces the begin and the end of a run. Agents also send what they kept while it
was not there, with its age. A run begins with the first report about a request; others may be older (times below 0).
After RUN_S or MOST_REQUESTS it is written and the next one begins, so that memory is bounded and a power cut costs
little; open requests go over to the next run. The last run ends when this process is told to end: new requests are then
ignored, and open requests are awaited. No parent watches the agents' processes: an agent counts as lost when it has
restarted, or is silent for SILENT_S at the end.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import msgspec

from swarm.core.policy.clock_offset import ClockOffset
from swarm.core.ports import Host, Received
from swarm.core.protocol import messages as msg
from swarm.core.protocol.messages.telemetry import MOST_AGE_S
from swarm.core.protocol.spans import RequestId
from swarm.core.settings.errors import BadInput
from swarm.core.settings.launch_file import LaunchFile
from swarm.core.settings.process_files import CollectorFile
from swarm.core.units import ns, seconds
from swarm.membership.participant import Participant
from swarm.telemetry.collector import Collector
from swarm.telemetry.file_types import Record
from swarm.telemetry.ledger import Row

log = logging.getLogger(__name__)

RUN_S = 600.0                        # of one run: robots are switched off by cutting their power
MOST_REQUESTS = 50_000               # of one run: 90 MB, measured; written and reported within 420 MB
SILENT_S = 3.0                       # agents report their figures once a second
DRAIN_EXTRA_S = 2.0                  # beyond the longest deadline
DRAIN_CHECK_NS = ns(0.05)
MOST_STARTS = 1000                   # of one agent, of which it has kept reports
KEPT = msgspec.msgpack.Decoder(msg.Submitted | msg.Ended | msg.Happened | msg.AgentNews)
REPORTS = (msg.Submitted, msg.Ended, msg.Happened, msg.AgentNews, msg.WorldNews, msg.Scene, msg.PlannerNews,
           msg.PlanNews)


class Runs(Protocol):
    """Where runs are written: `process.RunFolders`."""

    @property
    def writes(self) -> bool:
        """Whether a run that has ended is being written."""
        ...

    def begin(self) -> tuple[Record, Callable[[str], Mapping[str, Any]]]:
        """The record of the next run, and what makes its manifest (see Collector). Raises: BadInput."""
        ...

    def end(self, record: Record, write: Callable[[], object]) -> None:
        """Call `write`, which may take many seconds, beside the loop; then the record is complete."""
        ...


class BoardCollector:
    """Collects from `begin` until it stops its machine, some time after `end`. Raises: BadInput, of `Runs.begin`."""

    def __init__(self, host: Host, settings: CollectorFile, launch: LaunchFile, runs: Runs) -> None:
        self._host, self._settings, self._launch, self._runs = host, settings, launch, runs
        self._encrypted = bool(settings.keys)
        self._participant = Participant(host, settings, self._received)
        self._next_run()
        longest_s = max((stream.deadline_s for stream in launch.streams), default=0.0)
        drain_s = settings.drain_s
        self._drain_s = max(longest_s + DRAIN_EXTRA_S, SILENT_S) if drain_s is None else drain_s
        self._end_ns: int | None = None              # when the process was told to end
        self._open: tuple[int, list[Row]] = 0, []    # begin of the run before, and its open requests, until this begins
        self._boots: dict[str, list[int]] = {}       # starts of each agent, in order of their first kept report
        self._heard_ns: dict[str, int] = {}          # time of each agent's last message
        self._clocks: dict[tuple[str, int], ClockOffset] = {}        # of each start of a process
        self._after_end: set[RequestId] = set()       # submitted after the end
        self._starts: Counter[str] = Counter()       # of which each agent has kept reports
        self._newest: dict[tuple[str, int], int] = {}        # number of the newest kept report of each start
        self._no_folder = False                      # the last try to begin a run failed

    def begin(self) -> None:
        """Join the members of the roster."""
        self._participant.begin()

    def end(self) -> None:
        """Wait for open requests, then stop the machine. A second call stops it at once."""
        if self._end_ns is None:
            self._end_ns = self._host.clock.now_ns()
            if self._open[1]:
                self._begin_run(self._end_ns)
            self._collector.streams_ended(self._end_ns)
            self._drain_check()
        else:
            self._host.machine.stop()

    def finish(self) -> dict[str, Any]:
        """Write the record after the machine has stopped. Returns the summary."""
        now = self._host.clock.now_ns()
        if self._open[1]:                            # told to stop without `end`
            self._begin_run(now)
        for name, boots in self._boots.items():
            if seconds(now - self._heard_ns[name]) >= SILENT_S:
                self._collector.agent_gone(name, boots[-1], now)
        return self._finish(self._collector, now if self._end_ns is None else self._end_ns, self._start_ns)

    def _received(self, message: Received) -> None:
        room = self._room()
        if not isinstance(message.body, msg.Kept):
            self._reported(message)
        elif room:                                   # without an answer agents keep them, and send them again
            self._kept(message, message.body.reports)

    # --- runs ---

    def _room(self) -> bool:
        """Whether the run takes more requests. If it is long enough, the next one begins."""
        if self._start_ns is None or self._end_ns is not None:
            return True
        full = self._collector.requests >= MOST_REQUESTS
        if (full or self._host.clock.now_ns() >= self._until_ns) and not self._runs.writes:
            return self._cut() or not full
        return not full

    def _cut(self) -> bool:
        """End the run and begin the next. False: its folder cannot be made."""
        before, record, start_ns, now = self._collector, self._record, self._start_ns, self._host.clock.now_ns()
        assert start_ns is not None
        try:
            self._next_run()
        except BadInput as error:
            if not self._no_folder:
                log.warning("the next run cannot begin, and this one goes on: %s", error)
            self._no_folder = True
            return False
        self._no_folder = False
        self._open = start_ns, before.take_open()
        for name, boots in self._boots.items():
            for boot in boots[:-1]:
                self._collector.agent_gone(name, boot, now)
        before.streams_ended(now)
        self._runs.end(record, partial(self._finish, before, now, start_ns))
        return True

    def _next_run(self) -> None:
        """Open the next run. Raises: BadInput; then nothing has changed."""
        self._record, facts = self._runs.begin()
        self._collector = Collector(
            self._launch, self._record, name=self._settings.name, commanded_ns=self._host.clock.now_ns(),
            manifest=facts, lateness=self._host.timers.lateness)
        self._collector.write_manifest()
        self._start_ns: int | None = None            # of the first report about a request
        self._until_ns = 0                           # when it is long enough

    def _begin_run(self, at_ns: int) -> None:
        self._start_ns, self._until_ns = at_ns, self._host.clock.now_ns() + ns(RUN_S)
        self._collector.started(at_ns)
        before_ns, rows = self._open
        self._open = 0, []
        for row in rows:
            self._collector.handle(_submission(row, before_ns, at_ns))
        self._host.timers.after(ns(RUN_S), self._time_is_over)

    def _time_is_over(self) -> None:
        """No message need come for the run to end."""
        self._room()

    def _finish(self, collector: Collector, end_ns: int, start_ns: int | None) -> dict[str, Any]:
        ran_s = seconds(end_ns - start_ns) if start_ns is not None else 0.0
        return collector.finish(ran_s, encrypted=self._encrypted)

    # --- reports ---

    def _kept(self, message: Received, reports: Sequence[msg.KeptReport]) -> None:
        """Reports that an agent kept. What comes twice, since our answer was lost, counts once."""
        for one in reports:
            key = message.sender, one.boot
            if one.number <= self._newest.get(key, 0):
                continue
            if key not in self._newest:
                self._starts[message.sender] += 1
                if self._starts[message.sender] > MOST_STARTS:
                    self._participant.refuse(f"kept reports of {message.sender}, of more than {MOST_STARTS} starts")
                    break
            self._newest[key] = one.number
            at_ns = message.at_ns - ns(min(one.age_s, MOST_AGE_S))
            try:
                report = msgspec.structs.replace(message, boot=one.boot, body=KEPT.decode(one.body), at_ns=at_ns)
            except msgspec.MsgspecError:
                self._participant.refuse(f"a kept report of {message.sender}, which makes no sense")
                continue
            self._agent_started(message.sender, one.boot, at_ns)
            self._reported(report)
        last = reports[-1]
        self._participant.net.send(message.sender, msg.KeptReceived(boot=last.boot, number=last.number))

    def _reported(self, message: Received) -> None:
        body = message.body
        if not isinstance(body, REPORTS):
            return                                   # heartbeats, for example: the collector only listens
        if self._participant.net.role(message.sender) == "agent":
            self._heard_ns[message.sender] = message.at_ns
        if isinstance(body, msg.Submitted) and body.request.agent == message.sender:
            if self._end_ns is not None:
                self._after_end.add(body.request)
                return
        elif isinstance(body, msg.Ended) and body.span.request.agent == message.sender:
            if body.span.request in self._after_end:
                return
        else:
            self._handle(message)
            return
        if self._start_ns is None and self._end_ns is None:
            self._begin_run(message.at_ns)
        self._handle(message)

    def _handle(self, message: Received) -> None:
        self._collector.handle(msgspec.structs.replace(message, body=self._on_axis(message)))

    def _on_axis(self, message: Received) -> msg.Body:
        """The report with its times on the axis of the run: each process counts them from its own start."""
        match message.body:
            case msg.Submitted(due_s=own_s) as body:
                return msgspec.structs.replace(body, due_s=own_s + self._zero_s(message, own_s))
            case msg.WorldNews(elapsed_s=own_s) as body:
                zero_s = self._zero_s(message, own_s)
                return msgspec.structs.replace(body, elapsed_s=max(own_s + zero_s, 0.0), slips=[
                    msg.Slip(max(slip.from_s + zero_s, 0.0), max(slip.to_s + zero_s, 0.0), slip.lost_s)
                    for slip in body.slips])
            case body:
                return body

    def _zero_s(self, message: Received, own_s: float) -> float:
        """When the sender began to count, on the axis of the run. own_s: the newest of its times in the message."""
        if self._start_ns is None:
            return 0.0
        clock = self._clocks.setdefault((message.sender, message.boot), ClockOffset())
        return seconds(clock.own_ns(own_s, 0.0, message.at_ns) - self._start_ns) - own_s

    def _agent_started(self, name: str, boot: int, now: int) -> None:
        """An agent that has restarted cannot end the requests of its previous start.

        Its kept reports are in order: those of the previous start have all come. Other reports may overtake them.
        """
        if self._participant.net.role(name) != "agent":
            return
        boots = self._boots.setdefault(name, [])
        if boot not in boots:
            if boots:
                self._collector.agent_gone(name, boots[-1], now)
            boots.append(boot)

    def _drain_check(self) -> None:
        assert self._end_ns is not None
        drained_s = seconds(self._host.clock.now_ns() - self._end_ns)
        if drained_s >= self._drain_s or not self._collector.open_requests():
            self._host.machine.stop()
        else:
            self._host.timers.after(DRAIN_CHECK_NS, self._drain_check)


def _submission(row: Row, before_ns: int, start_ns: int) -> Received:
    """The report of an open request of a run that began at `before_ns`, for the one that begins at `start_ns`."""
    assert row.frame is not None                     # what is open was submitted
    request, at_ns = row.span.request, before_ns + ns(row.at_s)
    body = msg.Submitted(request=request, frame=row.frame, due_s=row.due_s + seconds(before_ns - start_ns))
    return Received(request.agent, request.boot, body, [], None, at_ns, at_ns)
