"""What this robot believes of its peers: who is alive, what each can run, how good the way there is, how busy it is.

Deterministic: everything that was heard comes in with its time, views come out.
"""

from __future__ import annotations

import msgspec

from agents.observed import Observed
from swarm.core.clock import ns, seconds
from swarm.core.cost import PeerView, leg_p50_s, named
from swarm.core.lease import Leases
from swarm.core.link import LinkQuality
from swarm.core.messages import Advert
from swarm.core.plan import Leg, Profile
from swarm.core.spans import LegTimes, RequestId

HEARTBEAT_S = 0.25
LEASE_S = 3 * HEARTBEAT_S            # a peer that misses three heartbeats is lost
SUSPECT_S = 2 * HEARTBEAT_S          # one that is this long silent gets no new work


class _Peer(msgspec.Struct):
    said: dict[str, list[Profile]] = {}             # by model, as advertised
    profiles: dict[str, list[Profile]] = {}         # the same, with the run times that were observed
    observed: Observed = msgspec.field(default_factory=Observed)
    link: LinkQuality = LinkQuality()
    busy_s: float = 0.0
    heard_ns: int = 0
    sent_s: dict[RequestId, float] = {}             # work given to it since then, which its word does not include
    wary_until_ns: int = 0                          # it refused or failed lately: no new work until then


class PresenceStatistics(msgspec.Struct, frozen=True):
    """Counts since the start."""

    alive: int
    came: int
    lost: int


class Presence:
    """Leases, adverts, links and loads of all peers."""

    def __init__(self) -> None:
        self._leases = Leases(ns(LEASE_S))
        self._peers: dict[str, _Peer] = {}
        self._adverts: dict[tuple[str, int], dict[str, list[Profile]]] = {}     # of a peer's boot; outlives its lease
        self._came = self._lost = 0

    def knows(self, peer: str) -> bool:
        """Whether the peer is believed alive."""
        return peer in self._peers

    def boot(self, peer: str) -> int | None:
        """The start of a peer that holds its lease."""
        return self._leases.boot(peer)

    def heard(self, peer: str, boot: int, busy_s: float, now: int) -> bool:
        """A heartbeat. Returns whether the peer is new, back or restarted."""
        came = self._leases.heard(peer, boot, now)
        if came:
            self._came += 1
            profiles = self._adverts.get((peer, boot), {})
            self._peers[peer] = _Peer(said=profiles, profiles=profiles)
        if self._leases.boot(peer) == boot:
            known = self._peers[peer]
            if known.observed.fade(now):
                _correct(known)
            known.busy_s, known.heard_ns, known.sent_s = busy_s, now, {}
        return came

    def advertised(self, peer: str, boot: int, advert: Advert) -> None:
        """What a peer can run. It holds for this boot, also when the peer is lost and comes back."""
        by_model: dict[str, list[Profile]] = {}
        for profile in advert.profiles:
            by_model.setdefault(profile.model, []).append(profile)
        self._adverts = {key: profiles for key, profiles in self._adverts.items() if key[0] != peer or key[1] > boot}
        self._adverts[peer, boot] = by_model
        if self._leases.boot(peer) == boot:
            self._peers[peer].said = by_model
            _correct(self._peers[peer])

    def measured(self, peer: str, link: LinkQuality) -> None:
        """What the transport measured of the way to a peer."""
        if peer in self._peers:
            self._peers[peer].link = link

    def sent(self, leg: Leg, request: RequestId, model: str, variant: str) -> None:
        """Work was given to the peer of a leg; it counts as its load until the peer's own word includes it."""
        known = self._peers.get(leg.agent)
        profile = named(known.profiles.get(model, ()), variant) if known else None
        if known is not None and profile is not None:
            known.sent_s[request] = leg_p50_s(profile, leg)

    def ran(self, leg: Leg, model: str, variant: str, took: LegTimes) -> None:
        """The peer of a leg says how long its run took."""
        known = self._peers.get(leg.agent)
        profile = named(known.said.get(model, ()), variant) if known else None
        if known is None or profile is None or leg.last > len(profile.stages):
            return
        if known.observed.saw(profile, leg, took.run_s, took.batch):
            _correct(known)

    def dropped(self, peer: str, request: RequestId) -> None:
        """A request is no longer with the peer, for any reason."""
        if peer in self._peers:
            self._peers[peer].sent_s.pop(request, None)

    def wary(self, peer: str, for_s: float, now: int) -> None:
        """Give the peer no new work for a while."""
        if peer in self._peers:
            self._peers[peer].wary_until_ns = now + ns(for_s)

    def expire(self, now: int) -> list[str]:
        """Peers that have gone silent since the last call."""
        return [name for name in self._leases.expire(now) if self._forget(name)]

    def links(self) -> dict[str, LinkQuality]:
        """Measured links, by peer."""
        return {name: known.link for name, known in self._peers.items() if known.link.samples}

    def views(self, now: int) -> dict[str, PeerView]:
        """Peers that may be given work now."""
        return {
            name: _view(name, known, now) for name, known in self._peers.items()
            if known.profiles and now - known.heard_ns < ns(SUSPECT_S) and now >= known.wary_until_ns
        }

    def alive(self, now: int) -> dict[str, PeerView]:
        """Peers that hold a lease and have advertised, whether or not one would give them work oneself."""
        return {name: _view(name, known, now) for name, known in self._peers.items() if known.profiles}

    def statistics(self) -> PresenceStatistics:
        return PresenceStatistics(len(self._peers), self._came, self._lost)

    def _forget(self, name: str) -> bool:
        self._lost += 1
        return self._peers.pop(name, None) is not None


def _correct(known: _Peer) -> None:
    known.profiles = {model: known.observed.corrected(profiles) for model, profiles in known.said.items()}


def _view(name: str, known: _Peer, now: int) -> PeerView:
    return PeerView(name=name, profiles=known.profiles, link=known.link, wait_s=_wait_s(known, now))


def _wait_s(known: _Peer, now: int) -> float:
    said_s = max(0.0, known.busy_s - seconds(now - known.heard_ns))
    return said_s + sum(known.sent_s.values())
