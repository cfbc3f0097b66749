"""`strongest`: every stream on the agent whose board runs its model fastest, whatever the links and the load."""

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
        able = [(profile.p50_s, agent != stream.agent, agent, profile)
                for agent in [stream.agent, *team.peers(stream.agent)] if (profile := team.fastest(agent, stream))]
        if able:
            _, _, agent, profile = min(able, key=lambda one: one[:3])
            placements.append(whole(stream, profile, agent))
    return placements
