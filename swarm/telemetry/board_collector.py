"""The collector for boards without a launcher.

Members report to it, but no launcher announces the begin and the end of a run. Agents also send what they kept while it
was not there, with its age. The run begins with the first reported request; others may be older (times below 0). It
ends when this process is told to end: new requests are then ignored, and open requests are awaited. No parent watches
the agents' processes: an agent counts as lost when it has restarted, or is silent for SILENT_S at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from swarm.core.policy.clock_offset import ClockOffset
from swarm.core.ports import Host, Received
from swarm.core.protocol import messages as msg
from swarm.core.protocol.messages.telemetry import MOST_AGE_S
from swarm.core.protocol.spans import RequestId
from swarm.core.settings.launch_file import LaunchFile
from swarm.core.settings.process_files import CollectorFile
from swarm.core.units import ns, seconds
from swarm.membership.participant import Participant
from swarm.telemetry.collector import Collector, Record

SILENT_S = 3.0                       # agents report their figures once a second
DRAIN_EXTRA_S = 2.0                  # beyond the longest deadline
DRAIN_CHECK_NS = ns(0.05)
MOST_STARTS = 1000                   # of one agent, of which it has kept reports
KEPT = msgspec.msgpack.Decoder(msg.Submitted | msg.Ended | msg.Happened | msg.AgentNews)
REPORTS = (msg.Submitted, msg.Ended, msg.Happened, msg.AgentNews, msg.WorldNews, msg.Scene, msg.PlannerNews,
           msg.PlanNews)


class BoardCollector:
    """Collects from `begin` until it stops its machine, some time after `end`. `manifest`, `record`: see Collector."""

    def __init__(
        self, host: Host, settings: CollectorFile, launch: LaunchFile, record: Record,
        manifest: Callable[[str], Mapping[str, Any]],
    ) -> None:
        self._host, self._encrypted = host, bool(settings.keys)
        self._participant = Participant(host, settings, self._received)
        self._collector = Collector(
            launch, record, name=settings.name, commanded_ns=host.clock.now_ns(), manifest=manifest,
            lateness=host.timers.lateness)
        longest_s = max((stream.deadline_s for stream in launch.streams), default=0.0)
        drain_s = settings.drain_s
        self._drain_s = max(longest_s + DRAIN_EXTRA_S, SILENT_S) if drain_s is None else drain_s
        self._start_ns: int | None = None            # of the first request
        self._end_ns: int | None = None              # when the process was told to end
        self._boots: dict[str, list[int]] = {}       # starts of each agent, in order of their first message
        self._heard_ns: dict[str, int] = {}          # time of each agent's last message
        self._clocks: dict[tuple[str, int], ClockOffset] = {}        # of each start of a process
        self._after_end: set[RequestId] = set()       # submitted after the end
        self._starts: Counter[str] = Counter()       # of which each agent has kept reports
        self._newest: dict[tuple[str, int], int] = {}        # number of the newest kept report of each start

    def begin(self) -> None:
        """Join the members of the roster."""
        self._participant.begin()
        self._collector.write_manifest()

    def end(self) -> None:
        """Wait for open requests, then stop the machine. A second call stops it at once."""
        if self._end_ns is None:
            self._end_ns = self._host.clock.now_ns()
            self._collector.streams_ended(self._end_ns)
            self._drain_check()
        else:
            self._host.machine.stop()

    def finish(self) -> dict[str, Any]:
        """Write the record after the machine has stopped. Returns the summary."""
        now = self._host.clock.now_ns()
        for name, boots in self._boots.items():
            if seconds(now - self._heard_ns[name]) >= SILENT_S:
                self._collector.agent_gone(name, boots[-1], now)
        end_ns = now if self._end_ns is None else self._end_ns
        ran_s = seconds(end_ns - self._start_ns) if self._start_ns is not None else 0.0
        return self._collector.finish(ran_s, encrypted=self._encrypted)

    def _received(self, message: Received) -> None:
        if isinstance(message.body, msg.Kept):
            self._kept(message, message.body.reports)
        else:
            self._reported(message)

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
                self._reported(msgspec.structs.replace(message, boot=one.boot, body=KEPT.decode(one.body), at_ns=at_ns))
            except msgspec.MsgspecError:
                self._participant.refuse(f"a kept report of {message.sender}, which makes no sense")
        last = reports[-1]
        self._participant.net.send(message.sender, msg.KeptReceived(boot=last.boot, number=last.number))

    def _reported(self, message: Received) -> None:
        body = message.body
        if not isinstance(body, REPORTS):
            return                                   # heartbeats, for example: the collector only listens
        if self._participant.net.role(message.sender) == "agent":
            self._agent_heard(message.sender, message.boot, message.at_ns)
        if isinstance(body, msg.Submitted) and body.request.agent == message.sender:
            if self._end_ns is not None:
                self._after_end.add(body.request)
                return
            if self._start_ns is None:
                self._start_ns = message.at_ns
                self._collector.started(message.at_ns)
        elif isinstance(body, msg.Ended) and body.span.request in self._after_end:
            return
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

    def _agent_heard(self, name: str, boot: int, now: int) -> None:
        """An agent that has restarted cannot end the requests of its previous start."""
        self._heard_ns[name] = now
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
