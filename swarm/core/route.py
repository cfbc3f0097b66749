"""Where one request runs: a list of rules that can be read aloud. Deterministic; ties stay at home."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from swarm.core.cost import PeerView, fastest, local_s, named, remote_s
from swarm.core.plan import Placement, Profile

POLICIES = ("local", "greedy", "planner")


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request runs, on which variant, and the latency expected."""

    agent: str
    variant: str
    predicted_s: float
    rule: str                        # planned | local | soonest


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """All that a routing decision depends on."""

    home: str
    policy: str
    model: str
    left_s: float                    # budget left
    own: Sequence[Profile]           # of this model, at home
    wait_s: float                    # work ahead of it at home
    peers: Mapping[str, PeerView]    # those that may be given work now
    placement: Placement | None      # of a plan whose lease holds


def route(s: Situation) -> Choice | None:
    """The first rule that applies. None: nobody can run this model.

    1. Policy `local` stays at home.
    2. A placement of a valid plan is followed if the agent it names can make the deadline.
    3. Otherwise wherever the result is expected soonest.
    """
    home = _at_home(s)
    if s.policy == "local":
        return home
    if s.policy == "planner" and s.placement is not None:
        planned = _planned(s, s.placement)
        if planned is not None and planned.predicted_s <= s.left_s:
            return planned
    return min([*([home] if home else []), *_on_peers(s)], key=lambda c: c.predicted_s, default=None)


def _at_home(s: Situation) -> Choice | None:
    profile = fastest(s.own)
    if profile is None:
        return None
    return Choice(agent=s.home, variant=profile.variant, predicted_s=local_s(profile, s.wait_s), rule="local")


def _on_peers(s: Situation) -> list[Choice]:
    choices: list[Choice] = []
    for name in sorted(s.peers):
        peer = s.peers[name]
        profile = fastest(peer.profiles.get(s.model, ()))
        if profile is not None:
            latency_s = remote_s(profile, peer)
            choices.append(Choice(agent=name, variant=profile.variant, predicted_s=latency_s, rule="soonest"))
    return choices


def _planned(s: Situation, placement: Placement) -> Choice | None:
    where = placement.where[0]
    if where == s.home:
        profile = named(s.own, placement.variant)
        latency_s = local_s(profile, s.wait_s) if profile else 0.0
    else:
        peer = s.peers.get(where)
        profile = named(peer.profiles.get(s.model, ()), placement.variant) if peer else None
        latency_s = remote_s(profile, peer) if peer and profile else 0.0
    if profile is None:
        return None
    return Choice(agent=where, variant=profile.variant, predicted_s=latency_s, rule="planned")
