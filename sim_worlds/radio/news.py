"""Tells robots and planners which others are in radio reach: only the world knows where robots are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sim_worlds.radio.reach import Reach
from swarm.core.protocol.messages import InReach
from swarm.core.settings.process_files import RadioSpec


class ReachNews:
    """Whom each member hears, and which members do not know it yet.

    send: sends a member a message; False: it cannot be reached now, and is told at a later turn. robots: names, in the
    order of their places. Planners stand at the base; without a base each robot hears them, and they hear all.
    """

    def __init__(self, radio: RadioSpec, robots: Sequence[str], send: Callable[[str, InReach], bool]) -> None:
        base = radio.base
        self._send = send
        self._base = np.array([[base.x_m, base.y_m]] * len(radio.planners) if base else []).reshape(-1, 2)
        self._always = [] if base else list(radio.planners)
        self._names = [*robots, *(radio.planners if base else [])]
        self._index = {name: i for i, name in enumerate(self._names)}
        self._reach = Reach(len(self._names), radio.reach_m)
        self._untold: dict[str, None] = {}
        self._looks, self._apart = 0, 0.0

    def look(self, places: NDArray[np.float64]) -> None:
        """Take in where the robots are, [robots, 2] in metres, and tell each member that hears others than before."""
        changed = self._reach.update(np.concatenate([places, self._base]))
        self._untold |= {self._names[i]: None for i in changed.tolist()}
        self._looks, self._apart = self._looks + 1, self._apart + self._reach.share_apart
        self.tell()

    def forget(self, name: str) -> None:
        """A new start of a member knows nothing: it is told again."""
        if name in self._index:
            self._untold[name] = None

    def tell(self) -> None:
        """Tell those that do not know it yet, as far as they can be reached."""
        for name in list(self._untold):
            heard = [self._names[i] for i in self._reach.heard_by(self._index[name])]
            if self._send(name, InReach(members=[*heard, *self._always])):
                del self._untold[name]

    @property
    def share_apart(self) -> float:
        """Share of pairs of members out of reach of each other, the mean of all looks."""
        return self._apart / self._looks if self._looks else 0.0
