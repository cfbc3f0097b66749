"""The parts of routing policies (`policies/`): where one request may run, and when its result is expected.

Deterministic; a tie stays at home, and among peers the first name wins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from swarm.core.policy.cost import PeerView, away_s, leg_p50_s, named, remote_s
from swarm.core.policy.plan import Leg, Placement, Profile, is_chain, legs


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request runs, on which variant, and the latency expected."""

    route: list[Leg]                 # the first leg may be at home, the others are on peers
    variant: str
    predicted_s: float
    way_s: float                     # of that, transfers between robots
    rule: str                        # planned | local | soonest | split | drawn

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


def at_home(s: Situation) -> Choice | None:
    """Whole, at home, on the fastest variant. None: home does not have the model."""
    return home_choice(s.home, s.own, s.wait_s)


def home_choice(home: str, own: Sequence[Profile], wait_s: float) -> Choice | None:
    """The same without a situation. own: profiles of the model at home, the fastest first."""
    if not own:
        return None
    return Choice(
        route=[Leg(home)], variant=own[0].variant, predicted_s=wait_s + own[0].p50_s, way_s=0.0, rule="local"
    )


def on_a_peer(s: Situation) -> Choice | None:
    """Whole, on the peer where the result is expected soonest. None: no peer has the model."""
    best: tuple[float, str] | None = None
    for name, peer in s.peers.items():
        profiles = peer.profiles.get(s.model)
        if profiles:
            candidate = remote_s(profiles[0], peer), name
            if best is None or candidate < best:
                best = candidate
    if best is None:
        return None
    predicted_s, name = best
    peer = s.peers[name]
    profile = peer.profiles[s.model][0]
    return Choice(route=[Leg(name)], variant=profile.variant, predicted_s=predicted_s,
                  way_s=peer.link.transfer_s(profile.input_bytes), rule="soonest")


def everywhere(s: Situation) -> list[Choice]:
    """Whole, on the fastest variant there, at home and on each peer that has the model, by name."""
    home = at_home(s)
    choices = [home] if home is not None else []
    for name in sorted(s.peers):
        peer = s.peers[name]
        for profile in list(peer.profiles.get(s.model, ()))[:1]:
            choices.append(Choice(
                route=[Leg(name)], variant=profile.variant, predicted_s=remote_s(profile, peer),
                way_s=peer.link.transfer_s(profile.input_bytes), rule="drawn"))
    return choices


def soonest(s: Situation) -> Choice | None:
    """Whole, wherever the result is expected soonest. None: no agent can run the model."""
    return _sooner(at_home(s), on_a_peer(s))


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
    """The same situation, with a placement of the whole model on the fastest variant that its agent has."""
    if s.placement is None or len(s.placement.where) != 1:
        return s
    agent = s.placement.where[0]
    profiles = s.own if agent == s.home else s.peers[agent].profiles.get(s.model, ()) if agent in s.peers else ()
    if not profiles or profiles[0].variant == s.placement.variant:
        return s
    return msgspec.structs.replace(s, placement=msgspec.structs.replace(s.placement, variant=profiles[0].variant))


def _sooner(home: Choice | None, away: Choice | None) -> Choice | None:
    if home is None or away is None:
        return home or away
    return away if away.predicted_s < home.predicted_s else home


def _stages(s: Situation, variant: str, peer: str) -> int:
    """How many stages the variant has on a peer that is known to have it."""
    profile = named(s.peers[peer].profiles[s.model], variant)
    return len(profile.stages) if profile else 0
