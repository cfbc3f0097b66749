"""`split:N`: splits every model over home and N - 1 peers, even where that is slower; for experiments."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import combinations, pairwise

from swarm.core.policy.cost import faithful, leg_p50_s, named, remote_s
from swarm.core.policy.plan import Leg, Profile
from swarm.core.policy.policies import Policy, PolicyFamily
from swarm.core.policy.route import Choice, Situation, along, at_home

LEAST_AGENTS, MOST_AGENTS = 2, 8
SLACK = 0.1                          # splits whose longest part exceeds the shortest one by this share count as equal


def route(s: Situation, agents: int) -> Choice | None:
    """Split over this many agents; whole at home if that is not possible."""
    return _split(s, agents) or at_home(s)


def balanced(profiles: Sequence[Profile]) -> tuple[int, ...]:
    """The partition points of a variant over agents with these profiles of it: one part each, in order.

    Among the splits whose longest part is nearly as short as possible, the one with the fewest bytes between agents.
    """
    stages = len(profiles[0].stages)

    def longest_s(cuts: tuple[int, ...]) -> float:
        ends = pairwise([0, *cuts, stages])
        return max(leg_p50_s(p, Leg("", first, last)) for p, (first, last) in zip(profiles, ends, strict=True))

    splits = {cuts: longest_s(cuts) for cuts in combinations(range(1, stages), len(profiles) - 1)}
    limit_s = (1.0 + SLACK) * min(splits.values())
    return min((sum(profiles[0].stages[k].input_bytes for k in cuts), part_s, cuts)
               for cuts, part_s in splits.items() if part_s <= limit_s)[2]


def _split(s: Situation, agents: int) -> Choice | None:
    """Home runs the first part. The peers with the same stages and the shortest latency run the others, in that order.
    """
    split = faithful([p for p in s.own if len(p.stages) >= agents])
    if not split:
        return None
    own = split[0]
    candidates: list[tuple[float, str, Profile]] = []
    for name, peer in s.peers.items():
        profile = named(peer.profiles.get(s.model, ()), own.variant)
        if profile is not None and _boundaries(profile) == _boundaries(own):
            candidates.append((remote_s(profile, peer), name, profile))
    chosen = sorted(candidates, key=lambda candidate: candidate[:2])[:agents - 1]
    if len(chosen) < agents - 1:
        return None
    cuts = balanced([own, *(profile for _, _, profile in chosen)])
    names = [s.home, *(name for _, name, _ in chosen)]
    ends = pairwise([0, *cuts, len(own.stages)])
    return along(s, own.variant, [Leg(name, *between) for name, between in zip(names, ends, strict=True)], "split")


def _boundaries(profile: Profile) -> list[int]:
    return [stage.input_bytes for stage in profile.stages]


def _make(argument: str) -> Policy:
    if argument not in map(str, range(LEAST_AGENTS, MOST_AGENTS + 1)):
        raise ValueError(argument)
    return Policy(partial(route, agents=int(argument)), uses_stages=True)


POLICY = PolicyFamily("N", f"N from {LEAST_AGENTS} to {MOST_AGENTS} agents", _make)
