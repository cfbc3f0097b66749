"""`nearest`: every stream on the peer with the shortest round trip that has its model and a faster board; else at home.

A board is faster whose fastest variant is. It runs the most accurate network that is in time there.
"""

from __future__ import annotations

from collections.abc import Sequence

from swarm.core.policy.plan import Placement
from swarm.planner.baseline import Team, whole
from swarm.planner.problem import Problem
from swarm.planner.solvers.budget import Budget


def place(problem: Problem, previous: Sequence[Placement], budget: Budget) -> list[Placement]:
    team = Team(problem)
    placements: list[Placement] = []
    for stream in team.streams():
        own = team.fastest(stream.agent, stream)
        near = [(problem.links[stream.agent, peer].rtt_s, peer) for peer in team.peers(stream.agent)
                if (fastest := team.fastest(peer, stream)) and (own is None or fastest.p50_s < own.p50_s)]
        agent = min(near)[1] if near else stream.agent
        if profile := team.usual(agent, stream):
            placements.append(whole(stream, profile, agent))
    return placements
