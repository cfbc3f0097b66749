"""What comes of peers, spoilt as an injected fault says: some of it vanishes, some of it has flipped bits.

Deterministic: the same ills and the same messages in the same order give the same. It stands between the socket and
the decoder, so that all that follows sees what a bad link would have brought.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from swarm.core.policy import draw
from swarm.core.protocol.messages import Afflicted

MOST_FLIPS = 8                       # bits of one message


class Impairment:
    """Of one process; at first nothing ails it. `name`: whose, so that each has draws of its own."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._ills = Afflicted()
        self._deaf_to: frozenset[str] = frozenset()
        self._draws: random.Random = draw.stream(0, "impair", name)
        self.active = False
        self.vanished = self.corrupted = 0           # messages

    def become(self, ills: Afflicted) -> None:
        """From now on this, and nothing else, ails the process; said again, it changes nothing."""
        if ills.seed != self._ills.seed:
            self._draws = draw.stream(ills.seed, "impair", self._name)
        self._ills, self._deaf_to = ills, frozenset(ills.deaf_to)
        self.active = bool(ills.deaf_to or ills.lose or ills.corrupt)

    def through(self, sender: str, frames: Sequence[Any]) -> Sequence[Any] | None:
        """What is left of a message; None: nothing."""
        if sender in self._deaf_to or self._hits(self._ills.lose):
            self.vanished += 1
            return None
        if not self._hits(self._ills.corrupt):
            return frames
        self.corrupted += 1
        return self._flipped(frames)

    def _hits(self, share: float) -> bool:
        return share > 0.0 and self._draws.random() < share

    def _flipped(self, frames: Sequence[Any]) -> list[Any]:
        """A copy with a few bits of one frame the other way round; an empty frame has none."""
        spoilt = list(frames)
        i = self._draws.randrange(len(spoilt))
        frame = bytearray(memoryview(spoilt[i]))
        for _ in range(self._draws.randint(1, MOST_FLIPS) if frame else 0):
            frame[self._draws.randrange(len(frame))] ^= 1 << self._draws.randrange(8)
        spoilt[i] = bytes(frame)
        return spoilt
