"""The latency that robots predicted when they routed a request, beside the latency that was measured: mean with mean.

A prediction is the mean that the profiles and links lead to expect. A single result scatters around it, and the median
of a skewed distribution lies below it, so only means are compared.
"""

from __future__ import annotations

import msgspec
import numpy as np

from swarm.telemetry.table import Columns


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """One stream, over its results that had a prediction; means are NaN without such results."""

    results: int
    predicted_ms: float
    measured_ms: float

    @property
    def error_ms(self) -> float:
        """measured - predicted: above 0 the requests took longer than predicted."""
        return self.measured_ms - self.predicted_ms


def prediction(c: Columns, stream: str) -> Prediction:
    """Of one stream. A request without a result counts in no mean: its prediction has no counterpart."""
    both = (c["stream"] == stream) & (c["predicted_s"] > 0) & ~np.isnan(c["latency_ms"])
    if not both.any():
        return Prediction(results=0, predicted_ms=float("nan"), measured_ms=float("nan"))
    return Prediction(results=int(both.sum()), predicted_ms=float(c["predicted_s"][both].mean()) * 1e3,
                      measured_ms=float(c["latency_ms"][both].mean()))
