"""Which of several planners leads: robots tell each planner whose plan they follow. Deterministic.

A planner whose plan no robot follows stands by while robots follow that of another one, until its lease ends. Of two
that are both followed, the one with the newer epoch leads; of equal epochs, the first one by name. Whoever leads has an
epoch above all that robots have told, so that they follow it (`agents/scheduling/placements.py`). An earlier start of
the same planner is no rival: it is dead.
"""

from __future__ import annotations

from swarm.core.protocol.messages.presence import PlanFollowed
from swarm.core.units import ns


class Leadership:
    """As one planner sees it. me: its name and boot."""

    def __init__(self, me: tuple[str, int]) -> None:
        self._name, self._boot = me
        self._followed_until_ns = self._rival_until_ns = 0
        self._own_epoch = self._rival_epoch = 0
        self.rival = ""                  # who led when this planner stood by last
        self.epoch = 0                   # the newest of others

    def heard(self, followed: PlanFollowed, epoch: int, now: int) -> None:
        """A robot follows this plan. epoch: of our own."""
        until_ns, self._own_epoch = now + ns(followed.left_s), epoch
        if (followed.planner, followed.boot) == (self._name, self._boot):
            self._followed_until_ns = max(self._followed_until_ns, until_ns)
            return
        self.epoch = max(self.epoch, followed.epoch)
        if followed.planner == self._name:
            return
        if now >= self._rival_until_ns or followed.epoch >= self._rival_epoch:
            self.rival, self._rival_epoch = followed.planner, followed.epoch
        self._rival_until_ns = max(self._rival_until_ns, until_ns)

    def stands_by(self, now: int) -> bool:
        """Whether another planner leads."""
        if now >= self._rival_until_ns:
            return False
        ours_is_older = (-self._own_epoch, self._name) > (-self._rival_epoch, self.rival)
        return now >= self._followed_until_ns or ours_is_older
