"""What the planner knows of the links between the agents of its team: trends of their reports, in steady figures.

It has a file of its own, because neither the team nor the plan in force matter to it. Deterministic.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import inf

import msgspec

from swarm.core.policy.link import LinkQuality
from swarm.planner.problem import LONGEST_S

GAIN = 0.3                           # of a new measurement: plans follow trends, not samples
STEADY = 1.1                         # a figure stays as it is until its trend has left it by this factor
MOST_ASSUMED = 64                    # in a larger team an agent knows few others, and says which by its reports


class _Trend(msgspec.Struct):
    rtt_s: float
    bytes_per_s: float
    steady: LinkQuality


class TeamLinks:
    """Links by the agent that has measured them."""

    def __init__(self) -> None:
        self._trends: dict[str, dict[str, _Trend]] = {}
        self._measured: set[str] = set()             # agents that have reported

    def reported(self, agent: str, links: Mapping[str, tuple[float, float]]) -> None:
        """An agent reports its links: by peer, round trip (s) and throughput (bytes/s)."""
        self._measured.add(agent)
        trends = self._trends.setdefault(agent, {})
        for peer, (rtt_s, bytes_per_s) in links.items():
            if 0.0 <= rtt_s <= LONGEST_S and 0.0 < bytes_per_s < inf:
                trend = trends.get(peer)
                if trend is None:
                    steady = LinkQuality(rtt_s=rtt_s, bytes_per_s=bytes_per_s, samples=1)
                    trends[peer] = _Trend(rtt_s, bytes_per_s, steady)
                    continue
                trend.rtt_s += GAIN * (rtt_s - trend.rtt_s)
                trend.bytes_per_s += GAIN * (bytes_per_s - trend.bytes_per_s)
                if (_has_left(trend.steady.rtt_s, trend.rtt_s)
                        or _has_left(trend.steady.bytes_per_s, trend.bytes_per_s)):
                    trend.steady = LinkQuality(rtt_s=trend.rtt_s, bytes_per_s=trend.bytes_per_s, samples=1)

    def forget(self, agent: str) -> None:
        """Discard all measurements of an agent and of the links to it."""
        self._measured.discard(agent)
        self._trends.pop(agent, None)
        for trends in self._trends.values():
            trends.pop(agent, None)

    def of(self, team: Collection[str]) -> dict[tuple[str, str], LinkQuality]:
        """The measured links within a team; those of an agent that has not reported are assumed in a small team."""
        links = {(a, b): trend.steady for a in team for b, trend in self._trends.get(a, {}).items() if b in team}
        if len(team) <= MOST_ASSUMED:
            links |= {(a, b): LinkQuality() for a in team if a not in self._measured
                      for b in team if a != b and (a, b) not in links}
        return links


def _has_left(steady: float, trend: float) -> bool:
    return not steady / STEADY <= trend <= steady * STEADY
