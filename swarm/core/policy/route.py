"""The parts of routing policies (`policies/`): where one request may run, and when its result is expected.

Accuracy is kept where time allows: on each agent a request takes the most accurate network that is expected in time
there, in its fastest form; a student only where its teacher would be late. Where no network is expected in time, or
load is shed, the fastest form of all runs.

Deterministic; a tie stays at home, and among peers the first name wins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

import msgspec

from swarm.core.policy.cost import PeerView, away_s, in_time, leg_p50_s, named, remote_s
from swarm.core.policy.plan import Leg, Placement, Profile, is_chain, legs


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request runs, on which variant, and the latency expected."""

    route: list[Leg]                 # the first leg may be at home, the others are on peers
    variant: str
    predicted_s: float
    way_s: float                     # of that, transfers between robots
    rule: str                        # planned | local | soonest | split | drawn
    network_accuracy: float = 0.0    # of the variant's network

    @property
    def agent(self) -> str:
        """The agent that it runs on first."""
        return self.route[0].agent


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """All that a routing decision depends on."""

    home: str
    model: str
    left_s: float                    # budget left
    own: Sequence[Profile]           # of this model, at home, the fastest first; with stages where they are loaded
    wait_s: float                    # work ahead of it at home
    peers: Mapping[str, PeerView]    # those that may get work now
    placement: Placement | None      # of a plan whose lease holds
    missed: int = 0                  # of the newest requests that went as placed, how many in sequence were not in time
    drawn: tuple[float, float] = (0.0, 0.0)      # in [0, 1), for policies that draw
    sheds: bool = False              # load is shed: the fastest variants run

    @property
    def allowed_s(self) -> float:
        """The budget for what is more accurate than the fastest: none while load is shed."""
        return -inf if self.sheds else self.left_s


def at_home(s: Situation) -> Choice | None:
    """Whole, at home, as accurate as time allows. None: home does not have the model."""
    return home_choice(s.home, s.own, s.wait_s, s.allowed_s)


def home_choice(home: str, own: Sequence[Profile], wait_s: float, allowed_s: float) -> Choice | None:
    """The same without a situation. own: profiles of the model at home, the fastest first; allowed_s: its property."""
    if not own:
        return None
    profile = in_time(own, lambda p: wait_s + p.p95_s, allowed_s) if len(own) > 1 else own[0]
    return Choice(
        route=[Leg(home)], variant=profile.variant, predicted_s=wait_s + profile.p50_s, way_s=0.0, rule="local",
        network_accuracy=profile.network_accuracy,
    )


def on_a_peer(s: Situation) -> Choice | None:
    """Whole, on the peer that comes first in the order of `_rank`. None: no peer has the model."""
    best: tuple[float, float, str] | None = None
    found: tuple[Profile, PeerView] | None = None
    for name, peer in s.peers.items():
        profiles = peer.profiles.get(s.model)
        if profiles:
            profile = _on(peer, profiles, s.allowed_s)
            predicted_s = remote_s(profile, peer)
            candidate = *_rank(profile.network_accuracy, predicted_s, s.allowed_s), name
            if best is None or candidate < best:
                best, found = candidate, (profile, peer)
    if best is None or found is None:
        return None
    profile, peer = found
    return Choice(route=[Leg(best[2])], variant=profile.variant, predicted_s=best[1],
                  way_s=peer.link.transfer_s(profile.input_bytes), rule="soonest",
                  network_accuracy=profile.network_accuracy)


def everywhere(s: Situation) -> list[Choice]:
    """Whole, as accurate as time allows there, at home and on each peer that has the model, by name."""
    home = at_home(s)
    choices = [home] if home is not None else []
    for name in sorted(s.peers):
        peer = s.peers[name]
        if profiles := peer.profiles.get(s.model):
            profile = _on(peer, profiles, s.allowed_s)
            choices.append(Choice(
                route=[Leg(name)], variant=profile.variant, predicted_s=remote_s(profile, peer),
                way_s=peer.link.transfer_s(profile.input_bytes), rule="drawn",
                network_accuracy=profile.network_accuracy))
    return choices


def soonest(s: Situation) -> Choice | None:
    """Whole, where the most accurate network is in time, soonest first. None: no agent can run the model."""
    return _better(at_home(s), on_a_peer(s), s.allowed_s)


def along(s: Situation, variant: str, route: list[Leg], rule: str) -> Choice | None:
    """Along a given route. None: one of its agents cannot run its leg now."""
    here, out = (route[0], route[1:]) if route[0].agent == s.home else (None, route)
    away = away_s(out, s.model, variant, s.peers)            # home is not among the peers: it can only come first
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


def as_placed(s: Situation) -> Choice | None:
    """As the plan says, whatever is expected; whole at home without a plan, or if an agent cannot run its part now."""
    planned = along(s, s.placement.variant, legs(s.placement.where), "planned") if s.placement is not None else None
    return planned or at_home(s) or on_a_peer(s)


def cheaper(s: Situation) -> Situation:
    """The same situation while load is shed: a placement of the whole model is on its agent's fastest variant."""
    s = msgspec.structs.replace(s, sheds=True)
    if s.placement is None or len(s.placement.where) != 1:
        return s
    agent = s.placement.where[0]
    profiles = s.own if agent == s.home else s.peers[agent].profiles.get(s.model, ()) if agent in s.peers else ()
    if not profiles or profiles[0].variant == s.placement.variant:
        return s
    return msgspec.structs.replace(s, placement=msgspec.structs.replace(s.placement, variant=profiles[0].variant))


def _on(peer: PeerView, profiles: Sequence[Profile], allowed_s: float) -> Profile:
    """The variant for a whole run on a peer, as accurate as time allows."""
    if len(profiles) == 1:
        return profiles[0]
    return in_time(profiles, lambda p: remote_s(p, peer) + p.p95_s - p.p50_s, allowed_s)


def _rank(network_accuracy: float, predicted_s: float, allowed_s: float) -> tuple[float, float]:
    """The lower, the better: in time on the more accurate network, then sooner."""
    return (-network_accuracy if predicted_s <= allowed_s else 1.0), predicted_s


def _better(home: Choice | None, away: Choice | None, allowed_s: float) -> Choice | None:
    if home is None or away is None:
        return home or away
    here, there = (_rank(one.network_accuracy, one.predicted_s, allowed_s) for one in (home, away))
    return away if there < here else home


def _stages(s: Situation, variant: str, peer: str) -> int:
    """How many stages the variant has on a peer that is known to have it."""
    profile = named(s.peers[peer].profiles[s.model], variant)
    return len(profile.stages) if profile else 0
