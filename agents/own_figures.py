"""The figures that an agent reports of itself, once a second and when the streams end. Deterministic.

Load and lateness count from Start to Drain: neither the loading of models before nor the drain is in them.
"""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

from agents.acting import Acting
from agents.peers.link_report import Measured
from agents.ports import Runner
from swarm.core.ports import Host
from swarm.core.protocol.messages import AgentNews
from swarm.core.protocol.messages.telemetry import MOST_LINKS
from swarm.core.units import seconds


class _While(NamedTuple):
    """Of the time while the streams ran."""

    busy_s: float = 0.0
    available_s: float = 0.0
    late_ms_p99: float = 0.0
    late_ms_max: float = 0.0
    behaviour_ms_p99: float = 0.0


class OwnFigures:
    """Makes the reports of one agent. executors: of its board."""

    def __init__(self, host: Host, runner: Runner, acting: Acting, executors: int) -> None:
        self._host, self._runner, self._acting, self._executors = host, runner, acting, executors
        self._start: tuple[int, float] | None = None         # time and busy seconds at Start; None: no streams run
        self._final = _While()

    def streams_began(self) -> None:
        """Start has come. A second Start changes nothing."""
        if self._start is None:
            self._start = self._host.clock.now_ns(), self._runner.statistics().busy_s
            self._host.timers.lateness.clear()
            self._acting.lateness.clear()

    def streams_ended(self) -> None:
        """Drain has come: load and lateness do not change any more."""
        self._final, self._start = self._load(), None

    def news(self, *, links: dict[str, Measured], queue: int, refused_in: int, duplicates: int) -> AgentNews:
        """The next report. links: those that have changed. queue: runs that wait or run."""
        machine, traffic, runner = self._host.machine, self._host.transport.traffic(), self._runner.statistics()
        load = self._load()
        return AgentNews(
            rss_bytes=machine.rss_bytes(), loads=runner.loads, unloads=runner.unloads,
            runs=runner.runs, overruns=runner.overruns, busy_s=load.busy_s,
            available_s=load.available_s, queue=queue, links=dict(islice(links.items(), MOST_LINKS)),
            loop_late_ms_p99=load.late_ms_p99, loop_late_ms_max=load.late_ms_max,
            behaviour_ms_p99=load.behaviour_ms_p99, behaviour_missed=self._acting.missed,
            behaviour_nonsense=self._acting.nonsense,
            refused_in=traffic.refused + refused_in, duplicates=duplicates,
            control_bytes=traffic.control_bytes, carried=traffic.messages, carried_bytes=traffic.size_bytes,
            broken_off=traffic.broken_off,
        )

    def _load(self) -> _While:
        if self._start is None:
            return self._final
        start_ns, busy_s = self._start
        elapsed_s = seconds(self._host.clock.now_ns() - start_ns)
        loop, behaviour = self._host.timers.lateness, self._acting.lateness
        return _While(
            max(self._runner.statistics().busy_s - busy_s, 0.0), elapsed_s * self._executors, loop.quantile_ms(0.99),
            loop.longest_ns / 1e6, behaviour.quantile_ms(0.99))
