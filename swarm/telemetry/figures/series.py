"""Time series of a run, a line a second: load and links of the agents, and what each stream got beside its plan."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable

from swarm.core.protocol.messages import AgentNews
from swarm.core.protocol.spans import Span
from swarm.telemetry.figures.planner import PlanHistory, p95_ms
from swarm.telemetry.figures.presence import due_by
from swarm.telemetry.file_types import AgentPoint, LinkPoint, SeriesRecord, StreamPoint

P95_OVER_S = 10.0                    # one second has too few requests for a percentile
P95_MOST = 2400                      # requests of that time: ten seconds at the highest rate


class _Stream:
    """One stream of one robot since the last line."""

    def __init__(self, rate_hz: float) -> None:
        self.rate_hz = rate_hz
        self.ended = self.on_time = 0
        self.results_s: list[float] = []
        self.recent: deque[tuple[float, float]] = deque(maxlen=P95_MOST)     # time of the line before, latency


class Series:
    """Makes the lines of `series.jsonl`. It knows only the robots and streams of the run; other names are left out.

    streams: every robot with each of its streams and the stream's rate in Hz. due: the due frames of a stream until
    now, of its robot, its rate and the time in seconds.
    """

    def __init__(
        self, robots: Iterable[str], streams: Iterable[tuple[str, str, float]], plans: PlanHistory,
        due: Callable[[str, float, float], int] = lambda robot, rate_hz, at_s: due_by(at_s, rate_hz),
    ) -> None:
        self._robots, self._plans, self._due = set(robots), plans, due
        self._streams = {(robot, name): _Stream(rate_hz) for robot, name, rate_hz in streams}
        self._reports: dict[str, tuple[int, AgentNews]] = {}         # newest of each agent, with its boot
        self._told: dict[str, tuple[int, AgentNews]] = {}            # as the line before had it
        self._links: dict[str, dict[str, LinkPoint]] = {}            # reported since the last line
        self._last_s = 0.0

    def reported(self, agent: str, boot: int, news: AgentNews) -> None:
        """An agent has reported its figures."""
        if agent in self._robots:
            self._reports[agent] = boot, news
            self._links.setdefault(agent, {}).update({
                peer: LinkPoint(rtt_ms=round(rtt_s * 1e3, 3), mbit_s=round(bytes_per_s * 8e-6, 3))
                for peer, (rtt_s, bytes_per_s) in news.links.items() if peer in self._robots})

    def ended(self, span: Span) -> None:
        """A request has ended."""
        stream = self._streams.get((span.request.agent, span.stream))
        if stream is None:
            return
        latency_s = span.latency_s if span.ending in ("completed", "late") else math.inf
        stream.ended += 1
        stream.on_time += span.ending == "completed"
        stream.recent.append((self._last_s, latency_s))
        if latency_s < math.inf:
            stream.results_s.append(latency_s)

    def line(self, at_s: float) -> SeriesRecord:
        """The line of the time since the last one. at_s: since the streams began."""
        record = SeriesRecord(
            at_s=at_s, agents={agent: self._agent(agent) for agent in sorted(self._links)},
            streams={f"{robot}/{name}": self._stream(robot, name, at_s) for robot, name in self._streams})
        self._told, self._links, self._last_s = dict(self._reports), {}, at_s
        return record

    def _agent(self, agent: str) -> AgentPoint:
        boot, news = self._reports[agent]
        told_boot, told = self._told.get(agent, (0, None))
        before = (told.busy_s, told.available_s) if told is not None and told_boot == boot else (0.0, 0.0)
        busy_s, available_s = news.busy_s - before[0], news.available_s - before[1]
        return AgentPoint(
            busy=round(min(max(busy_s / available_s, 0.0), 1.0), 4) if available_s > 0.0 else None, queue=news.queue,
            links=self._links[agent])

    def _stream(self, robot: str, name: str, at_s: float) -> StreamPoint:
        stream, plan = self._streams[robot, name], self._plans.placement(robot, name, at_s)
        while stream.recent and stream.recent[0][0] < at_s - P95_OVER_S:
            stream.recent.popleft()
        results_s, stream.results_s = stream.results_s, []
        point = StreamPoint(
            due=self._due(robot, stream.rate_hz, at_s) - self._due(robot, stream.rate_hz, self._last_s),
            ended=stream.ended, on_time=stream.on_time,
            mean_ms=round(sum(results_s) / len(results_s) * 1e3, 3) if results_s else None,
            p95_ms=p95_ms([latency_s for _, latency_s in stream.recent]),
            predicted_ms=round(plan.predicted_s * 1e3, 3) if plan else None,
            predicted_p95_ms=round(plan.predicted_p95_s * 1e3, 3) if plan else None,
            predicted_on_time=plan.predicted_on_time if plan else None)
        stream.ended = stream.on_time = 0
        return point
