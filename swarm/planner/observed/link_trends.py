"""Which links get worse steadily, and how bad they will be some seconds ahead. Deterministic.

Robots move: what a link could carry a second ago is too much for one that falls. The planner knows no positions, so it
extends the trend of the measurements. It is cautious: a trend must be monotonous and large (Mann and Kendall's test,
Kendall, Rank Correlation Methods, 1975), its slope is the median of those between all pairs (Theil 1950, Sen, J. Am.
Stat. Assoc. 63, 1968), and no link is expected to become better.
"""

from __future__ import annotations

from itertools import combinations
from math import exp, log
from statistics import median

SAMPLES = 12                         # measurements, about a second apart
APART_S = 0.5                        # measurements that follow sooner are left out
CONCORDANT = 44                      # of the 66 pairs more fall than rise: of random values with p = 0.001
FALL = 1.5                           # from the first to the last: less is noise, or not worth a move
LEAST = 0.25                         # no trend is extended to a smaller share of the last measurement


class Trail:
    """The newest measurements of one quality of a link, of which more is better."""

    __slots__ = ("_at_s", "_logs")

    def __init__(self) -> None:
        self._at_s: list[float] = []
        self._logs: list[float] = []

    def add(self, at_s: float, value: float) -> None:
        """value: above 0."""
        if self._at_s and at_s - self._at_s[-1] < APART_S:
            return
        self._at_s = [*self._at_s[1 - SAMPLES:], at_s]
        self._logs = [*self._logs[1 - SAMPLES:], log(value)]

    def share_left(self, ahead_s: float) -> float:
        """The share of the last measurement that will be left `ahead_s` after it; 1: it does not fall."""
        at_s, logs = self._at_s, self._logs
        if len(logs) < SAMPLES or logs[0] - logs[-1] < log(FALL):
            return 1.0
        pairs = list(combinations(range(SAMPLES), 2))
        if sum((logs[a] > logs[b]) - (logs[a] < logs[b]) for a, b in pairs) < CONCORDANT:
            return 1.0
        slope = median((logs[b] - logs[a]) / (at_s[b] - at_s[a]) for a, b in pairs)
        return min(max(exp(slope * ahead_s), LEAST), 1.0)
