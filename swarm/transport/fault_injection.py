"""Injects faults of a link: drops some received messages, and flips bits in others.

Deterministic: the same faults and the same messages in the same order give the same result. It works between the
socket and the decoder, so that the rest of the process sees what a bad link would deliver.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from swarm.core.policy import draw
from swarm.core.protocol.messages import InjectedFaults

MOST_FLIPS = 8                       # bits of one message


class FaultInjection:
    """The injected faults of one process; none at first. name: of the process, which has its own random draws."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._faults = InjectedFaults()
        self._deaf_to: frozenset[str] = frozenset()
        self._draws: random.Random = draw.stream(0, "impair", name)
        self.active = False
        self.dropped = self.corrupted = 0           # messages

    def set_faults(self, faults: InjectedFaults) -> None:
        """Replace the injected faults. Setting the same faults again changes nothing."""
        if faults.seed != self._faults.seed:
            self._draws = draw.stream(faults.seed, "impair", self._name)
        self._faults, self._deaf_to = faults, frozenset(faults.deaf_to)
        self.active = bool(faults.deaf_to or faults.lose or faults.corrupt)

    def apply(self, sender: str, frames: Sequence[Any]) -> Sequence[Any] | None:
        """The frames of a message after the faults. None: the message is dropped."""
        if sender in self._deaf_to or self._hits(self._faults.lose):
            self.dropped += 1
            return None
        if not self._hits(self._faults.corrupt):
            return frames
        self.corrupted += 1
        return self._flipped(frames)

    def _hits(self, share: float) -> bool:
        return share > 0.0 and self._draws.random() < share

    def _flipped(self, frames: Sequence[Any]) -> list[Any]:
        """A copy with a few flipped bits in one frame; an empty frame stays as it is."""
        corrupted_frames = list(frames)
        i = self._draws.randrange(len(corrupted_frames))
        frame = bytearray(memoryview(corrupted_frames[i]))
        for _ in range(self._draws.randint(1, MOST_FLIPS) if frame else 0):
            frame[self._draws.randrange(len(frame))] ^= 1 << self._draws.randrange(8)
        corrupted_frames[i] = bytes(frame)
        return corrupted_frames
