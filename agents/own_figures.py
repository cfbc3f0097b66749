"""The figures that an agent reports of itself, once a second and when the streams end. Deterministic.

Load and lateness count from Start to Drain: neither the loading of models before nor the drain is in them.
"""

from __future__ import annotations

from itertools import islice

from agents.peers.link_report import Measured
from agents.ports import Runner
from swarm.core.ports import Host
from swarm.core.protocol.messages import AgentNews
from swarm.core.protocol.messages.telemetry import MOST_LINKS
from swarm.core.units import seconds


class OwnFigures:
    """Makes the reports of one agent. executors: of its board."""

    def __init__(self, host: Host, runner: Runner, executors: int) -> None:
        self._host, self._runner, self._executors = host, runner, executors
        self._start: tuple[int, float] | None = None         # time and busy seconds at Start; None: no streams run
        self._final = 0.0, 0.0, 0.0                          # busy, available, lateness while the streams ran

    def streams_began(self) -> None:
        """Start has come. A second Start changes nothing."""
        if self._start is None:
            self._start = self._host.clock.now_ns(), self._runner.statistics().busy_s
            self._host.timers.lateness.clear()

    def streams_ended(self) -> None:
        """Drain has come: load and lateness do not change any more."""
        self._final, self._start = self._load(), None

    def news(self, *, links: dict[str, Measured], queue: int, refused_in: int, duplicates: int) -> AgentNews:
        """The next report. links: those that have changed. queue: runs that wait or run."""
        machine, traffic, runner = self._host.machine, self._host.transport.traffic(), self._runner.statistics()
        busy_s, available_s, late_ms = self._load()
        return AgentNews(
            rss_bytes=machine.rss_bytes(), runs=runner.runs, overruns=runner.overruns, busy_s=busy_s,
            available_s=available_s, queue=queue, links=dict(islice(links.items(), MOST_LINKS)),
            loop_late_ms_p99=late_ms, refused_in=traffic.refused + refused_in, duplicates=duplicates,
            control_bytes=traffic.control_bytes, carried=traffic.messages, carried_bytes=traffic.size_bytes,
            broken_off=traffic.broken_off,
        )

    def _load(self) -> tuple[float, float, float]:
        if self._start is None:
            return self._final
        start_ns, busy_s = self._start
        elapsed_s = seconds(self._host.clock.now_ns() - start_ns)
        return (max(self._runner.statistics().busy_s - busy_s, 0.0), elapsed_s * self._executors,
                self._host.timers.lateness.quantile_ms(0.99))
