"""Limits the duration of a search. It is a port, because a clock ends it on one host and a count of work on another.

Today both hosts count, so that the same problem, seed and budget give the same plan.
"""

from __future__ import annotations

from typing import Protocol

EVALUATIONS_PER_S = 25_000           # of one agent's queue, measured on this project's reference host


class Budget(Protocol):
    """Says when a search has to stop."""

    def spent(self, evaluations: int) -> bool:
        """Whether to stop now. evaluations: queue costs computed since the search began to improve its start."""
        ...


class CountedBudget:
    """The work that the reference host does in `seconds`, independent of the clock; one evaluation at least."""

    def __init__(self, seconds: float) -> None:
        self.evaluations = max(1, round(seconds * EVALUATIONS_PER_S))

    def spent(self, evaluations: int) -> bool:
        return evaluations >= self.evaluations
