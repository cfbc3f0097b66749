"""`nearest`: every stream on the peer with the shortest round trip that has its model and a faster board; else at home.
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
        near = [(problem.links[stream.agent, peer].rtt_s, peer, profile) for peer in team.peers(stream.agent)
                if (profile := team.fastest(peer, stream)) and (own is None or profile.p50_s < own.p50_s)]
        if near:
            _, peer, profile = min(near, key=lambda one: one[:2])
            placements.append(whole(stream, profile, peer))
        elif own is not None:
            placements.append(whole(stream, own, stream.agent))
    return placements
