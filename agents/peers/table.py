"""What this robot believes of the peers that are there: what each can run, how good the way there is, how busy it is.

Who is there, `membership/view.py` says. Deterministic: what was heard comes in with its time, views come out.
"""

from __future__ import annotations

import msgspec

from agents.peers.peer_speed import PeerSpeed
from swarm.core.policy.cost import PeerView, by_speed, leg_p50_s, named
from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import Leg, Profile
from swarm.core.protocol.messages import Advert
from swarm.core.protocol.spans import LegTimes, RequestId
from swarm.core.units import ns, seconds

ENGAGED_S = 2.0                      # after work was given to it, a peer is watched for so long


class _Peer(msgspec.Struct):
    boot: int
    said: dict[str, list[Profile]] = {}             # by model, as advertised
    profiles: dict[str, list[Profile]] = {}         # the same, with the run times that were observed
    observed: PeerSpeed = msgspec.field(default_factory=PeerSpeed)
    link: LinkQuality = LinkQuality()
    busy_until_ns: int = 0                          # by its own word
    engaged_until_ns: int = 0
    suspected: bool = False                           # it gets no new work
    sent_ns: dict[RequestId, int] = {}              # work given to it since then, which its word does not include
    sent_sum_ns: int = 0                            # all of that
    wary_until_ns: int = 0                          # it refused or failed lately: no new work until then


class _Advert(msgspec.Struct, frozen=True):
    number: int
    profiles: dict[str, list[Profile]]               # by model


class PeerTableStatistics(msgspec.Struct, frozen=True):
    """Counts since the start."""

    alive: int
    came: int
    lost: int


