"""Histogram of the lag of simulated time behind the clock: its memory does not grow with the length of a run."""

from __future__ import annotations

import math

import numpy as np

BIN_MS = 0.5
BINS = 4000                          # up to 2 s; a quantile beyond that is the longest lag seen


class LagHistogram:
    """Lags of a whole run. A quantile is the upper edge of a bin: at most one bin too large, never too small."""

    def __init__(self) -> None:
        self._bins = np.zeros(BINS + 1, np.int64)        # the last bin counts all longer lags
        self._count = 0
        self._longest_ms = 0.0

    def add(self, lag_ms: float) -> None:
        """Count one lag; a negative lag counts as zero."""
        self._bins[min(max(math.ceil(lag_ms / BIN_MS) - 1, 0), BINS)] += 1
        self._count += 1
        self._longest_ms = max(self._longest_ms, lag_ms)

    def quantile_ms(self, q: float) -> float:
        """The smallest bin edge that a share `q` of all lags does not exceed; 0 before the first lag."""
        if not self._count:
            return 0.0
        at = int(np.searchsorted(np.cumsum(self._bins), math.ceil(q * self._count)))
        return self._longest_ms if at >= BINS else (at + 1) * BIN_MS
