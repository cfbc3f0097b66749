"""`strongest`: every stream on the agent whose board runs its model fastest, whatever the links and the load.

There it runs the most accurate network that is in time. That says nothing of a board: its fastest variant does.
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
        able = [(fastest.p50_s, agent != stream.agent, agent)
                for agent in [stream.agent, *team.peers(stream.agent)] if (fastest := team.fastest(agent, stream))]
        if able:
            _, _, agent = min(able)
            profile = team.usual(agent, stream)
            assert profile is not None               # it has a fastest one
            placements.append(whole(stream, profile, agent))
    return placements
