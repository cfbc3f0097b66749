"""What the other choice would have taken: latencies expected when requests were routed, beside what they took.

Of a sample of requests their robot also writes down the next best agent and the latency expected of it. That is an
expectation and stays one: nobody ran it. `gain` is what the other was expected to take less what the choice made really
took, refusals and fallbacks included. Our expectations err; `corrected` adds the median error of the stream's own to
those of the other, as if it would have erred alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.telemetry.table import Columns

Milliseconds = NDArray[np.float64]
NEEDED = ("stream", "predicted_s", "other", "other_s", "latency_ms")
"""The columns that these figures are made of."""


def sampled(c: Columns) -> NDArray[np.bool_]:
    """Which requests have another choice on record."""
    return (c["other"] != "").astype(bool)


def expected_sooner(c: Columns) -> NDArray[np.bool_]:
    """Of each request of the sample, whether the choice made was expected no later than the other."""
    return c["predicted_s"][sampled(c)] <= c["other_s"][sampled(c)]


def errors_ms(c: Columns) -> Milliseconds:
    """[requests] latency less the one expected; NaN without a result or an expectation."""
    return np.where(c["predicted_s"] > 0, c["latency_ms"] - c["predicted_s"] * 1e3, np.nan)


def ratios(c: Columns) -> NDArray[np.float64]:
    """[requests] latency as a multiple of the one expected; NaN likewise."""
    expected_ms = np.where(c["predicted_s"] > 0, c["predicted_s"] * 1e3, np.nan)
    return c["latency_ms"] / expected_ms


def gain_ms(c: Columns) -> Milliseconds:
    """[requests] what was expected of the other less what it took; NaN out of the sample or without a result."""
    return np.where(sampled(c), c["other_s"] * 1e3 - c["latency_ms"], np.nan)


def corrected_ms(c: Columns) -> Milliseconds:
    """[requests] `gain_ms` with the median error of the stream's own expectations added to those of the other."""
    errors, gain = errors_ms(c), gain_ms(c)
    for stream in dict.fromkeys(c["stream"]):
        there = c["stream"] == stream
        gain[there] += quantile(errors[there], 0.5) or 0.0
    return gain


def figures(c: Columns) -> dict[str, Any]:
    """As `summary.json` has them: a quantile of nothing is None, a ratio over nothing is 0."""
    sooner = expected_sooner(c)
    errors = errors_ms(c)
    return {
        "sampled": int(sooner.size), "sooner_than_other_ratio": round(float(sooner.mean()), 6) if sooner.size else 0.0,
        "gain_ms_p50": _rounded(quantile(gain_ms(c), 0.5)),
        "gain_corrected_ms_p50": _rounded(quantile(corrected_ms(c), 0.5)),
        "prediction_error_ms_p50": _rounded(quantile(errors, 0.5)),
        "prediction_error_ms_p95": _rounded(quantile(errors, 0.95)),
    }


def quantile(values: NDArray[np.float64], share: float) -> float | None:
    """Of the numbers among the values; None if there are none."""
    numbers = values[~np.isnan(values)]
    return float(np.quantile(numbers, share)) if numbers.size else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
