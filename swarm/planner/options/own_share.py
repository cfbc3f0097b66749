"""What agents keep of their executors for their own streams."""

from __future__ import annotations

from swarm.core.policy.cost import by_speed, fastest
from swarm.planner.problem import Problem


def reserved(problem: Problem) -> dict[str, float]:
    """Of each agent, in executors: its own share, as far as its own streams, all at home, would need it."""
    profiles = {agent.name: agent.profiles for agent in problem.agents}
    needed = {agent.name: 0.0 for agent in problem.agents}
    for stream in problem.streams:
        own = fastest(by_speed(p for p in profiles.get(stream.agent, ()) if p.model == stream.spec.model))
        if own is not None:
            needed[stream.agent] += stream.spec.rate_hz * own.p50_s
    return {agent.name: min(agent.own_share * agent.executors, needed[agent.name]) for agent in problem.agents}
