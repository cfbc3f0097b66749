"""`neurosurgeon`: for each stream alone the one cut, and the one peer behind it, with the least latency.

Kang et al., Neurosurgeon: Collaborative Intelligence Between the Cloud and Mobile Edge (ASPLOS 2017): layers up to the
cut run at home, the rest on the server, by the profiles of both and the rate of the link. A cut before the first stage
sends the frame, one after the last stays at home. Here each peer is a server; load is not looked at.
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
    home, own = stream.agent, team.same(stream.agent, variant)
    best: list[tuple[float, int, Placement]] = []
    if own is not None:
        best.append((own.p50_s, 0, cut(stream, own, [home])))
    for peer in team.peers(home):
        there = team.same(peer, variant)
        if there is None:
            continue
        sent_s = team.transfer_s(home, peer, there.input_bytes)
        best.append((sent_s + there.p50_s, len(best), cut(stream, there, [peer])))
        if own is not None:
            best += [(latency_s(team, home, peer, own, there, k), len(best) + k, cut(
                stream, own, [home] * k + [peer] * (len(own.stages) - k))) for k in range(1, len(own.stages))]
    if not best:
        return None
    least_s, _, placement = min(best, key=lambda one: one[:2])
    return least_s, placement


def latency_s(team: Team, home: str, peer: str, own: Profile, there: Profile, first: int) -> float:
    """Of one request alone, if the peer runs the stages from `first` on."""
    return (sum(stage.p50_s for stage in own.stages[:first])
            + team.transfer_s(home, peer, own.stages[first].input_bytes)
            + sum(stage.p50_s for stage in there.stages[first:]))
