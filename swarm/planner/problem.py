"""A planning problem: agents with the profiles of their boards, streams, and the links between agents.

It is small, because all modules of this package import it; the options of its streams are in `options/`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import NotLoaded, Profile, StreamSpec
from swarm.core.settings.cards import SENSORS

Pair = tuple[str, str]               # from one agent to another
Held = frozenset[tuple[str, str]]    # streams (agent, name) that stay where they are
NO_SOURCE = -1                       # of a stream that a sensor or a timer feeds
LEAST_S = 0.001                      # left of a deadline that has passed when its stream begins
LONGEST_S = 3600.0                   # longer runs and round trips are ignored as implausible


class AgentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The planner's knowledge of an agent."""

    name: str
    profiles: tuple[Profile, ...]
    executors: int = 1
    own_share: float = 0.0           # of its executors, kept for its own streams as far as these need it
    alive: bool = True
    background: float = 0.0          # utilisation that the plan does not explain, in executors
    strain: str = ""                 # why it should be relieved of work: throttled, low battery; empty: it need not be
    not_loaded: tuple[NotLoaded, ...] = ()   # since its memory is full: the most useful variants


class StreamOf(msgspec.Struct, frozen=True, kw_only=True):
    """A stream and the agent that owns it."""

    agent: str
    spec: StreamSpec

    @property
    def key(self) -> tuple[str, str]:
        return self.agent, self.spec.name


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """The error of the forecast of a stream under its present placement, as it was observed."""

    agent: str
    stream: str
    model: str
    variant: str
    where: tuple[str, ...]           # as in the placement
    by: float                        # what is to be added to the share on time


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One planning problem. A pair that is absent from `links` cannot be used."""

    agents: tuple[AgentInfo, ...]
    streams: tuple[StreamOf, ...]
    links: Mapping[Pair, LinkQuality]
    airtimes: Mapping[Pair, str] = {}                # of links that share airtime: transfers of one airtime take turns
    corrections: tuple[Correction, ...] = ()


def in_order(problem: Problem) -> Problem:
    """The same problem with agents, streams and links sorted by name."""
    return msgspec.structs.replace(
        problem, agents=tuple(sorted(problem.agents, key=lambda agent: agent.name)),
        streams=tuple(sorted(problem.streams, key=lambda stream: stream.key)),
        links=dict(sorted(problem.links.items())), airtimes=dict(sorted(problem.airtimes.items())))


def sources(streams: Sequence[StreamOf]) -> list[int]:
    """For each stream the number of the one whose outcomes it looks at; `NO_SOURCE`: it has none that is there."""
    numbers = {stream.key: n for n, stream in enumerate(streams)}
    found = [NO_SOURCE if stream.spec.source in SENSORS else numbers.get((stream.agent, stream.spec.source), NO_SOURCE)
             for stream in streams]
    for n, source in enumerate(found):
        seen = {n}
        while source not in (NO_SOURCE, *seen):
            seen.add(source)
            source = found[source]
        if source != NO_SOURCE:
            found[n] = NO_SOURCE                     # a ring, which no launch file has
    return found


def sources_first(source: Sequence[int]) -> list[int]:
    """The numbers of streams, each after its source; else in order. source: see `sources`."""
    depths = [0] * len(source)
    for n, of in enumerate(source):
        while of != NO_SOURCE:
            depths[n], of = depths[n] + 1, source[of]
    return sorted(range(len(source)), key=depths.__getitem__)


def left_s(stream: StreamOf, begins_s: float) -> float:
    """What is left of a stream's deadline when it begins so long after capture."""
    return max(stream.spec.deadline_s - begins_s, LEAST_S) if begins_s else stream.spec.deadline_s


def in_turns(problem: Problem) -> dict[Pair, int]:
    """A number for each link: links whose transfers take turns, since they share airtime, have the same."""
    firsts: dict[str, Pair] = {}
    own = {pair: n for n, pair in enumerate(problem.links)}
    return {pair: own[firsts.setdefault(problem.airtimes[pair], pair)] if pair in problem.airtimes else n
            for pair, n in own.items()}
