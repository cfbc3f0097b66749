"""What the planner knows of the links between the agents of its team: trends of their reports, in steady figures.

It has a file of its own, because neither the team nor the plan in force matter to it. Deterministic.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from math import floor, inf, log

import msgspec

from swarm.core.policy.link import UNMEASURED_BYTES_PER_S, LinkQuality
from swarm.core.settings.links import link_between
from swarm.core.units import seconds
from swarm.planner.observed.link_trends import Trail
from swarm.planner.problem import LONGEST_S, Pair

GAIN = 0.3                           # of a new measurement: plans follow trends, not samples
STEADY = 1.1                         # a figure stays as it is until its trend has left it by this factor
LEAST_RTT_S = 1e-6
LEAST_BYTES_PER_S = 1.0             # a report of less is no measurement, and is ignored
MOST_ASSUMED = 64                    # in a larger team an agent knows few others, and says which by its reports


class _Trend(msgspec.Struct):
    rtt_s: float
    bytes_per_s: float
    steady: LinkQuality
    last: tuple[float, float]        # the newest report
    trips: Trail                     # round trips per second
    rates: Trail


class TeamLinks:
    """Links by the agent that has measured them.

    Links that get worse steadily are told as they will be: links in use `renewed_s` ahead, since the next plan can
    leave them, and others `ahead_s`, since what moves there stays for a while. airtimes: as in the planner's file.
    """

    def __init__(self, ahead_s: float = 0.0, renewed_s: float = 0.0, airtimes: Mapping[str, str] | None = None) -> None:
        self._ahead_s, self._renewed_s, self._airtimes = ahead_s, renewed_s, airtimes or {}
        self._trends: dict[str, dict[str, _Trend]] = {}
        self._measured: set[str] = set()             # agents that have reported

    def reported(self, agent: str, links: Mapping[str, tuple[float, float]], now: int) -> None:
        """An agent reports links that have changed: by peer, round trip (s) and throughput (bytes/s). now: ns."""
        if links:
            self._measured.add(agent)
        trends = self._trends.setdefault(agent, {})
        for peer, (rtt_s, bytes_per_s) in links.items():
            if 0.0 <= rtt_s <= LONGEST_S and LEAST_BYTES_PER_S <= bytes_per_s < inf:
                trend = trends.get(peer)
                if trend is None:
                    steady = LinkQuality(rtt_s=rtt_s, bytes_per_s=bytes_per_s, samples=1)
                    trends[peer] = _Trend(rtt_s, bytes_per_s, steady, (rtt_s, bytes_per_s), Trail(), Trail())
                    continue
                if trend.bytes_per_s == UNMEASURED_BYTES_PER_S:
                    trend.bytes_per_s = bytes_per_s              # a guess gives way to the first measurement at once
                trend.last = rtt_s, bytes_per_s
        for trend in trends.values():                # what it does not tell again is as before
            rtt_s, bytes_per_s = trend.last
            trend.rtt_s += GAIN * (rtt_s - trend.rtt_s)
            trend.bytes_per_s += GAIN * (bytes_per_s - trend.bytes_per_s)
            if (_has_left(trend.steady.rtt_s, trend.rtt_s)
                    or _has_left(trend.steady.bytes_per_s, trend.bytes_per_s)):
                trend.steady = LinkQuality(rtt_s=trend.rtt_s, bytes_per_s=trend.bytes_per_s, samples=1)
            trend.trips.add(seconds(now), 1.0 / max(rtt_s, LEAST_RTT_S))
            trend.rates.add(seconds(now), bytes_per_s)

    def forget(self, agent: str) -> None:
        """Discard all measurements of an agent and of the links to it."""
        self._measured.discard(agent)
        self._trends.pop(agent, None)
        for trends in self._trends.values():
            trends.pop(agent, None)

    def of(self, team: Collection[str], used: Collection[Pair] = ()) -> dict[Pair, LinkQuality]:
        """The measured links within a team; those of an agent that has not reported are assumed in a small team.

        used: the links of the plan in force.
        """
        links = {(a, b): _ahead(trend, self._renewed_s if (a, b) in used else self._ahead_s)
                 for a in team for b, trend in self._trends.get(a, {}).items() if b in team}
        if len(team) <= MOST_ASSUMED:
            links |= {(a, b): LinkQuality() for a in team if a not in self._measured
                      for b in team if a != b and (a, b) not in links}
        return links

    def airtimes(self, pairs: Iterable[Pair]) -> dict[Pair, str]:
        """The airtime of those of these links that share one."""
        if not self._airtimes:
            return {}
        shared = {pair: link_between(self._airtimes, *pair) for pair in pairs}
        return {pair: airtime for pair, airtime in shared.items() if airtime is not None}


def _ahead(trend: _Trend, ahead_s: float) -> LinkQuality:
    """The link as it will be: worse by whole steps, so that a trend does not make a new problem each second."""
    steady, (rtt_s, bytes_per_s) = trend.steady, trend.last
    trips_left, rate_left = trend.trips.share_left(ahead_s), trend.rates.share_left(ahead_s)
    if trips_left == rate_left == 1.0:
        return steady
    slower = _steps(rtt_s / trips_left / max(steady.rtt_s, LEAST_RTT_S)) if trips_left < 1.0 else 1.0
    weaker = _steps(steady.bytes_per_s / (bytes_per_s * rate_left)) if rate_left < 1.0 else 1.0
    return LinkQuality(rtt_s=slower * steady.rtt_s, bytes_per_s=steady.bytes_per_s / weaker, samples=steady.samples)


def _steps(factor: float) -> float:
    """The largest whole number of steps up to this factor, as a factor; 1 at least."""
    return STEADY ** max(floor(log(factor) / log(STEADY)), 0)


def _has_left(steady: float, trend: float) -> bool:
    return not steady / STEADY <= trend <= steady * STEADY
