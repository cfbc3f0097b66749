"""The advert of this robot, made anew when it has changed by more than a little. Deterministic."""

from __future__ import annotations

import msgspec

from agents.peers.own_speed import scaled
from swarm.core.protocol.messages import Advert

BATTERY_STEP = 0.05                  # of a full one


class OwnAdvert:
    """`advert` is the newest; its number grows with each change."""

    def __init__(self, first: Advert) -> None:
        self._first = self.advert = first            # of a board at its own pace
        self._slowness = 1.0

    def changed(self, slowness: float, battery: float | None) -> bool:
        """How much longer runs take than the board's profile says, and what is left of the battery.

        Returns whether there is a new advert.
        """
        told = self.advert.battery
        drained = (battery is None) != (told is None) or abs((battery or 0.0) - (told or 0.0)) >= BATTERY_STEP
        if slowness == self._slowness and not drained:
            return False
        self._slowness = slowness
        self.advert = msgspec.structs.replace(
            self._first, number=self.advert.number + 1, battery=battery,
            profiles=scaled(self._first.profiles, self._slowness),
        )
        return True
