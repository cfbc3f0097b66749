"""The times in which a world could not keep up with real time. Deterministic."""

from __future__ import annotations

from swarm.core.protocol.messages import Slip

GAP_S = 0.5                          # slips nearer to each other than this are one


class Slips:
    """Joins slips into times, and gives those that the collector does not know yet.

    Between two slips nearer than GAP_S the world ran slower than real time: this is one time with both losses.
    """

    def __init__(self) -> None:
        self._current: Slip | None = None
        self._news: dict[float, Slip] = {}           # by begin: what grows replaces what it was

    def add(self, at_s: float, lost_s: float) -> None:
        """Simulated time loses `lost_s` on real time, `at_s` after the streams began."""
        current, to_s = self._current, at_s + lost_s
        if current is not None and at_s - current.to_s < GAP_S:
            self._current = Slip(current.from_s, to_s, current.lost_s + lost_s)
        else:
            self._current = Slip(at_s, to_s, lost_s)
        self._news[self._current.from_s] = self._current

    def news(self) -> list[Slip]:
        """What is new since it was told."""
        return list(self._news.values())

    def told(self) -> None:
        """The collector knows all that is new."""
        self._news.clear()
