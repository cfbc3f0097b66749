"""Counterfactuals: the latency predicted for the runner-up, beside the latency measured on the chosen agent.

For a sample of requests, the robot also records the next best agent (the runner-up) and its predicted latency. The
runner-up never ran, so its latency remains a prediction. `gain` is the predicted latency of the runner-up minus the
measured latency of the choice, with refusals and fallbacks. `corrected` assumes that the prediction for the runner-up
has the same error as the predictions for the choices of its stream: it adds their median error.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.telemetry.table import Columns

Milliseconds = NDArray[np.float64]
NEEDED = ("stream", "predicted_s", "other", "other_s", "latency_ms")
"""Columns that these figures need."""


def sampled(c: Columns) -> NDArray[np.bool_]:
    """[requests] whether a runner-up was recorded."""
    return (c["other"] != "").astype(bool)


def expected_sooner(c: Columns) -> NDArray[np.bool_]:
    """[sampled requests] whether the choice was predicted to be no later than the runner-up."""
    return c["predicted_s"][sampled(c)] <= c["other_s"][sampled(c)]


def errors_ms(c: Columns) -> Milliseconds:
    """[requests] measured minus predicted latency; NaN without a result or a prediction."""
    return np.where(c["predicted_s"] > 0, c["latency_ms"] - c["predicted_s"] * 1e3, np.nan)


def ratios(c: Columns) -> NDArray[np.float64]:
    """[requests] measured / predicted latency; NaN without a result or a prediction."""
    expected_ms = np.where(c["predicted_s"] > 0, c["predicted_s"] * 1e3, np.nan)
    return c["latency_ms"] / expected_ms


def gain_ms(c: Columns) -> Milliseconds:
    """[requests] predicted for the runner-up minus measured; NaN outside the sample or without a result."""
    return np.where(sampled(c), c["other_s"] * 1e3 - c["latency_ms"], np.nan)


def corrected_ms(c: Columns) -> Milliseconds:
    """[requests] `gain_ms` plus the median prediction error of the request's stream."""
    errors, gain = errors_ms(c), gain_ms(c)
    for stream in dict.fromkeys(c["stream"]):
        there = c["stream"] == stream
        gain[there] += quantile(errors[there], 0.5) or 0.0
    return gain


def figures(c: Columns) -> dict[str, Any]:
    """Key `choices` of `summary.json`: a quantile of no values is None, a ratio over none is 0."""
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
    """Quantile of the values that are not NaN; None if there are none."""
    numbers = values[~np.isnan(values)]
    return float(np.quantile(numbers, share)) if numbers.size else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
