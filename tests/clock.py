"""A clock for tests."""

from __future__ import annotations

from swarm.core.units import ns


class FakeClock:
    """A clock that stands until it is told to advance."""

    def __init__(self, at_ns: int = 0) -> None:
        self.at_ns = at_ns

    def now_ns(self) -> int:
        return self.at_ns

    def advance(self, by_s: float) -> int:
        self.at_ns += ns(by_s)
        return self.at_ns
