"""Figures that agents report once a second, collected over a run and over restarts."""

from __future__ import annotations

import msgspec

from swarm.core.protocol.messages import AgentNews
from swarm.telemetry.summary_types import AgentFigures

COUNTERS = ("runs", "overruns", "refused_in", "duplicates", "control_bytes", "carried", "carried_bytes", "broken_off")


class AgentBook:
    """Sums, maxima and means of each agent's figures. The counters of AgentNews restart at 0 with the process."""

    def __init__(self) -> None:
        self._figures: dict[str, AgentFigures] = {}
        self._last_report: dict[tuple[str, int], AgentNews] = {}
        self._reports: dict[str, int] = {}
        self._boots: dict[str, set[int]] = {}        # starts that reported, or whose end is known
        self._ended: set[tuple[str, int]] = set()    # starts that have ended

    def handle(self, agent: str, boot: int, report: AgentNews) -> None:
        """One report of an agent."""
        figures = self._figures.setdefault(agent, AgentFigures())
        before = self._last_report.get((agent, boot))
        self._boots.setdefault(agent, set()).add(boot)
        for name in COUNTERS:
            grown = getattr(report, name) - (getattr(before, name) if before else 0)
            setattr(figures, name, getattr(figures, name) + max(grown, 0))
        figures.rss_bytes_max = max(figures.rss_bytes_max, report.rss_bytes)
        reports = self._reports.get(agent, 0) + 1
        figures.busy_share += (report.busy_share - figures.busy_share) / reports
        if (agent, boot) not in self._ended:         # its last report may arrive after its end
            figures.status = "running"
        self._reports[agent] = reports
        self._last_report[agent, boot] = report

    def set_status(self, agent: str, boot: int, status: str) -> None:
        """Record how one start of the process ended, as its parent saw it: `ended`, `killed` or `crashed`."""
        self._boots.setdefault(agent, set()).add(boot)
        self._ended.add((agent, boot))
        self._figures.setdefault(agent, AgentFigures()).status = status

    def figures(self, agent: str) -> AgentFigures:
        """A copy; all zeros for an agent that never reported and never ended."""
        return msgspec.structs.replace(self._figures.get(agent, AgentFigures()), boots=len(self._boots.get(agent, ())))
