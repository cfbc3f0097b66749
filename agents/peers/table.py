"""What this robot knows of its peers: what each can run, how good the link to it is, how busy it is.

`membership/view.py` decides which peers are alive. Deterministic: updates come with their time.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from agents.peers.claims import OwnCards
from agents.peers.peer_speed import PeerSpeed
from swarm.core.policy.cost import PeerView, by_speed, leg_bytes, leg_p50_s, named
from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import Leg, Profile
from swarm.core.protocol.messages import Advert
from swarm.core.protocol.spans import LegTimes, RequestId
from swarm.core.units import ns, seconds
from swarm.transport.ports import URGENT_BYTES

MOST_UNANSWERED = 2                  # in sequence; then the peer is paused, and tried with one request after that
PAUSE_S, LONGEST_PAUSE_S = 1.0, 32.0     # doubled with each failed trial: five in a minute
MOST_GUESSED = 8.0                   # times as long as advertised: a run that was not answered
ACTIVE_S = 2.0                       # a peer that got work is watched for this long


class _Booked(NamedTuple):
    run_ns: int
    told_ns: int                                     # reports that come from then on contain it


class _Peer(msgspec.Struct):
    boot: int
    advertised: dict[str, list[Profile]] = {}       # by model
    profiles: dict[str, list[Profile]] = {}         # the same, corrected by the observed run times
    observed: PeerSpeed = msgspec.field(default_factory=PeerSpeed)
    link: LinkQuality = LinkQuality()
    busy_until_ns: int = 0                          # as the peer last reported
    suspected: bool = False                         # it gets no new work
    booked: dict[RequestId, _Booked] = {}           # requests that its last report cannot contain yet
    booked_sum_ns: int = 0                          # the sum of their run times
    backoff_until_ns: int = 0                       # it refused or failed: no new work until then
    unanswered: int = 0                             # requests in sequence that it did not answer in time
    paused_ns: int = 0                              # when it last failed so that it gets no new work
    paused_until_ns: int = 0


class _Advert(msgspec.Struct, frozen=True):
    number: int
    profiles: dict[str, list[Profile]]               # by model
    most_urgent: int                                 # priority of its streams; 0: it has none
    others: list[str]                                # of its variants, those with other files than ours


class PeerTableStatistics(msgspec.Struct, frozen=True):
    """Counts since the start; `alive`: now."""

    alive: int
    came: int
    lost: int


class PeerTable:
    """Adverts, links and loads of all peers.

    files: the hash of each of our own variants, by model and variant. A peer whose files of a variant differ, as those
    of another release may, is not asked to run that variant. cards: which of its variants are believed.
    """

    def __init__(self, files: Mapping[tuple[str, str], str] = MappingProxyType({}),
                 cards: OwnCards | None = None) -> None:
        self._files, self._cards = files, cards or OwnCards({})
        self._peers: dict[str, _Peer] = {}
        self._adverts: dict[tuple[str, int], _Advert] = {}       # by peer and boot; kept when the peer is lost
        self._active: dict[str, int] = {}                # peers that got work, and until when they count as active
        self._came = self._lost = 0

    def names(self) -> list[str]:
        """The peers that are believed alive."""
        return list(self._peers)

    def is_alive(self, name: str) -> bool:
        """Whether the peer is believed alive."""
        return name in self._peers

    def boot(self, name: str) -> int | None:
        """The boot of a peer that is alive."""
        peer = self._peers.get(name)
        return peer.boot if peer else None

    def advert_of(self, name: str) -> int:
        """The number of the peer's newest advert of its present boot; 0: none."""
        peer = self._peers.get(name)
        advert = self._adverts.get((name, peer.boot)) if peer else None
        return advert.number if advert else 0

    def most_urgent(self, name: str) -> int:
        """The highest priority of a peer's streams, as it advertises them; 0: not known."""
        peer = self._peers.get(name)
        advert = self._adverts.get((name, peer.boot)) if peer else None
        return advert.most_urgent if advert else 0

    def update(self, name: str, boot: int, busy_s: float, now: int) -> bool:
        """The peer is alive and reports `busy_s` of work in hand. Returns whether this boot is new."""
        peer = self._peers.get(name)
        came = peer is None or peer.boot != boot
        if came:
            self._came += 1
            advert = self._adverts.get((name, boot))
            profiles = advert.profiles if advert else {}
            peer = self._peers[name] = _Peer(boot=boot, advertised=profiles, profiles=profiles)
        assert peer is not None
        if peer.observed.fade(now):
            _correct(peer, *peer.advertised)
        peer.busy_until_ns = now + ns(busy_s)
        if peer.booked:
            peer.booked = {request: one for request, one in peer.booked.items() if one.told_ns > now}
            peer.booked_sum_ns = sum(one.run_ns for one in peer.booked.values())
        return came

    def suspected(self, name: str, suspected: bool) -> None:
        """Set whether the failure detector suspects the peer; if so, it gets no new work."""
        if name in self._peers:
            self._peers[name].suspected = suspected

    def lost(self, name: str) -> bool:
        """Remove a peer. Returns whether it was alive."""
        peer = self._peers.pop(name, None)
        self._active.pop(name, None)
        self._lost += peer is not None
        return peer is not None

    def active(self, now: int) -> list[str]:
        """Peers that got work in the last ACTIVE_S."""
        self._active = {name: until_ns for name, until_ns in self._active.items() if now < until_ns}
        return list(self._active)

    def advertised(self, name: str, boot: int, advert: Advert) -> list[str]:
        """Take in what a peer can run. It is valid for this boot, also after the peer was lost and is back.

        Returns the variants of which it has other files than we, if this is news.
        """
        before = self._adverts.get((name, boot))
        if before is not None and advert.number <= before.number:
            return []                                # a duplicate, or overtaken by a newer one
        by_model: dict[str, list[Profile]] = {}
        for profile in () if advert.nearly_empty else advert.profiles:
            believed = None if self._is_other(profile) else self._cards.believed(profile)
            if believed is not None:
                by_model.setdefault(profile.model, []).append(believed)
        by_model = {model: by_speed(profiles) for model, profiles in by_model.items()}
        alike = (known.profiles for known in self._adverts.values() if known.profiles == by_model)
        by_model = next(alike, by_model)             # robots with the same board share one copy
        self._adverts = {key: profiles for key, profiles in self._adverts.items() if key[0] != name or key[1] > boot}
        others = [f"{profile.model} {profile.variant}" for profile in advert.profiles if self._is_other(profile)]
        most_urgent = max((stream.priority for stream in advert.streams), default=0)
        self._adverts[name, boot] = _Advert(advert.number, by_model, most_urgent, others)
        peer = self._peers.get(name)
        if peer is not None and peer.boot == boot:
            same = _of_same_times(peer.advertised, by_model)
            peer.observed = peer.observed.only(same) if same else PeerSpeed()    # factors are relative to the advert
            peer.advertised, peer.profiles = by_model, {}
            _correct(peer, *by_model)
        return [] if before is not None and before.others == others else others

    def _is_other(self, profile: Profile) -> bool:
        """Whether it is of other files than ours."""
        own = self._files.get((profile.model, profile.variant), "")
        return bool(own and profile.files) and own != profile.files

    def measured(self, name: str, link: LinkQuality) -> None:
        """Take in the measured quality of the link to a peer."""
        if name in self._peers:
            self._peers[name].link = link

    def book(self, leg: Leg, request: RequestId, model: str, variant: str, now: int) -> None:
        """Work was sent to the peer of a leg; it counts as the peer's load until a report of the peer contains it.

        A report has left the peer half a round trip before it comes, and the request reaches it after its transfer.
        """
        peer = self._peers.get(leg.agent)
        profile = named(peer.profiles.get(model, ()), variant) if peer else None
        if peer is not None and profile is not None:
            _unbook(peer, request)
            run_ns = ns(leg_p50_s(profile, leg))
            peer.booked[request] = _Booked(run_ns, now + ns(peer.link.transfer_s(leg_bytes(profile, leg))))
            peer.booked_sum_ns += run_ns
            if peer.unanswered >= MOST_UNANSWERED:           # a trial: nothing more until its result is known
                peer.paused_until_ns = now + ns(LONGEST_PAUSE_S)
            self._active[leg.agent] = now + ns(ACTIVE_S)

    def sending_s(self, leg: Leg, model: str, variant: str) -> float:
        """How long the tensors for a leg take after their announcement, on the link to its peer; 0: they are in it."""
        peer = self._peers.get(leg.agent)
        profile = named(peer.profiles.get(model, ()), variant) if peer else None
        if peer is None or profile is None or leg_bytes(profile, leg) <= URGENT_BYTES:
            return 0.0
        return leg_bytes(profile, leg) / peer.link.bytes_per_s

    def answered(self, name: str) -> None:
        """A peer has answered a request in time."""
        peer = self._peers.get(name)
        if peer is not None:
            peer.unanswered = peer.paused_until_ns = 0

    def unanswered(self, name: str, sent_ns: int, now: int) -> None:
        """A peer did not answer in time what was sent to it at `sent_ns`. One that fails again and again is paused.

        This is a circuit breaker (Nygard, Release It!, 2007): what was sent before a pause says nothing new.
        """
        peer = self._peers.get(name)
        if peer is None or (peer.unanswered >= MOST_UNANSWERED and sent_ns < peer.paused_ns):
            return
        peer.unanswered += 1
        if peer.unanswered >= MOST_UNANSWERED:
            pause_s = min(PAUSE_S * 2.0 ** (peer.unanswered - MOST_UNANSWERED), LONGEST_PAUSE_S)
            peer.paused_ns, peer.paused_until_ns = now, now + ns(pause_s)

    def observe_run(self, leg: Leg, model: str, variant: str, took: LegTimes, most: float = inf) -> None:
        """The peer of a leg reports how long its run took."""
        peer = self._peers.get(leg.agent)
        profile = named(peer.advertised.get(model, ()), variant) if peer else None
        if peer is None or profile is None or leg.last > len(profile.stages):
            return
        if peer.observed.observe_run(profile, leg, took.run_s, took.batch, most):
            _correct(peer, model)

    def observe_timeout(self, leg: Leg, model: str, variant: str, late_s: float) -> None:
        """The peer of a leg did not answer in time: count a run that took `late_s` longer than expected."""
        peer = self._peers.get(leg.agent)
        profile = named(peer.profiles.get(model, ()), variant) if peer else None
        if peer is not None and profile is not None and leg.last <= len(profile.stages):
            self.observe_run(leg, model, variant, LegTimes(leg_p50_s(profile, leg) + late_s), MOST_GUESSED)

    def release(self, name: str, request: RequestId) -> None:
        """The peer no longer holds a request, for any reason."""
        peer = self._peers.get(name)
        if peer is not None:
            _unbook(peer, request)

    def back_off(self, name: str, for_s: float, now: int) -> None:
        """Give the peer no new work for this long."""
        peer = self._peers.get(name)
        if peer is not None:
            peer.backoff_until_ns = now + ns(for_s)
            peer.paused_until_ns = min(peer.paused_until_ns, peer.backoff_until_ns)      # a trial was refused

    def links(self) -> dict[str, LinkQuality]:
        """Measured links, by peer."""
        return {name: peer.link for name, peer in self._peers.items() if peer.link.samples}

    def views(self, now: int) -> dict[str, PeerView]:
        """Peers that may get new work now."""
        return {
            name: _view(name, peer, now) for name, peer in self._peers.items()
            if peer.profiles and not peer.suspected and now >= max(peer.backoff_until_ns, peer.paused_until_ns)
        }

    def alive(self, now: int) -> dict[str, PeerView]:
        """All peers that are alive and have advertised, also those that get no new work from this robot."""
        return {name: _view(name, peer, now) for name, peer in self._peers.items() if peer.profiles}

    def statistics(self) -> PeerTableStatistics:
        return PeerTableStatistics(len(self._peers), self._came, self._lost)


