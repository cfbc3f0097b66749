"""The planning problem of a team, from its adverts and what was observed of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import msgspec

from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import Placement
from swarm.core.protocol.messages import Advert
from swarm.planner.observed.accuracies import agreed
from swarm.planner.observed.busy_shares import BusyShares
from swarm.planner.observed.conditions import agent_info
from swarm.planner.observed.streams import StreamRecords
from swarm.planner.observed.team_links import TeamLinks
from swarm.planner.ports import Foresight
from swarm.planner.problem import Pair, Problem, StreamOf


def problem_of(
    members: Mapping[str, Advert], measured: TeamLinks, busy: BusyShares, records: StreamRecords,
    placements: Sequence[Placement], foresight: Foresight | None = None,
) -> Problem:
    """The problem of these agents. placements: of the plan in force. foresight: None where links are as measured."""
    used = {pair for p in placements for pair in pairwise([p.agent, *p.where])}
    links: Mapping[Pair, LinkQuality] = measured.of(
        members, used | {(p.agent, agent) for p in placements for agent in p.where})
    if foresight is not None:
        links = foresight.links(links)
    spent = {name for name, advert in members.items() if advert.nearly_empty}        # they keep their own streams
    if spent:
        links = {pair: link for pair, link in links.items() if pair[1] not in spent}
    problem = Problem(
        agents=agreed([agent_info(name, advert) for name, advert in members.items()]),
        streams=tuple(StreamOf(agent=name, spec=spec) for name, advert in members.items() for spec in advert.streams),
        links=links, airtimes=measured.airtimes(links),
    )
    unexplained = busy.unexplained(problem, placements)
    agents = tuple(msgspec.structs.replace(a, background=unexplained.get(a.name, 0.0)) for a in problem.agents)
    return msgspec.structs.replace(problem, agents=agents, corrections=records.corrections(problem.streams))