class PeerTable:
    """Adverts, links and loads of all peers."""

    def __init__(self) -> None:
        self._peers: dict[str, _Peer] = {}
        self._adverts: dict[tuple[str, int], _Advert] = {}       # of a peer's boot; outlives its loss
        self._came = self._lost = 0

    def knows(self, peer: str) -> bool:
        """Whether the peer is believed alive."""
        return peer in self._peers

    def boot(self, peer: str) -> int | None:
        """The start of a peer that is there."""
        known = self._peers.get(peer)
        return known.boot if known else None

    def advert_of(self, peer: str) -> int:
        """Number of the advert that is known of the present start of a peer; 0: none."""
        known = self._peers.get(peer)
        advert = self._adverts.get((peer, known.boot)) if known else None
        return advert.number if advert else 0

    def heard(self, peer: str, boot: int, busy_s: float, now: int) -> bool:
        """It is there, and has so much work in hand. Returns whether that is new of this start."""
        known = self._peers.get(peer)
        came = known is None or known.boot != boot
        if came:
            self._came += 1
            advert = self._adverts.get((peer, boot))
            profiles = advert.profiles if advert else {}
            known = self._peers[peer] = _Peer(boot=boot, said=profiles, profiles=profiles)
        assert known is not None
        if known.observed.fade(now):
            _correct(known, *known.said)
        known.busy_until_ns = now + ns(busy_s)
        known.sent_ns, known.sent_sum_ns = {}, 0
        return came

    def suspected(self, peer: str, suspected: bool) -> None:
        """Whether it is to get no new work for now."""
        if peer in self._peers:
            self._peers[peer].suspected = suspected

    def lost(self, peer: str) -> bool:
        """It is there no more. Returns whether it was."""
        known = self._peers.pop(peer, None)
        self._lost += known is not None
        return known is not None

    def engaged(self, now: int) -> list[str]:
        """Peers that work was given to lately."""
        return [name for name, known in self._peers.items() if now < known.engaged_until_ns]

    def advertised(self, peer: str, boot: int, advert: Advert) -> None:
        """What a peer can run. It holds for this boot, also when the peer is lost and comes back."""
        before = self._adverts.get((peer, boot))
        if before is not None and advert.number <= before.number:
            return                                   # said again, or overtaken on the way
        by_model: dict[str, list[Profile]] = {}
        for profile in advert.profiles:
            by_model.setdefault(profile.model, []).append(profile)
        by_model = {model: by_speed(profiles) for model, profiles in by_model.items()}
        self._adverts = {key: profiles for key, profiles in self._adverts.items() if key[0] != peer or key[1] > boot}
        self._adverts[peer, boot] = _Advert(advert.number, by_model)
        known = self._peers.get(peer)
        if known is not None and known.boot == boot:
            known.observed = PeerSpeed()              # of what it said before
            known.said, known.profiles = by_model, {}
            _correct(known, *by_model)

    def measured(self, peer: str, link: LinkQuality) -> None:
        """What the transport measured of the way to a peer."""
        if peer in self._peers:
            self._peers[peer].link = link

    def sent(self, leg: Leg, request: RequestId, model: str, variant: str, now: int) -> None:
        """Work was given to the peer of a leg; it counts as its load until the peer's own word includes it."""
        known = self._peers.get(leg.agent)
        profile = named(known.profiles.get(model, ()), variant) if known else None
        if known is not None and profile is not None:
            run_ns = ns(leg_p50_s(profile, leg))
            known.sent_sum_ns += run_ns - known.sent_ns.get(request, 0)
            known.sent_ns[request] = run_ns
            known.engaged_until_ns = now + ns(ENGAGED_S)

    def ran(self, leg: Leg, model: str, variant: str, took: LegTimes) -> None:
        """The peer of a leg says how long its run took."""
        known = self._peers.get(leg.agent)
        profile = named(known.said.get(model, ()), variant) if known else None
        if known is None or profile is None or leg.last > len(profile.stages):
            return
        if known.observed.saw(profile, leg, took.run_s, took.batch):
            _correct(known, model)

    def overdue(self, leg: Leg, model: str, variant: str, by_s: float) -> None:
        """An answer of the peer of a leg was waited for in vain: so much longer than expected, at least."""
        known = self._peers.get(leg.agent)
        profile = named(known.profiles.get(model, ()), variant) if known else None
        if known is not None and profile is not None and leg.last <= len(profile.stages):
            self.ran(leg, model, variant, LegTimes(leg_p50_s(profile, leg) + by_s))

    def dropped(self, peer: str, request: RequestId) -> None:
        """A request is no longer with the peer, for any reason."""
        known = self._peers.get(peer)
        if known is not None:
            known.sent_sum_ns -= known.sent_ns.pop(request, 0)

    def wary(self, peer: str, for_s: float, now: int) -> None:
        """Give the peer no new work for a while."""
        if peer in self._peers:
            self._peers[peer].wary_until_ns = now + ns(for_s)

    def links(self) -> dict[str, LinkQuality]:
        """Measured links, by peer."""
        return {name: known.link for name, known in self._peers.items() if known.link.samples}

    def views(self, now: int) -> dict[str, PeerView]:
        """Peers that may be given work now."""
        return {
            name: _view(name, known, now) for name, known in self._peers.items()
            if known.profiles and not known.suspected and now >= known.wary_until_ns
        }

    def alive(self, now: int) -> dict[str, PeerView]:
        """Peers that are there and have advertised, whether or not one would give them work oneself."""
        return {name: _view(name, known, now) for name, known in self._peers.items() if known.profiles}

    def statistics(self) -> PeerTableStatistics:
        return PeerTableStatistics(len(self._peers), self._came, self._lost)


def _correct(known: _Peer, *models: str) -> None:
    """Have what was observed counted for these models; views that were given out stay as they are."""
    known.profiles = known.profiles | {model: by_speed(known.observed.corrected(known.said[model])) for model in models}


def _view(name: str, known: _Peer, now: int) -> PeerView:
    said_ns = known.busy_until_ns - now
    wait_ns = known.sent_sum_ns + said_ns if said_ns > 0 else known.sent_sum_ns
    return PeerView(name=name, profiles=known.profiles, link=known.link, wait_s=seconds(wait_ns))
