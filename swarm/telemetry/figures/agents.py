"""What agents tell of themselves once a second, gathered over a run and over their restarts."""

from __future__ import annotations

import msgspec

from swarm.core.protocol.messages import AgentNews
from swarm.telemetry.summary_types import AgentFigures

COUNTERS = ("runs", "overruns", "refused_in", "duplicates", "control_bytes", "carried", "carried_bytes", "broken_off")


class AgentBook:
    """The newest and the extreme figures of each agent. AgentNews counts from its process's start."""

    def __init__(self) -> None:
        self._figures: dict[str, AgentFigures] = {}
        self._newest: dict[tuple[str, int], AgentNews] = {}
        self._reports: dict[str, int] = {}
        self._ended: set[tuple[str, int]] = set()    # starts that are over

    def handle(self, agent: str, boot: int, news: AgentNews) -> None:
        """One report of an agent."""
        figures = self._figures.setdefault(agent, AgentFigures())
        before = self._newest.get((agent, boot))
        figures.boots += before is None
        for name in COUNTERS:
            grown = getattr(news, name) - (getattr(before, name) if before else 0)
            setattr(figures, name, getattr(figures, name) + max(grown, 0))
        figures.rss_bytes_max = max(figures.rss_bytes_max, news.rss_bytes)
        reports = self._reports.get(agent, 0) + 1
        figures.busy_share += (news.busy_share - figures.busy_share) / reports
        if (agent, boot) not in self._ended:         # else its last report, read after its end
            figures.status = "running"
        self._reports[agent] = reports
        self._newest[agent, boot] = news

    def status(self, agent: str, boot: int, status: str) -> None:
        """How one start of the process ended, as its parent saw it: `ended`, `killed`, `crashed`."""
        self._ended.add((agent, boot))
        self._figures.setdefault(agent, AgentFigures()).status = status

    def figures(self, agent: str) -> AgentFigures:
        """A copy; an agent that was never heard has zeros."""
        return msgspec.structs.replace(self._figures.get(agent, AgentFigures()))
