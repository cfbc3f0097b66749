"""The advert of this robot, and who has it; a new one is made when its speed or its board has changed notably.

Deterministic.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from agents.peers.own_speed import scaled
from agents.runtime.offer import Offer
from swarm.core.policy.plan import NotLoaded
from swarm.core.ports import Health
from swarm.core.protocol.messages import Advert
from swarm.core.protocol.messages.presence import MOST_NOT_LOADED
from swarm.core.settings.process_files import AgentFile
from swarm.membership.view import HEARTBEAT_NS

BATTERY_STEP = 0.05                  # a notable change, as a share of the full charge, or of the energy that was left
TEMPERATURE_STEP_C = 5.0


def first_advert(settings: AgentFile, offer: Offer) -> Advert:
    """What is known before the robot runs."""
    board = settings.board
    return Advert(
        board=settings.board_name, executors=board.executors, own_share=board.own_share, profiles=offer.announce(),
        streams=settings.streams, power_w=board.power_w or None, memory_free_bytes=offer.free_bytes,
        not_loaded=_not_loaded(offer, [one.key for one in offer.left_out]))


def _not_loaded(offer: Offer, absent: Iterable[tuple[str, str]]) -> list[NotLoaded]:
    """What would run if it were in memory, with how long a load takes."""
    known = {(one.model, one.variant): one for one in offer.all()}
    told = [NotLoaded(*key, known[key].p50_s, known[key].load_s) for key in absent if key in known]
    never = [NotLoaded(one.model, one.variant, one.p50_s) for one in offer.too_large]
    return [*told, *never][:MOST_NOT_LOADED]


class OwnAdvert:
    """`advert` is the newest; its number grows with each change. offer: of this robot's board."""

    def __init__(self, first: Advert, offer: Offer | None = None) -> None:
        self._first = self.advert = first            # with the run times of the board's profile
        self._offer = offer
        self._absent = [one.key for one in offer.left_out if one not in offer.too_large] if offer is not None else []
        self._absent.sort()
        self._slowness = 1.0
        self._sent_ns: dict[str, int] = {}           # when the newest was last sent to each peer

    def due(self, peer: str, known: int, now: int) -> Advert | None:
        """The advert, if it is to be sent to a peer now: with each heartbeat, until it knows the newest number."""
        if known >= self.advert.number or now - self._sent_ns.get(peer, -HEARTBEAT_NS) < HEARTBEAT_NS:
            return None
        self._sent_ns[peer] = now
        return self.advert

    def joined(self, peer: str) -> None:
        """A peer has started: it knows nothing."""
        self._sent_ns.pop(peer, None)

    def changed(self, slowness: float, health: Health, absent: Sequence[tuple[str, str]] | None = None) -> bool:
        """Update the advert. Returns whether there is a new one.

        slowness: the factor by which runs take longer than the board's profile says. absent: the models and variants
        that are not in memory now, sorted; None: the same as before.
        """
        moved = absent is not None and absent != self._absent
        if slowness == self._slowness and not moved and not _differs(self.advert, health):
            return False
        if moved and absent is not None and self._offer is not None:
            self._absent = list(absent)
            self._first = msgspec.structs.replace(
                self._first, not_loaded=_not_loaded(self._offer, absent),
                profiles=[one for one in self._offer.all() if (one.model, one.variant) not in absent])
        self._slowness = slowness
        self.advert = msgspec.structs.replace(
            self._first, number=self.advert.number + 1, profiles=scaled(self._first.profiles, self._slowness),
            battery=health.battery, battery_wh=health.battery_wh, temperature_c=health.temperature_c,
            throttled=health.throttled)
        self._sent_ns.clear()
        return True


def _differs(told: Advert, now: Health) -> bool:
    return (_moved(told.battery, now.battery, BATTERY_STEP)
            or _moved(told.battery_wh, now.battery_wh, BATTERY_STEP * (told.battery_wh or 0.0))
            or _moved(told.temperature_c, now.temperature_c, TEMPERATURE_STEP_C)
            or told.throttled != now.throttled)


def _moved(told: float | None, now: float | None, step: float) -> bool:
    """Whether a figure has become known or unknown, or has left what was told by a step."""
    if told is None or now is None:
        return told is not now
    return told != now and abs(now - told) >= step
