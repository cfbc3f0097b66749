"""`edgeshard`: for each stream alone the chain of agents with the least latency, by a dynamic programme over stages.

Zhang et al., EdgeShard: Efficient LLM Inference via Collaborative Edge Computing (IEEE IoT Journal, 2024):
the least latency of stages 0 to i with stage i on agent j follows from that of stages 0 to i - 1 on each agent, the
transfer between the two and the run of stage i. Agents follow each other once: a chain does not return.
"""

from __future__ import annotations

from collections.abc import Sequence

from swarm.core.policy.plan import Placement, Profile
from swarm.planner.baseline import Team, cut
from swarm.planner.problem import Problem, StreamOf
from swarm.planner.solvers.budget import Budget

Chain = tuple[float, tuple[str, ...]]    # latency, and the agent of each stage so far


def place(problem: Problem, previous: Sequence[Placement], budget: Budget) -> list[Placement]:
    team = Team(problem)
    return [placement for stream in team.streams() if (placement := team.best(
        stream, lambda variant, of=stream: _best(team, of, variant))) is not None]


def _best(team: Team, stream: StreamOf, variant: Profile) -> tuple[float, Placement] | None:
    able = {agent: profile for agent in [stream.agent, *team.peers(stream.agent)]
            if (profile := team.same(agent, variant)) is not None}
    whole = [(team.transfer_s(stream.agent, agent, profile.input_bytes) + profile.p50_s, (agent,))
             for agent, profile in able.items()]
    chains = whole if len(variant.stages) < 2 else [*whole, *_chains(team, stream, able, len(variant.stages))]
    if not chains:
        return None
    latency_s, where = min(chains)
    return latency_s, cut(stream, variant, where)


def _chains(team: Team, stream: StreamOf, able: dict[str, Profile], stages: int) -> list[Chain]:
    ends: dict[str, Chain] = {
        agent: (team.way_s(stream.agent, agent, profile.input_bytes) + profile.stages[0].p50_s, (agent,))
        for agent, profile in able.items()}
    for stage in range(1, stages):
        following: dict[str, Chain] = {}
        for agent, profile in able.items():
            run = profile.stages[stage]
            ways = [(before_s + team.way_s(where[-1], agent, run.input_bytes) + run.p50_s, (*where, agent))
                    for before_s, where in ends.values() if agent == where[-1] or agent not in where]
            if ways:
                following[agent] = min(ways)
        ends = following
    return [(latency_s + team.way_s(where[-1], stream.agent, 0), where) for latency_s, where in ends.values()]