def _of_same_times(before: Mapping[str, list[Profile]], now: Mapping[str, list[Profile]]) -> list[tuple[str, str]]:
    """The models and variants whose run times were advertised before as they are now."""
    old = {(one.model, one.variant): _times(one) for some in before.values() for one in some}
    return [(one.model, one.variant) for some in now.values() for one in some
            if old.get((one.model, one.variant)) == _times(one)]


def _times(one: Profile) -> tuple[object, ...]:
    return one.p50_s, one.p95_s, one.stages, one.batch_s


def _unbook(peer: _Peer, request: RequestId) -> None:
    booked = peer.booked.pop(request, None)
    if booked is not None:
        peer.booked_sum_ns -= booked.run_ns


def _correct(peer: _Peer, *models: str) -> None:
    """Correct the profiles of these models in a new dict: views that were given out do not change."""
    peer.profiles = peer.profiles | {
        model: by_speed(peer.observed.corrected(peer.advertised[model])) for model in models}


def _view(name: str, peer: _Peer, now: int) -> PeerView:
    reported_ns = peer.busy_until_ns - now
    wait_ns = peer.booked_sum_ns + reported_ns if reported_ns > 0 else peer.booked_sum_ns
    return PeerView(name=name, profiles=peer.profiles, link=peer.link, wait_s=seconds(wait_ns))
