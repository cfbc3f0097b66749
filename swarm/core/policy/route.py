"""Where one request runs: a list of rules that can be read aloud. Deterministic; ties stay at home."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise

import msgspec

from swarm.core.policy.cost import PeerView, away_s, fastest, leg_p50_s, named, remote_s
from swarm.core.policy.plan import Leg, Placement, Profile, is_chain, legs

POLICIES = ("local", "greedy", "planner")
SPLIT = re.compile(r"split:([2-8])")
"""Cut over so many agents, whatever it costs: for experiments."""

SLACK = 0.1
"""Splits whose longest leg is within this share of the shortest possible are equally balanced."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request runs, on which variant, and the latency expected."""

    route: list[Leg]                 # the first leg may be at home, the others are on peers
    variant: str
    predicted_s: float
    way_s: float                     # of that, between robots
    rule: str                        # planned | local | soonest | split

    @property
    def agent(self) -> str:
        """Where it runs first."""
        return self.route[0].agent


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """All that a routing decision depends on."""

    home: str
    policy: str
    model: str
    left_s: float                    # budget left
    own: Sequence[Profile]           # of this model, at home, the fastest first; with stages where they are loaded
    wait_s: float                    # work ahead of it at home
    peers: Mapping[str, PeerView]    # those that may be given work now
    placement: Placement | None      # of a plan whose lease holds


def split_into(policy: str) -> int:
    """Over how many agents a policy cuts every model; 0: it is no such policy."""
    found = SPLIT.fullmatch(policy)
    return int(found[1]) if found else 0


def route(s: Situation) -> Choice | None:
    """The first rule that applies. None: nobody can run this model.

    1. Policy `local` stays at home.
    2. Policy `split:N` cuts the model over home and N - 1 peers, and stays at home where that cannot be.
    3. A placement of a valid plan is followed if the agents it names can make the deadline.
    4. Otherwise wherever the result is expected soonest.
    """
    home = at_home(s.home, s.own, s.wait_s)
    if s.policy == "local":
        return home
    if into := split_into(s.policy):
        return _split(s, into) or home
    if s.policy == "planner" and s.placement is not None:
        planned = _choice(s, s.placement.variant, legs(s.placement.where), "planned")
        if planned is not None and planned.predicted_s <= s.left_s:
            return planned
    away = _on_a_peer(s)
    return min((c for c in (home, away) if c is not None), key=lambda c: c.predicted_s, default=None)


def at_home(home: str, own: Sequence[Profile], wait_s: float) -> Choice | None:
    """Whole, on the fastest of these variants. None: there is none."""
    if not own:
        return None
    return Choice(
        route=[Leg(home)], variant=own[0].variant, predicted_s=wait_s + own[0].p50_s, way_s=0.0, rule="local"
    )


def cheaper(s: Situation) -> Situation:
    """The same, with a placement of the whole model on the fastest variant that its agent has."""
    if s.placement is None or len(s.placement.where) != 1:
        return s
    agent = s.placement.where[0]
    there = s.own if agent == s.home else s.peers[agent].profiles.get(s.model, ()) if agent in s.peers else ()
    if not there or there[0].variant == s.placement.variant:
        return s
    return msgspec.structs.replace(s, placement=msgspec.structs.replace(s.placement, variant=there[0].variant))


def next_best(s: Situation, choice: Choice) -> Choice | None:
    """What would have been done had this choice not been there: whole, at home or on another peer."""
    taken = [leg.agent for leg in choice.route]
    away, home = _on_a_peer(s, taken), None if choice.route == [Leg(s.home)] else at_home(s.home, s.own, s.wait_s)
    return min((c for c in (home, away) if c is not None), key=lambda c: c.predicted_s, default=None)


def _on_a_peer(s: Situation, taken: Sequence[str] = ()) -> Choice | None:
    """Whole, on the peer, but for these, where the result is expected soonest; a tie goes by name."""
    soonest: tuple[float, str] | None = None
    for name, peer in s.peers.items():
        profiles = peer.profiles.get(s.model)
        if profiles and name not in taken:
            this = remote_s(profiles[0], peer), name
            if soonest is None or this < soonest:
                soonest = this
    if soonest is None:
        return None
    predicted_s, name = soonest
    peer = s.peers[name]
    profile = peer.profiles[s.model][0]
    return Choice(route=[Leg(name)], variant=profile.variant, predicted_s=predicted_s,
                  way_s=peer.link.transfer_s(profile.input_bytes), rule="soonest")


def _split(s: Situation, into: int) -> Choice | None:
    """Home begins; of the peers with the same stages the one that is expected soonest comes next, and so on."""
    own = fastest([p for p in s.own if len(p.stages) >= into])
    if own is None:
        return None
    able: list[tuple[float, str, Profile]] = []
    for name, peer in s.peers.items():
        theirs = named(peer.profiles.get(s.model, ()), own.variant)
        if theirs is not None and _boundaries(theirs) == _boundaries(own):
            able.append((remote_s(theirs, peer), name, theirs))
    taken = sorted(able, key=lambda one: one[:2])[:into - 1]
    if len(taken) < into - 1:
        return None
    cuts = balanced([own, *(theirs for _, _, theirs in taken)])
    agents = [s.home, *(name for _, name, _ in taken)]
    ends = pairwise([0, *cuts, len(own.stages)])
    return _choice(s, own.variant, [Leg(agent, *between) for agent, between in zip(agents, ends, strict=True)], "split")


def balanced(profiles: Sequence[Profile]) -> tuple[int, ...]:
    """The boundaries at which a variant is cut over agents with these profiles of it, one leg each, in order.

    Of the splits whose longest leg is about as short as can be, the one with the fewest bytes between agents.
    """
    stages = len(profiles[0].stages)

    def longest_s(cuts: tuple[int, ...]) -> float:
        ends = pairwise([0, *cuts, stages])
        return max(leg_p50_s(p, Leg("", first, last)) for p, (first, last) in zip(profiles, ends, strict=True))

    splits = {cuts: longest_s(cuts) for cuts in combinations(range(1, stages), len(profiles) - 1)}
    limit_s = (1.0 + SLACK) * min(splits.values())
    return min((sum(profiles[0].stages[k].input_bytes for k in cuts), took_s, cuts)
               for cuts, took_s in splits.items() if took_s <= limit_s)[2]


def _boundaries(profile: Profile) -> list[int]:
    return [stage.input_bytes for stage in profile.stages]


def _choice(s: Situation, variant: str, route: list[Leg], rule: str) -> Choice | None:
    """This route with what it is expected to take; None where one of its agents cannot run its leg now."""
    here, out = (route[0], route[1:]) if route[0].agent == s.home else (None, route)
    away = away_s(out, s.model, variant, s.peers)            # home is none of its peers: it can only come first
    if away is None or (len(route) > 1 and not is_chain(route, _stages(s, variant, out[-1].agent))):
        return None
    here_s = 0.0
    if here is not None:
        own = named(s.own, variant)
        if own is None or here.last > len(own.stages):
            return None
        here_s = s.wait_s + leg_p50_s(own, here)
    return Choice(
        route=route, variant=variant, predicted_s=here_s + away.way_s + away.work_s, way_s=away.way_s, rule=rule
    )


def _stages(s: Situation, variant: str, peer: str) -> int:
    """How many stages the variant has on a peer that is known to have it."""
    profile = named(s.peers[peer].profiles[s.model], variant)
    return len(profile.stages) if profile else 0
