"""How late things happen: a histogram whose memory does not grow with time. Deterministic."""

from __future__ import annotations

import math

BIN_NS = 100_000                     # 0.1 ms
BINS = 20_000                        # up to 2 s; a quantile beyond that is the longest lateness


class Lateness:
    """A quantile is the upper edge of a bin: at most one bin too large, never too small; 0 is told as 0."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._bins: dict[int, int] = {}      # number of a bin -> its count; only bins that are not empty
        self.longest_ns = 0

    def add(self, late_ns: int) -> None:
        """Count one lateness; a negative one counts as 0."""
        at = -(-late_ns // BIN_NS)
        if not 0 <= at <= BINS:
            at = 0 if at < 0 else BINS + 1
        bins = self._bins
        bins[at] = bins.get(at, 0) + 1
        if late_ns > self.longest_ns:
            self.longest_ns = late_ns

    def quantile_ms(self, q: float) -> float:
        """The smallest bin edge that a share `q` does not exceed; 0 before the first lateness."""
        left = math.ceil(q * sum(self._bins.values()))
        for at in sorted(self._bins):
            left -= self._bins[at]
            if left <= 0:
                return (at * BIN_NS if at <= BINS else self.longest_ns) / 1e6
        return 0.0
