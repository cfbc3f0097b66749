"""The advert of this robot; a new one is made when its speed or battery has changed notably. Deterministic."""

from __future__ import annotations

import msgspec

from agents.peers.own_speed import scaled
from swarm.core.protocol.messages import Advert

BATTERY_STEP = 0.05                  # a notable change, as a share of the full charge


class OwnAdvert:
    """`advert` is the newest; its number grows with each change."""

    def __init__(self, first: Advert) -> None:
        self._first = self.advert = first            # with the run times of the board's profile
        self._slowness = 1.0

    def changed(self, slowness: float, battery: float | None) -> bool:
        """Update the advert. Returns whether there is a new one.

        slowness: the factor by which runs take longer than the board's profile says. battery: charge 0..1; None: no
        battery.
        """
        before = self.advert.battery
        drained = (battery is None) != (before is None) or abs((battery or 0.0) - (before or 0.0)) >= BATTERY_STEP
        if slowness == self._slowness and not drained:
            return False
        self._slowness = slowness
        self.advert = msgspec.structs.replace(
            self._first, number=self.advert.number + 1, battery=battery,
            profiles=scaled(self._first.profiles, self._slowness),
        )
        return True
