"""The planning problem of a team, from its adverts and what was observed of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import Placement
from swarm.core.protocol.messages import Advert
from swarm.planner.observed.busy_shares import BusyShares
from swarm.planner.observed.conditions import agent_info
from swarm.planner.observed.streams import StreamRecords
from swarm.planner.problem import Pair, Problem, StreamOf


def problem_of(
    members: Mapping[str, Advert], links: Mapping[Pair, LinkQuality], busy: BusyShares, records: StreamRecords,
    placements: Sequence[Placement],
) -> Problem:
    """The problem of these agents. placements: of the plan in force."""
    problem = Problem(
        agents=tuple(agent_info(name, advert) for name, advert in members.items()),
        streams=tuple(StreamOf(agent=name, spec=spec) for name, advert in members.items() for spec in advert.streams),
        links=links,
    )
    unexplained = busy.unexplained(problem, placements)
    agents = tuple(msgspec.structs.replace(a, background=unexplained.get(a.name, 0.0)) for a in problem.agents)
    return msgspec.structs.replace(problem, agents=agents, corrections=records.corrections(problem.streams))
