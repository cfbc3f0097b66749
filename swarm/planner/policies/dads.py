"""`dads`: for each stream alone the cut with the least latency; under load the one with the shortest longest part.

Hu et al., Dynamic Adaptive DNN Surgery for Inference Acceleration on the Edge (INFOCOM 2019): a minimum cut of the
graph of layers while a request is done before the next one comes; otherwise the cut that lets most requests through, by
the longest of the run at home, the transfer and the run on the server. Our stages are a chain, whose cuts are its
partition points.
"""

from __future__ import annotations

from collections.abc import Sequence

from swarm.core.policy.plan import Placement, Profile
from swarm.planner.baseline import Team, cut
from swarm.planner.problem import Problem, StreamOf
from swarm.planner.solvers.budget import Budget


def place(problem: Problem, previous: Sequence[Placement], budget: Budget) -> list[Placement]:
    team = Team(problem)
    return [placement for stream in team.streams() if (placement := team.best(
        stream, lambda variant, of=stream: _best(team, of, variant))) is not None]


def _best(team: Team, stream: StreamOf, variant: Profile) -> tuple[float, Placement] | None:
    own, period_s = team.same(stream.agent, variant), 1.0 / stream.spec.rate_hz
    ways: list[tuple[float, float, int, Placement]] = []         # latency, longest part
    if own is not None:
        ways.append((own.p50_s, own.p50_s, 0, cut(stream, own, [stream.agent])))
    for peer in team.peers(stream.agent):
        there = team.same(peer, variant)
        if there is not None:
            ways += _cuts(team, stream, own, there, peer, len(ways))
    if not ways:
        return None
    light = min(ways, key=lambda way: (way[0], way[2]))
    found = light if light[1] <= period_s else min(ways, key=lambda way: (way[1], way[2]))
    return found[0], found[3]


def _cuts(
    team: Team, stream: StreamOf, own: Profile | None, there: Profile, peer: str, number: int
) -> list[tuple[float, float, int, Placement]]:
    sent_s = team.transfer_s(stream.agent, peer, there.input_bytes)
    ways = [(sent_s + there.p50_s, max(sent_s, there.p50_s), number, cut(stream, there, [peer]))]
    for k in range(1, len(own.stages)) if own is not None else ():
        assert own is not None
        here_s = sum(stage.p50_s for stage in own.stages[:k])
        sent_s = team.transfer_s(stream.agent, peer, own.stages[k].input_bytes)
        there_s = sum(stage.p50_s for stage in there.stages[k:])
        ways.append((here_s + sent_s + there_s, max(here_s, sent_s, there_s), number + k, cut(
            stream, own, [stream.agent] * k + [peer] * (len(own.stages) - k))))
    return ways
