"""What a search may use: time, and workers. A port: a clock ends it on the real host, a count of work in virtual time.

By counted work the same problem, seed, budget and number of workers give the same plan.
"""

from __future__ import annotations

from typing import Protocol

from swarm.core.ports import Clock
from swarm.core.units import ns, seconds
from swarm.planner.forecast.workers import ONE_WORKER, Workers


class Budget(Protocol):
    """Says how much of a search is left, and how many workers it has."""

    @property
    def workers(self) -> Workers: ...

    def left_s(self, worked_s: float, share: float = 1.0) -> float:
        """How long the search may go on, if a share of the budget may be used. worked_s: counted work so far."""
        ...


class CountedBudget:
    """The work that the reference host does in `seconds`, independent of the clock."""

    def __init__(self, seconds: float, workers: Workers = ONE_WORKER) -> None:
        self.workers: Workers = workers
        self._seconds = seconds

    def left_s(self, worked_s: float, share: float = 1.0) -> float:
        return max(share * self._seconds - worked_s, 0.0)


class ClockBudget:
    """Real time from now on: everything counts, whatever the counted work is."""

    def __init__(self, clock: Clock, seconds: float, workers: Workers = ONE_WORKER) -> None:
        self.workers: Workers = workers
        self._clock, self._begun_ns, self._for_ns = clock, clock.now_ns(), ns(seconds)

    def left_s(self, worked_s: float, share: float = 1.0) -> float:
        return max(seconds(round(share * self._for_ns) - (self._clock.now_ns() - self._begun_ns)), 0.0)
